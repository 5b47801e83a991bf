// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-inspect-apart)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!r = !tile.ring<2 x tensor<64x64xbf16>>
!t = tensor<64x64xbf16>
!ts = tensor<64x64xbf16, #tile.slot>

gpu.module @kernels {
  // A branch asks: the answer is found under its condition, and received in it. The ring of answers is behind those of
  // tiles, with as many stages.
  // CHECK-LABEL: gpu.func @branch(
  // CHECK: tile.ring : <2 x tensor<64x64xbf16>>
  // CHECK-NEXT: %[[ANSWERS:.*]] = tile.ring : <2 x tensor<1xi64>>
  // CHECK: %[[T:.*]] = tile.read %{{.*}} at %[[N:.*]] :
  // CHECK: %[[ANSWER:.*]] = scf.if %[[PARTIAL:.*]] -> (i1) {
  // CHECK-NEXT: %[[FOUND:.*]] = tile.has_nonfinite %[[T]]
  // CHECK-NEXT: scf.yield %[[FOUND]]
  // CHECK-NEXT: } else {
  // CHECK-NEXT: %[[NO:.*]] = arith.constant false
  // CHECK-NEXT: scf.yield %[[NO]]
  // CHECK: tile.send %[[ANSWER]] : i1 about %[[T]] : tensor<64x64xbf16, #tile.slot> into %[[ANSWERS]] at %[[N]]
  // CHECK-NEXT: scf.if %[[PARTIAL]] -> (i1) {
  // CHECK-NEXT: tile.receive [0] of %[[ANSWERS]] at %[[N]] about %[[T]] : tensor<64x64xbf16, #tile.slot> : <2 x tensor<1xi64>> -> i1
  // CHECK-NOT: tile.has_nonfinite
  gpu.func @branch(%n: i32, %count: index, %partial: i1, %o: memref<i1>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %no = arith.constant false
    %r = tile.ring : !r
    scf.for %j = %c0 to %count step %c1 {
      %t = tile.read %r at %n : !r -> !ts
      %dirty = scf.if %partial -> i1 {
        %x = tile.has_nonfinite %t : !ts
        scf.yield %x : i1
      } else {
        scf.yield %no : i1
      }
      memref.store %dirty, %o[] : memref<i1>
      tile.release %r at %n : !r
    }
    gpu.return
  }

  // Every step asks.
  // CHECK-LABEL: gpu.func @always(
  // CHECK: %[[YES:.*]] = arith.constant true
  // CHECK: %[[ANSWER:.*]] = scf.if %[[YES]] -> (i1) {
  // CHECK: tile.send %[[ANSWER]] : i1
  // CHECK: %[[DIRTY:.*]] = tile.receive
  // CHECK: memref.store %[[DIRTY]]
  gpu.func @always(%n: i32, %count: index, %o: memref<i1>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %r = tile.ring : !r
    scf.for %j = %c0 to %count step %c1 {
      %t = tile.read %r at %n : !r -> !ts
      %dirty = tile.has_nonfinite %t : !ts
      memref.store %dirty, %o[] : memref<i1>
      tile.release %r at %n : !r
    }
    gpu.return
  }
}
