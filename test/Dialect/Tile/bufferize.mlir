// RUN: attn-opt %s --tile-bufferize --canonicalize --split-input-file | FileCheck %s

#all = affine_map<(i, j) -> (i, j)>

// One buffer, at the entry; every operation in place; no copy. Rows outside the
// memory and channels outside it are zero.
// CHECK-LABEL: func.func @in_place(
// CHECK-SAME:    %[[X:.*]]: memref<?x12xf32>
// CHECK-COUNT-1: memref.alloca() {alignment = 64 : i64} : memref<8x16xf32>
// CHECK-NOT:     memref.alloca
// CHECK:         %[[ROWS:.*]] = memref.dim %[[X]]
// CHECK:         scf.for
// CHECK:           vector.load %[[X]][%{{.*}}, %{{.*}}] : memref<?x12xf32>, vector<12xf32>
// CHECK:           vector.store %{{.*}} : memref<8x16xf32>, vector<12xf32>
// CHECK:           vector.store %{{.*}} : memref<8x16xf32>, vector<4xf32>
// CHECK:         scf.for
// CHECK:           vector.store %{{.*}} : memref<8x16xf32>, vector<16xf32>
// CHECK-NOT:     memref.copy
// CHECK:         linalg.generic {{.*}} outs(%[[B:.*]] : memref<8x16xf32>)
// CHECK:           math.absf
// CHECK-NOT:     memref.copy
// CHECK:         scf.for
// CHECK:           vector.load %[[B]][%{{.*}}, %{{.*}}] : memref<8x16xf32>, vector<12xf32>
// CHECK:           vector.store %{{.*}}, %[[X]]
func.func @in_place(%x: memref<?x12xf32>, %row: index) {
  %t = tile.load %x[%row] : memref<?x12xf32> -> tensor<8x16xf32>
  %e = tensor.empty() : tensor<8x16xf32>
  %u = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
    ins(%t : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = math.absf %a : f32
    linalg.yield %c : f32
  } -> tensor<8x16xf32>
  tile.store %u, %x[%row] : tensor<8x16xf32>, memref<?x12xf32>
  return
}

// -----

#id = affine_map<(i) -> (i)>

// The old value is read after the new one is made: two buffers, and a copy at the
// end of each iteration, but nothing is allocated inside the loop.
// CHECK-LABEL: func.func @carried(
// CHECK-COUNT-2: memref.alloca() {{.*}} : memref<8xf32>
// CHECK-NOT:     memref.alloca
// CHECK:         scf.for %{{.*}} = %{{.*}} to %{{.*}} step %{{.*}} {
// CHECK-NOT:       memref.alloca
// CHECK:           memref.copy
// CHECK:         }
// CHECK:         memref.load
// CHECK:         memref.store
func.func @carried(%x: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<8xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%old = %zero) -> tensor<8xf32> {
    %e = tensor.empty() : tensor<8xf32>
    %new = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%old : tensor<8xf32>) outs(%e : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32):
      %c = math.absf %a : f32
      linalg.yield %c : f32
    } -> tensor<8xf32>
    %f = tensor.empty() : tensor<8xf32>
    %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%old, %new : tensor<8xf32>, tensor<8xf32>) outs(%f : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32, %d: f32):
      %c = arith.addf %a, %b : f32
      linalg.yield %c : f32
    } -> tensor<8xf32>
    tile.store %sum, %x[%i] : tensor<8xf32>, memref<?xf32>
    scf.yield %new : tensor<8xf32>
  }
  tile.store %r, %x[%c0] : tensor<8xf32>, memref<?xf32>
  return
}

// -----

// CHECK-LABEL: func.func @nonfinite(
// CHECK:         %[[SUM:.*]] = scf.for {{.*}} -> (vector<16xf32>)
// CHECK:           %[[V:.*]] = vector.load %{{.*}} : memref<8x16xbf16>, vector<16xbf16>
// CHECK:           %[[W:.*]] = arith.extf %[[V]]
// CHECK:           arith.mulf %[[W]], %{{.*}}
// CHECK:         %[[S:.*]] = vector.reduction <add>, %[[SUM]]
// CHECK:         %[[R:.*]] = arith.cmpf uno, %[[S]], %[[S]]
// CHECK:         return %[[R]]
func.func @nonfinite(%x: memref<?x16xbf16>, %row: index) -> i1 {
  %t = tile.load %x[%row] : memref<?x16xbf16> -> tensor<8x16xbf16>
  %r = tile.has_nonfinite %t : tensor<8x16xbf16>
  return %r : i1
}

// -----

// The absolute values as integers, but none for minus infinity.
// CHECK-LABEL: func.func @beyond(
// CHECK-SAME:    %{{[^,]*}}, %[[BEFORE:[^:]*]]: i1,
// CHECK:         %[[X:.*]] = vector.load %{{.*}} : memref<8xf32>, vector<8xf32>
// CHECK:         %[[EMPTY:.*]] = arith.cmpf oeq, %[[X]], %{{.*}}
// CHECK:         %[[SIZES:.*]] = arith.andi
// CHECK:         %[[COUNTED:.*]] = arith.select %[[EMPTY]], %{{.*}}, %[[SIZES]]
// CHECK:         %[[GREATEST:.*]] = vector.reduction <maxui>, %[[COUNTED]]
// CHECK:         %[[NOW:.*]] = arith.cmpi ugt, %[[GREATEST]], %c1056964608_i32
// CHECK:         %[[R:.*]] = arith.ori %[[BEFORE]], %[[NOW]]
// CHECK:         return %[[R]]
func.func @beyond(%x: memref<?xf32>, %before: i1, %row: index) -> i1 {
  %t = tile.load %x[%row] : memref<?xf32> -> tensor<8xf32>
  %r = tile.any_beyond %t or %before {bound = 0.5 : f32} : tensor<8xf32>
  return %r : i1
}

// -----

#all = affine_map<(i, j) -> (i, j)>

// A loop in a loop carries its tile in the same buffer.
// CHECK-LABEL: func.func @nested(
// CHECK-COUNT-1: memref.alloca
// CHECK-NOT: memref.alloca
// CHECK: scf.for
// CHECK:   scf.for
// CHECK:     linalg.generic
// CHECK-NOT: memref.copy
// CHECK: return
func.func @nested(%out: memref<?x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zeros = arith.constant dense<0.0> : tensor<8x16xf32>
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%a = %zeros) -> tensor<8x16xf32> {
    %inner = scf.for %j = %c0 to %n step %c1 iter_args(%b = %a) -> tensor<8x16xf32> {
      %next = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]}
          outs(%b : tensor<8x16xf32>) {
      ^bb0(%x: f32):
        %y = arith.addf %x, %x : f32
        linalg.yield %y : f32
      } -> tensor<8x16xf32>
      scf.yield %next : tensor<8x16xf32>
    }
    scf.yield %inner : tensor<8x16xf32>
  }
  tile.store %sum, %out[%c0] : tensor<8x16xf32>, memref<?x16xf32>
  return
}

// -----

// Element by element, with the sum of neighbours of one place in a register; before the first there is none. What is
// zero does not move on.
// CHECK-LABEL: func.func @scatter(
// CHECK-SAME: %[[T:[^:]*]]: memref<8x16xf32>, %[[P:[^:]*]]: memref<8x16xi64>, %[[M:[^:]*]]: memref<?x?xf32>, %[[I:.*]]: index
// CHECK-DAG: %[[NONE:.*]] = arith.constant -1 : i64
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[ROWS:.*]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %[[NONE]], %{{.*}} = %[[ZERO]]) -> (i64, f32) {
// CHECK:   scf.for {{.*}} iter_args(%[[PLACE:.*]] = %{{.*}}, %[[SUM:.*]] = %{{.*}}) -> (i64, f32) {
// CHECK:     %[[X:.*]] = memref.load %{{.*}} : memref<8x16xf32
// CHECK:     %[[AT:.*]] = memref.load %{{.*}} : memref<8x16xi64
// CHECK:     %[[COUNTS:.*]] = arith.cmpf une, %[[X]], %[[ZERO]]
// CHECK:     %[[OTHER:.*]] = arith.cmpi ne, %[[AT]], %[[PLACE]]
// CHECK:     %[[MOVES:.*]] = arith.andi %[[COUNTS]], %[[OTHER]]
// CHECK:     arith.select %[[MOVES]], %[[AT]], %[[PLACE]]
// CHECK:     scf.if %[[MOVES]] -> (f32) {
// CHECK:       scf.if
// CHECK:         %[[OLD:.*]] = memref.load %{{.*}}[%{{.*}}, %{{.*}}] : memref<?x?xf32>
// CHECK:         %[[NEW:.*]] = arith.addf %[[OLD]], %[[SUM]]
// CHECK:         memref.store %[[NEW]]
// CHECK:       scf.yield %[[X]]
// CHECK:     } else {
// CHECK:       %[[BOTH:.*]] = arith.addf %[[SUM]], %[[X]]
// CHECK:       scf.yield %[[BOTH]]
// CHECK: scf.if
// CHECK:   arith.addf %{{.*}}, %[[ROWS]]#1
func.func @scatter(%t: memref<8x16xf32>, %p: memref<8x16xi64>, %m: memref<?x?xf32>, %i: index) {
  %tile = bufferization.to_tensor %t restrict : memref<8x16xf32> to tensor<8x16xf32>
  %places = bufferization.to_tensor %p restrict : memref<8x16xi64> to tensor<8x16xi64>
  tile.scatter_add %tile at %places, %m[%i] : tensor<8x16xf32>, tensor<8x16xi64>, memref<?x?xf32>
  return
}

// -----

// What either branch makes of a tile that is read again lies in rows, as every tile does: loops over it are vectors.
// CHECK-LABEL: func.func @branches(
// CHECK-NOT: strided
// CHECK: arith.select %{{.*}} : memref<8x16xf32>
// CHECK-NOT: strided
// CHECK: return
#same = affine_map<(i, j) -> (i, j)>
func.func @branches(%t: memref<8x16xf32>, %partial: i1, %to: memref<8x16xf32>) {
  %s = bufferization.to_tensor %t restrict : memref<8x16xf32> to tensor<8x16xf32>
  %w = scf.if %partial -> (tensor<8x16xf32>) {
    %e = tensor.empty() : tensor<8x16xf32>
    %a = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
        ins(%s : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
    ^bb0(%x: f32, %y: f32):
      %r = math.exp2 %x : f32
      linalg.yield %r : f32
    } -> tensor<8x16xf32>
    scf.yield %a : tensor<8x16xf32>
  } else {
    %e = tensor.empty() : tensor<8x16xf32>
    %a = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
        ins(%s : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
    ^bb0(%x: f32, %y: f32):
      %r = arith.negf %x : f32
      linalg.yield %r : f32
    } -> tensor<8x16xf32>
    scf.yield %a : tensor<8x16xf32>
  }
  %e = tensor.empty() : tensor<8x16xf32>
  %both = linalg.generic {indexing_maps = [#same, #same, #same], iterator_types = ["parallel", "parallel"]}
      ins(%s, %w : tensor<8x16xf32>, tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %r = arith.addf %x, %y : f32
    linalg.yield %r : f32
  } -> tensor<8x16xf32>
  %c0 = arith.constant 0 : index
  tile.store %both, %to[%c0] : tensor<8x16xf32>, memref<8x16xf32>
  return
}

// -----

// Rows of two dimensions: the inner one is fastest, and their number is the product.
// CHECK-LABEL: func.func @packed(
// CHECK-SAME: %[[M:[^:]*]]: memref<?x?x?x16xf32>, %[[I:[^:]*]]: index, %[[R0:.*]]: index
// CHECK-DAG: %[[OUTER:.*]] = memref.dim %[[M]], %c1
// CHECK-DAG: %[[INNER:.*]] = memref.dim %[[M]], %c2
// CHECK: %[[SIZE:.*]] = arith.muli %[[OUTER]], %[[INNER]]
// CHECK: %[[LEFT:.*]] = arith.subi %[[SIZE]], %[[R0]]
// CHECK: scf.for %[[ROW:.*]] = %c0 to
// CHECK:   %[[AT:.*]] = arith.addi %{{.*}}, %{{.*}} : index
// CHECK:   %[[N:.*]] = arith.index_cast %[[AT]] : index to i32
// CHECK:   arith.divui %[[N]], %{{.*}} : i32
// CHECK:   arith.remui %[[N]], %{{.*}} : i32
// CHECK:   vector.load %[[M]][%[[I]], %{{.*}}, %{{.*}}, %c0] : memref<?x?x?x16xf32>, vector<16xf32>
// CHECK: scf.for
// CHECK:   arith.divui
// CHECK:   arith.remui
// CHECK:   vector.store %{{.*}}, %[[M]][%[[I]], %{{.*}}, %{{.*}}, %c0] : memref<?x?x?x16xf32>, vector<16xf32>
func.func @packed(%m: memref<?x?x?x16xf32>, %i: index, %r0: index) {
  %t = tile.load %m[%i, %r0] packed : memref<?x?x?x16xf32> -> tensor<8x16xf32>
  tile.store %t, %m[%i, %r0] packed : tensor<8x16xf32>, memref<?x?x?x16xf32>
  return
}

// -----

// Each row by itself: its entry of the table, if it is before the end, then its page, if there is one.
// CHECK-LABEL: func.func @pages(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<?x?x?x12xf32>, %[[T:[a-z0-9]+]]: memref<?x?xi32>, %[[I:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK:         %[[B:.*]] = memref.alloca() {alignment = 64 : i64} : memref<8x16xf32>
// CHECK-DAG:     %[[PAGES:.*]] = memref.dim %[[X]], %c0
// CHECK-DAG:     %[[ROWS:.*]] = memref.dim %[[X]], %c2
// CHECK:         scf.for %[[R:.*]] = %c0 to %c8 step %c1
// CHECK:           %[[P:.*]] = arith.addi %[[I]], %[[R]]
// CHECK:           %[[IN:.*]] = arith.cmpi slt, %[[P]], %[[END]]
// CHECK:           %[[PAGE:.*]] = scf.if %[[IN]] -> (index)
// CHECK:             %[[E:.*]] = arith.divui %[[P]], %[[ROWS]]
// CHECK:             memref.load %[[T]][%[[I]], %[[E]]]
// CHECK:           } else {
// CHECK-NEXT:        scf.yield %c-1
// CHECK:           %[[THERE:.*]] = arith.cmpi ult, %[[PAGE]], %[[PAGES]]
// CHECK:           scf.if %[[THERE]]
// CHECK:             %[[ROW:.*]] = arith.remui %[[P]], %[[ROWS]]
// CHECK:             vector.load %[[X]][%[[PAGE]], %[[I]], %[[ROW]], %c0] : memref<?x?x?x12xf32>, vector<12xf32>
// CHECK:             vector.store %{{.*}}, %[[B]]{{.*}}vector<12xf32>
// CHECK:             vector.store %{{.*}}, %[[B]]{{.*}}vector<4xf32>
// CHECK:           } else {
// CHECK:             vector.store %{{.*}}, %[[B]]{{.*}}vector<16xf32>
func.func @pages(%x: memref<?x?x?x12xf32>, %table: memref<?x?xi32>, %i: index, %end: index, %to: memref<?x16xf32>) {
  %t = tile.load %x[%i, %i, %i] through %table until %end : memref<?x?x?x12xf32>, memref<?x?xi32> -> tensor<8x16xf32>
  tile.store %t, %to[%i] : tensor<8x16xf32>, memref<?x16xf32>
  return
}
