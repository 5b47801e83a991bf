// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-task-numbers)))" \
// RUN:   --verify-roundtrip | FileCheck %s

// What follows from the task, and is used by other things than its like, is computed apart, a read of memory included.
// A cast is made where it was; what follows from the kernel's arguments alone stays.
// CHECK-LABEL: gpu.func @kernel(
// CHECK: tile.tasks %{{.*}} from %{{.*}} numbers {
// CHECK-NEXT: ^bb0(%[[TASK:.*]]: i32):
// CHECK-NEXT:   %[[ROW:.*]] = arith.muli %[[TASK]], %[[HEADS:.*]] : i32
// CHECK-NEXT:   %[[HEAD:.*]] = arith.divui %[[TASK]], %[[HEADS]] : i32
// CHECK-NEXT:   %[[H:.*]] = arith.index_cast %[[HEAD]]
// CHECK-NEXT:   %[[LENGTH:.*]] = memref.load %{{.*}}[%[[H]]]
// CHECK-NEXT:   tile.yield %[[ROW]], %[[LENGTH]] : i32, i32
// CHECK-NEXT: } do {
// CHECK-NEXT: ^bb0(%{{.*}}: i32, %[[FIRST:.*]]: i32, %[[HIGH:.*]]: i32):
// CHECK-NEXT:   %[[CAST:.*]] = arith.index_cast %[[HIGH]] : i32 to index
// CHECK-NEXT:   %[[ALL:.*]] = arith.index_cast %[[HEADS]] : i32 to index
// CHECK-NEXT:   memref.store %[[FIRST]], %{{.*}}[%[[CAST]]]
// CHECK-NEXT:   memref.store %[[FIRST]], %{{.*}}[%[[ALL]]]
// CHECK-NEXT: } : <1>
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>
gpu.module @kernels {
  gpu.func @kernel(%lengths: memref<?xi32>, %out: memref<?xi32>, %count: i32, %heads: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #schedule} {
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %head = arith.divui %task, %heads : i32
      %h = arith.index_cast %head : i32 to index
      %length = memref.load %lengths[%h] : memref<?xi32>
      %high = arith.index_cast %length : i32 to index
      %row = arith.muli %task, %heads : i32
      %all = arith.index_cast %heads : i32 to index
      memref.store %row, %out[%high] : memref<?xi32>
      memref.store %row, %out[%all] : memref<?xi32>
    } : !llvm.ptr<1>
    gpu.return
  }

  // Beside three groups the producer has no registers to compute.
  // CHECK-LABEL: gpu.func @three(
  // CHECK-NOT: numbers
  gpu.func @three(%out: memref<i32>, %count: i32, %heads: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 192, kv = 64>, roles = <warps = 12, producers = 4>, pipeline = <persistent>>} {
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %head = arith.divui %task, %heads : i32
      memref.store %head, %out[] : memref<i32>
    } : !llvm.ptr<1>
    gpu.return
  }
}
