// RUN: attn-opt %s --linalg-to-micro-kernels=lanes=4 --split-input-file | FileCheck %s

#nk = affine_map<(m, n, k) -> (k, n)>
#mk = affine_map<(m, n, k) -> (m, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// c += a * b for 7 x 20 results: blocks of 6 rows and 8 columns, and what is left
// in both directions. A block's sum starts at zero and is added to c at the end.
// CHECK-LABEL: func.func @product(
// CHECK-SAME:    %[[A:.*]]: memref<7x5xf32>, %[[B:.*]]: memref<5x20xf32>, %[[C:.*]]: memref<7x20xf32>
// CHECK:         scf.for %[[N:[a-z0-9_]+]] =
// CHECK:           %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK:           %[[SUM:.*]]:6 = scf.for %[[K:[a-z0-9_]+]] = {{.*}} iter_args(%{{[a-z0-9_]+}} = %[[ZERO]], {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK:             %[[ROW:.*]] = vector.load %[[B]][%[[K]], %[[N]]]
// CHECK:             %[[X:.*]] = memref.load %[[A]][%{{.*}}, %[[K]]]
// CHECK:             %[[V:.*]] = vector.broadcast %[[X]] : f32 to vector<8xf32>
// CHECK:             vector.fma %[[V]], %[[ROW]], %{{.*}} : vector<8xf32>
// CHECK:             scf.yield
// CHECK:           %[[OLD:.*]] = vector.load %[[C]][%{{.*}}, %[[N]]] : memref<7x20xf32>, vector<8xf32>
// CHECK:           %[[NEW:.*]] = arith.addf %[[OLD]], %[[SUM]]#0
// CHECK:           vector.store %[[NEW]], %[[C]]
// CHECK-COUNT-5:   vector.store %{{.*}}, %[[C]]
// CHECK:           scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<8xf32>) {
// CHECK:         scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK:         scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<4xf32>) {
// CHECK-NOT:     linalg.generic
func.func @product(%a: memref<7x5xf32>, %b: memref<5x20xf32>, %c: memref<7x20xf32>) {
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%a, %b : memref<7x5xf32>, memref<5x20xf32>) outs(%c : memref<7x20xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#nk = affine_map<(m, n, k) -> (k, n)>
#km = affine_map<(m, n, k) -> (k, m)>
#mn = affine_map<(m, n, k) -> (m, n)>
#all = affine_map<(m, n) -> (m, n)>
#none = affine_map<(m, n) -> ()>

// The operands may come in either order, a may be stored as [k, m], and a fill
// with zero just before is not stored.
// CHECK-LABEL: func.func @from_zero(
// CHECK-SAME:    %[[A:.*]]: memref<4x2xf32>, %[[B:.*]]: memref<4x8xf32>
// CHECK:         %[[C:.*]] = memref.alloca
// CHECK-NOT:     linalg.generic
// CHECK-NOT:     vector.load %[[C]]
// CHECK:         %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK:         scf.for %[[K:[a-z0-9_]+]] = {{.*}} iter_args(%{{.*}} = %[[ZERO]]
// CHECK:           memref.load %[[A]][%[[K]], %{{.*}}]
// CHECK:         vector.store %{{.*}}, %[[C]]
func.func @from_zero(%a: memref<4x2xf32>, %b: memref<4x8xf32>) -> vector<8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c = memref.alloca() : memref<2x8xf32>
  linalg.generic {indexing_maps = [#none, #all], iterator_types = ["parallel", "parallel"]}
    ins(%zero : f32) outs(%c : memref<2x8xf32>) {
  ^bb0(%x: f32, %old: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [#nk, #km, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%b, %a : memref<4x8xf32>, memref<4x2xf32>) outs(%c : memref<2x8xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  %r = vector.load %c[%c0, %c0] : memref<2x8xf32>, vector<8xf32>
  return %r : vector<8xf32>
}

// -----

#nk = affine_map<(m, n, k) -> (k, n)>
#km = affine_map<(m, n, k) -> (k, m)>
#mn = affine_map<(m, n, k) -> (m, n)>

// A weight (first input) of zero leaves the sum as it was, whatever it meets.
// CHECK-LABEL: func.func @zero_safe(
// CHECK:         %[[W:.*]] = vector.load %arg0
// CHECK:         %[[KEEP:.*]] = arith.cmpf une, %[[W]], %{{.*}} : vector<8xf32>
// CHECK:         %[[SUM:.*]] = vector.fma %{{.*}}, %[[W]], %[[OLD:.*]] : vector<8xf32>
// CHECK:         arith.select %[[KEEP]], %[[SUM]], %[[OLD]]
func.func @zero_safe(%w: memref<4x8xf32>, %v: memref<4x2xf32>, %c: memref<2x8xf32>) {
  linalg.generic {indexing_maps = [#nk, #km, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%w, %v : memref<4x8xf32>, memref<4x2xf32>) outs(%c : memref<2x8xf32>)
    attrs = {tile.zero_safe} {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#nk = affine_map<(m, n, k) -> (n, k)>
#mk = affine_map<(m, n, k) -> (m, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// No operand has n innermost: left to linalg-to-vector-loops.
// CHECK-LABEL: func.func @other_layout
// CHECK:         linalg.generic
func.func @other_layout(%a: memref<8x4xf32>, %b: memref<8x4xf32>, %c: memref<8x8xf32>) {
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%a, %b : memref<8x4xf32>, memref<8x4xf32>) outs(%c : memref<8x8xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}
