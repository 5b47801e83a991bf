// RUN: attn-opt %s --pass-pipeline="builtin.module(func.func(tile-distances-apart))" | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#first = affine_map<(i, j) -> (i)>
!t = tensor<64x32xf32>

// Of 64 keys and 32 queries there are 95 distances: the vector begins with that of the first query and the last key.
// Neighbours in a row of the tile read neighbours.
// CHECK: #[[$MAP:.*]] = affine_map<(d0, d1) -> ({{.*}} + 63)>
// CHECK-LABEL: func.func @table
// CHECK: %[[E:.*]] = tensor.empty() : tensor<95xf32>
// CHECK: %[[D:.*]] = linalg.generic {{.*}}iterator_types = ["parallel"]} outs(%[[E]] : tensor<95xf32>)
// CHECK:   %[[I:.*]] = linalg.index 0
// CHECK:   %[[QUERY:.*]] = arith.subi %[[I]], %c63
// CHECK:   %[[X:.*]] = memref.load
// CHECK:   linalg.yield %[[X]] : f32
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[$MAP]], #{{.*}}]{{.*}} ins(%{{.*}}, %[[D]] : tensor<64x32xf32>, tensor<95xf32>)
// CHECK-NEXT: ^bb0(%[[IN:.*]]: f32, %[[BIAS:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT:   %[[SUM:.*]] = arith.addf %[[IN]], %[[BIAS]] : f32
// CHECK-NEXT:   linalg.yield %[[SUM]] : f32
func.func @table(%m: memref<?xf32>, %scores: !t, %e: !t, %q0: i32, %kv0: i32) -> !t {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%scores : !t) outs(%e : !t) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 0 : index
    %i32 = arith.index_cast %i : index to i32
    %kv = arith.addi %kv0, %i32 : i32
    %j = linalg.index 1 : index
    %j32 = arith.index_cast %j : index to i32
    %q = arith.addi %q0, %j32 : i32
    %d = arith.subi %q, %kv : i32
    %at = arith.index_cast %d : i32 to index
    %x = memref.load %m[%at] : memref<?xf32>
    %sum = arith.addf %in, %x : f32
    linalg.yield %sum : f32
  } -> !t
  return %0 : !t
}

// What is cheap, what a row's vector decides, and what is read at a position stays; so do reductions.
// CHECK-LABEL: func.func @others
// CHECK-NOT: tensor<95x
// CHECK: return
func.func @others(%m: memref<?xf32>, %scores: !t, %v: tensor<64xf32>, %e: !t) -> (!t, tensor<64xf32>) {
  %0 = linalg.generic {indexing_maps = [#id, #first, #id], iterator_types = ["parallel", "parallel"]}
      ins(%scores, %v : !t, tensor<64xf32>) outs(%e : !t) {
  ^bb0(%in: f32, %ofRow: f32, %out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %d = arith.subi %i, %j : index
    %d32 = arith.index_cast %d : index to i32
    %f = arith.sitofp %d32 : i32 to f32
    %a = math.cos %ofRow : f32
    %b = memref.load %m[%j] : memref<?xf32>
    %ab = arith.addf %a, %b : f32
    %abf = arith.addf %ab, %f : f32
    %sum = arith.addf %in, %abf : f32
    linalg.yield %sum : f32
  } -> !t
  %1 = linalg.generic {indexing_maps = [#id, #first], iterator_types = ["parallel", "reduction"]}
      ins(%scores : !t) outs(%v : tensor<64xf32>) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %d = arith.subi %i, %j : index
    %x = memref.load %m[%d] : memref<?xf32>
    %y = arith.mulf %in, %x : f32
    %sum = arith.addf %out, %y : f32
    linalg.yield %sum : f32
  } -> tensor<64xf32>
  return %0, %1 : !t, tensor<64xf32>
}

// What nobody uses goes with what it was made of, whatever was found of it before.
// CHECK-LABEL: func.func @unused
// CHECK: math.cos
// CHECK-NOT: math.sqrt
// CHECK: return
func.func @unused(%scores: !t, %e: !t) -> !t {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%scores : !t) outs(%e : !t) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %d = arith.subi %i, %j : index
    %d32 = arith.index_cast %d : index to i32
    %f = arith.sitofp %d32 : i32 to f32
    %r = math.sqrt %f : f32
    %unused = arith.mulf %r, %in : f32
    %c = math.cos %f : f32
    %sum = arith.addf %in, %c : f32
    linalg.yield %sum : f32
  } -> !t
  return %0 : !t
}
