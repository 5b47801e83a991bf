// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-receive-again)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!r = !tile.ring<2 x tensor<64x64xbf16>>
!n = !tile.ring<2 x tensor<4xi64>>

// Behind the loop what is used there is received again, but for what counts its steps; a cast is made again. What was
// waited for, or made otherwise, stays.
// CHECK-LABEL: gpu.func @kernel(
// CHECK: %[[FIRST:.*]]:3 = tile.receive [1, 2, 3] of %[[R:.*]] at %[[N:.*]] again
// CHECK: %[[CAST:.*]] = arith.index_cast %[[FIRST]]#0
// CHECK: %[[TWICE:.*]] = arith.addi %[[FIRST]]#0, %[[FIRST]]#0
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[CAST]]
// CHECK: }
// CHECK-NEXT: %[[STEPS:.*]] = arith.addi %[[FIRST]]#0, %{{.*}}
// CHECK-NEXT: %[[AGAIN:.*]]:2 = tile.receive [1, 3] of %[[R]] at %[[N]] again : <2 x tensor<4xi64>> -> i32, f32
// CHECK-NEXT: %[[CAST_AGAIN:.*]] = arith.index_cast %[[AGAIN]]#0
// CHECK-NEXT: memref.store %[[AGAIN]]#1, %{{.*}}[%[[CAST_AGAIN]]]
// CHECK-NEXT: memref.store %[[TWICE]]
// CHECK-NEXT: scf.yield %[[STEPS]]
gpu.module @kernels {
  gpu.func @kernel(%o: memref<?xf32>, %p: memref<i32>, %count: index) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0 : i32
    %t = tile.ring : !r
    %r = tile.ring : !n
    %all = scf.for %i = %c0 to %count step %c1 iter_args(%n = %zero) -> i32 {
      %task = tile.receive [0] of %r at %n : !n -> i32
      %high, %row, %x = tile.receive [1, 2, 3] of %r at %n again : !n -> i32, index, f32
      %cast = arith.index_cast %high : i32 to index
      %twice = arith.addi %high, %high : i32
      scf.for %j = %c0 to %cast step %c1 {
        %tile = tile.read %t at %n : !r -> tensor<64x64xbf16, #tile.slot>
        memref.store %x, %o[%row] : memref<?xf32>
      }
      %steps = arith.addi %high, %n : i32
      memref.store %x, %o[%cast] : memref<?xf32>
      memref.store %twice, %p[] : memref<i32>
      scf.yield %steps : i32
    }
    gpu.return
  }

  // Between two loops for those between, and for the second.
  // CHECK-LABEL: gpu.func @two(
  // CHECK: tile.receive [0, 1]
  // CHECK: scf.for
  // CHECK: }
  // CHECK-NEXT: %[[SECOND:.*]]:2 = tile.receive [0, 1]
  // CHECK-NEXT: memref.store %[[SECOND]]#0
  // CHECK-NEXT: scf.for %{{.*}} = %{{.*}} to %[[SECOND]]#1
  // CHECK: }
  // CHECK-NEXT: %[[THIRD:.*]] = tile.receive [0]
  // CHECK-NEXT: memref.store %[[THIRD]]
  gpu.func @two(%o: memref<f32>, %n: i32) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %t = tile.ring : !r
    %r = tile.ring : !n
    %x, %high = tile.receive [0, 1] of %r at %n again : !n -> f32, index
    scf.for %j = %c0 to %high step %c1 {
      %tile = tile.read %t at %n : !r -> tensor<64x64xbf16, #tile.slot>
    }
    memref.store %x, %o[] : memref<f32>
    scf.for %j = %c0 to %high step %c1 {
      %tile = tile.read %t at %n : !r -> tensor<64x64xbf16, #tile.slot>
    }
    memref.store %x, %o[] : memref<f32>
    gpu.return
  }
}
