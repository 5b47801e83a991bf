// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-make-rings)))" \
// RUN:   --split-input-file --verify-roundtrip | FileCheck %s

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>

// A tile of the task has as many places as queries, those of loops as stages, and one more where it is not what a
// step begins with, which is filled ahead. Both loops count for themselves, over the tasks before.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-SAME: %[[QMAP:[^:]*]]: !llvm.ptr {attn.role = #attn.role<tensor_map of <query> rows 128>},
// CHECK-SAME: %[[KMAP:[^:]*]]: !llvm.ptr {attn.role = #attn.role<tensor_map of <key> rows 64>},
// CHECK-SAME: %[[VMAP:[^:]*]]: !llvm.ptr {attn.role = #attn.role<tensor_map of <value> rows 64>})
// CHECK: %[[QR:.*]] = tile.ring : <2 x tensor<128x64xbf16>>
// CHECK: %[[KR:.*]] = tile.ring : <3 x tensor<64x64xbf16>>
// CHECK: %[[VR:.*]] = tile.ring : <4 x tensor<64x64xbf16>>
// CHECK: %[[AGAIN:.*]] = tile.ring : <3 x tensor<64x64xbf16>>
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[BEFORE:.*]]: i32, %[[FIRST:.*]]: i32, %[[SECOND:.*]]: i32):
// CHECK: tile.fill %[[QR]] at %[[BEFORE]] from %[[QMAP]][%[[HIGH:[^ ]*]]] :
// CHECK-NEXT: %[[Q:.*]] = tile.read %[[QR]] at %[[BEFORE]]
// CHECK: scf.for %[[J:.*]] = %[[LOW:.*]] to %[[HIGH]]
// CHECK-NEXT: %[[IN:.*]] = arith.subi %[[J]], %[[LOW]]
// CHECK-NEXT: %[[IN32:.*]] = arith.index_cast %[[IN]]
// CHECK-NEXT: %[[N:.*]] = arith.addi %[[IN32]], %[[FIRST]]
// CHECK-NEXT: tile.fill %[[KR]] at %[[N]] from %[[KMAP]][%[[J]]] ahead
// CHECK-NEXT: %[[K:.*]] = tile.read %[[KR]] at %[[N]]
// CHECK-NEXT: "test.use"(%[[K]])
// CHECK-NEXT: tile.release %[[KR]] at %[[N]]
// CHECK-NEXT: "test.use"(%[[Q]])
// What nobody reads is released as soon as it is there.
// CHECK-NEXT: tile.fill %[[VR]] at %[[N]] from %[[VMAP]][%[[J]]] :
// CHECK-NEXT: tile.read %[[VR]] at %[[N]]
// CHECK-NEXT: tile.release %[[VR]] at %[[N]]
// CHECK: }
// CHECK-NEXT: %[[ALL:.*]] = arith.subi %[[HIGH]], %[[LOW]]
// CHECK-NEXT: %[[STEPS:.*]] = arith.index_cast %[[ALL]]
// CHECK-NEXT: tile.release %[[QR]] at %[[BEFORE]]
// CHECK: scf.for
// CHECK:   arith.addi %{{.*}}, %[[SECOND]]
// CHECK:   tile.read %[[AGAIN]]
// CHECK: tile.yield %[[STEPS]], %{{.*}} : i32, i32
// CHECK-NOT: tile.load
gpu.module @kernels {
  gpu.func @kernel(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %v: !m {attn.role = #attn.role<value>}, %o: !m, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <stages = 3, task_stages = 2, persistent, eager>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %high = arith.index_cast %task : i32 to index
      %qt = tile.load %q[%high] : !m -> tensor<128x64xbf16>
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
        "test.use"(%kt) : (!t) -> ()
        "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
        %vt = tile.load %v[%j] : !m -> !t
      }
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
        "test.use"(%kt) : (!t) -> ()
      }
    } : !llvm.ptr<1>
    gpu.return
  }
}

// -----

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>

// A block with one task does not release what it loads once.
// CHECK-LABEL: gpu.func @one_task(
// CHECK: %[[Q:.*]] = tile.ring : <1 x tensor<128x64xbf16>>
// CHECK: %[[K:.*]] = tile.ring : <1 x tensor<64x64xbf16>>
// CHECK: tile.read %[[Q]] at %c0_i32
// CHECK: tile.release %[[K]]
// CHECK-NOT: tile.release
gpu.module @kernels {
  gpu.func @one_task(%q: !m {attn.role = #attn.role<query>}, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %qt = tile.load %q[%c0] : !m -> tensor<128x64xbf16>
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %q[%j] : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}
