// RUN: attn-opt %s --linalg-to-vector-loops=width=4 --split-input-file | FileCheck %s

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#column = affine_map<(i, j) -> (j)>

// Lanes are columns. The loop over them is outermost; what depends on the row
// only stays a scalar until it meets a vector.
// CHECK-LABEL: func.func @elementwise(
// CHECK-SAME:    %[[X:.*]]: memref<3x8xf32>, %[[R:.*]]: memref<3xf32>, %[[C:.*]]: memref<8xf32>
// CHECK:         scf.for %[[J:[a-z0-9_]+]] =
// CHECK:           scf.for %[[I:[a-z0-9_]+]] =
// CHECK:             %[[RS:.*]] = memref.load %[[R]][%[[I]]]
// CHECK:             %[[CV:.*]] = vector.load %[[C]][%[[J]]] : memref<8xf32>, vector<4xf32>
// CHECK:             %[[XV:.*]] = vector.load %[[X]][%[[I]], %[[J]]] : memref<3x8xf32>, vector<4xf32>
// CHECK:             %[[N:.*]] = arith.negf %[[RS]] : f32
// CHECK:             %[[NV:.*]] = vector.broadcast %[[N]] : f32 to vector<4xf32>
// CHECK:             arith.addf %[[XV]], %[[NV]] : vector<4xf32>
// CHECK:             vector.store %{{.*}}, %[[X]][%[[I]], %[[J]]]
func.func @elementwise(%x: memref<3x8xf32>, %r: memref<3xf32>, %c: memref<8xf32>) {
  linalg.generic {indexing_maps = [#row, #column, #all], iterator_types = ["parallel", "parallel"]}
    ins(%r, %c : memref<3xf32>, memref<8xf32>) outs(%x : memref<3x8xf32>) {
  ^bb0(%a: f32, %b: f32, %old: f32):
    %n = arith.negf %a : f32
    %s = arith.addf %old, %n : f32
    %t = arith.mulf %s, %b : f32
    linalg.yield %t : f32
  }
  return
}

// -----

#ji = affine_map<(i, j) -> (j, i)>
#i = affine_map<(i, j) -> (i)>

// A sum over a multiple of four is dealt to four chains, and added at the end to what
// was there.
// CHECK-LABEL: func.func @chains(
// CHECK-SAME:    %[[X:.*]]: memref<12x4xf32>, %[[M:.*]]: memref<4xf32>
// CHECK-COUNT-4: vector.load %[[X]]
// CHECK:         %[[STEP:.*]] = arith.constant 4 : index
// CHECK:         %[[R:.*]]:4 = scf.for %[[J:[a-z0-9_]+]] = {{.*}} -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK:           %[[V:.*]] = vector.load %[[X]][%[[J]], %{{.*}}]
// CHECK-NEXT:      arith.addf %{{.*}}, %[[V]] : vector<4xf32>
// CHECK:         %[[A:.*]] = arith.addf %[[R]]#0, %[[R]]#2
// CHECK:         %[[B:.*]] = arith.addf %[[R]]#1, %[[R]]#3
// CHECK:         %[[ALL:.*]] = arith.addf %[[A]], %[[B]]
// CHECK:         %[[OLD:.*]] = vector.load %[[M]]
// CHECK:         %[[NEW:.*]] = arith.addf %[[OLD]], %[[ALL]]
// CHECK:         vector.store %[[NEW]], %[[M]]
func.func @chains(%x: memref<12x4xf32>, %m: memref<4xf32>) {
  linalg.generic {indexing_maps = [#ji, #i], iterator_types = ["parallel", "reduction"]}
    ins(%x : memref<12x4xf32>) outs(%m : memref<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %s = arith.addf %a, %acc : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#ji = affine_map<(i, j) -> (j, i)>
#i = affine_map<(i, j) -> (i)>

// A reduction keeps a vector of results in registers; 6 = 4 + 2 lanes.
// CHECK-LABEL: func.func @reduction(
// CHECK-SAME:    %[[X:.*]]: memref<5x6xf32>, %[[M:.*]]: memref<6xf32>
// CHECK:         %[[INIT:.*]] = vector.load %[[M]][%{{.*}}] : memref<6xf32>, vector<4xf32>
// CHECK:         %[[R:.*]] = scf.for %[[J:[a-z0-9_]+]] = {{.*}} iter_args(%[[ACC:.*]] = %[[INIT]]) -> (vector<4xf32>)
// CHECK:           %[[V:.*]] = vector.load %[[X]][%[[J]], %{{.*}}]
// CHECK:           %[[NEXT:.*]] = arith.maxnumf %[[V]], %[[ACC]] : vector<4xf32>
// CHECK:           scf.yield %[[NEXT]]
// CHECK:         vector.store %[[R]], %[[M]]
// CHECK:         vector.load %[[M]][%{{.*}}] : memref<6xf32>, vector<2xf32>
func.func @reduction(%x: memref<5x6xf32>, %m: memref<6xf32>) {
  linalg.generic {indexing_maps = [#ji, #i], iterator_types = ["parallel", "reduction"]}
    ins(%x : memref<5x6xf32>) outs(%m : memref<6xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %s = arith.maxnumf %a, %acc : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>

// The table is read once for each lane, at the lane's own position; run-time
// sizes end in a loop of scalars.
// CHECK-LABEL: func.func @table(
// CHECK-SAME:    %[[T:[a-z0-9_]+]]: memref<?xf32>
// CHECK:         scf.for
// CHECK:           %[[POSITIONS:.*]] = arith.addi %{{.*}}, %{{.*}} : vector<4xindex>
// CHECK-COUNT-4:   memref.load %[[T]]
// CHECK:           vector.store
// CHECK:         scf.for
// CHECK:           memref.load %[[T]]
// CHECK:           memref.store
func.func @table(%t: memref<?xf32>, %x: memref<?xf32>) {
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%x : memref<?xf32>) {
  ^bb0(%old: f32):
    %i = linalg.index 0 : index
    %v = memref.load %t[%i] : memref<?xf32>
    %s = arith.addf %old, %v : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>

// Both branches may be executed: lanes select.
// CHECK-LABEL: func.func @select(
// CHECK-NOT:     scf.if
// CHECK:         arith.select %{{.*}}, %{{.*}}, %{{.*}} : vector<4xi1>, vector<4xf32>
//
// A lane must not load what its condition excludes: scalars.
// CHECK-LABEL: func.func @guarded(
// CHECK-NOT:     vector
// CHECK:         scf.if
// CHECK:           memref.load
//
// All lanes take the same branch.
// CHECK-LABEL: func.func @uniform(
// CHECK:         scf.if %{{.*}} -> (vector<4xf32>)
func.func @select(%x: memref<8xf32>, %c: f32) {
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%x : memref<8xf32>) {
  ^bb0(%old: f32):
    %b = arith.cmpf olt, %old, %c : f32
    %r = scf.if %b -> f32 {
      %n = arith.negf %old : f32
      scf.yield %n : f32
    } else {
      scf.yield %old : f32
    }
    linalg.yield %r : f32
  }
  return
}
func.func @guarded(%x: memref<8xf32>, %t: memref<?xf32>, %n: index) {
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%x : memref<8xf32>) {
  ^bb0(%old: f32):
    %i = linalg.index 0 : index
    %b = arith.cmpi ult, %i, %n : index
    %r = scf.if %b -> f32 {
      %v = memref.load %t[%i] : memref<?xf32>
      scf.yield %v : f32
    } else {
      scf.yield %old : f32
    }
    linalg.yield %r : f32
  }
  return
}
func.func @uniform(%x: memref<8xf32>, %t: memref<?xf32>, %b: i1) {
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%x : memref<8xf32>) {
  ^bb0(%old: f32):
    %i = linalg.index 0 : index
    %r = scf.if %b -> f32 {
      %v = memref.load %t[%i] : memref<?xf32>
      scf.yield %v : f32
    } else {
      scf.yield %old : f32
    }
    linalg.yield %r : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @copy(
// CHECK:         vector.load %arg0
// CHECK:         vector.store %{{.*}}, %arg1
func.func @copy(%x: memref<8xf32>, %y: memref<8xf32>) {
  memref.copy %x, %y : memref<8xf32> to memref<8xf32>
  return
}

// -----

// What is read at a difference of dimensions: one further for the next lane is a vector of memory, one back is not.
// CHECK-LABEL: func.func @differences(
// CHECK-SAME: %[[A:[^:]*]]: memref<11xf32>, %[[B:[^:]*]]: memref<11xf32>
// CHECK: scf.for %[[J:.*]] =
// CHECK: scf.for %[[I:.*]] =
// CHECK: vector.load %[[A]][%{{.*}}] : memref<11xf32>, vector<4xf32>
// CHECK-COUNT-4: memref.load %[[B]]
// CHECK: vector.store
#id = affine_map<(i, j) -> (i, j)>
func.func @differences(%a: memref<11xf32>, %b: memref<11xf32>, %c: memref<4x8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j - i + 3)>, affine_map<(i, j) -> (i - j + 7)>, #id],
                  iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : memref<11xf32>, memref<11xf32>) outs(%c : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %sum = arith.addf %x, %y : f32
    linalg.yield %sum : f32
  }
  return
}
