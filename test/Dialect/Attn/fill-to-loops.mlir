// RUN: attn-opt %s --attn-fill-to-loops --canonicalize --cse --split-input-file | FileCheck %s

// A loop for each dimension; sizes are computed once, before them.
// CHECK-LABEL: func.func @tiles(%arg0: memref<?x?xi32>, %arg1: index, %arg2: index, %arg3: index, %arg4: index, %arg5: index, %arg6: index)
// CHECK:   %[[N:.*]] = arith.ceildivsi %arg4, %c64
// CHECK:   %[[N32:.*]] = arith.index_cast %[[N]] : index to i32
// CHECK:   scf.for %[[I:.*]] = %c0 to %{{.*}} step %c1 {
// CHECK:     scf.for %[[J:.*]] = %c0 to %{{.*}} step %c1 {
// CHECK:       %[[I32:.*]] = arith.index_cast %[[I]] : index to i32
// CHECK:       %[[J32:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK:       %[[X:.*]] = arith.muli %[[I32]], %[[N32]]
// CHECK:       %[[Y:.*]] = arith.addi %[[X]], %[[J32]]
// CHECK:       memref.store %[[Y]], %arg0[%[[I]], %[[J]]] : memref<?x?xi32>
attn.fill @tiles(%i: i32, %j: i32) {
  %n = attn.size "queries ceildiv 64" : i32
  %x = arith.muli %i, %n : i32
  %y = arith.addi %x, %j : i32
  attn.yield %y : i32
}

// -----

// A scalar: no loop. What may be zero is no divisor.
// CHECK-LABEL: func.func @scalar(%arg0: memref<i64>,
// CHECK-NOT: scf.for
// CHECK:   %[[ZERO:.*]] = arith.cmpi eq, %arg3, %c0
// CHECK:   %[[D:.*]] = arith.select %[[ZERO]], %c1, %arg3
// CHECK:   %[[Q:.*]] = arith.floordivsi %arg2, %[[D]]
// CHECK:   arith.select %[[ZERO]], %c0, %[[Q]]
// CHECK:   memref.store %{{.*}}, %arg0[] : memref<i64>
attn.fill @scalar {
  %n = attn.size "heads / kv_heads" : i64
  attn.yield %n : i64
}

// -----

// Branches and loops, a size in one of them.
// CHECK-LABEL: func.func @sum(%arg0: memref<?xf32>
// CHECK: scf.for
// CHECK:   scf.for {{.*}} iter_args
// CHECK:     arith.addf
// CHECK:   memref.store
attn.fill @sum(%i: i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.index_cast %i : i32 to index
  %zero = arith.constant 0.0 : f32
  %x = scf.for %j = %c0 to %n step %c1 iter_args(%sum = %zero) -> (f32) {
    %k = attn.size "keys" : i32
    %f = arith.sitofp %k : i32 to f32
    %next = arith.addf %sum, %f : f32
    scf.yield %next : f32
  }
  attn.yield %x : f32
}

// -----

// Mods and functions stay as they are.
// CHECK: attn.mod @mod(%ids: tensor<?xi1> {attn.data = @ids, attn.shape = ["keys"]})
// CHECK: func.func @ids(%arg0: memref<?xi1>
attn.mod @mod(%ids: tensor<?xi1> {attn.shape = ["keys"], attn.data = @ids})
attn.fill @ids(%i: i32) {
  %x = arith.trunci %i : i32 to i1
  attn.yield %x : i1
}
