// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-task-numbers,tile-make-rings,tile-inspect-apart,tile-drain-output,tile-give-roles,tile-hand-on-tasks,tile-receive-again,tile-roles-to-warps,tile-place-shared,canonicalize)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>

// The producer has a loop over the block's tasks: it begins with that of the block's number, ends with a
// number that is too large, and hands each on before its copies. Whoever computes has a loop that receives
// them. All count tasks (for the tile of queries) and key tiles over all of them.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-DAG: %[[QR:.*]] = tile.ring offset 1024 barriers 0 readers 8 : <2 x tensor<128x64xbf16>>
// CHECK-DAG: %[[KR:.*]] = tile.ring offset 33792 barriers 32 readers 8 : <{{.*}} x tensor<64x64xbf16>>
// CHECK-DAG: %[[TR:.*]] = tile.ring offset 592 barriers {{.*}} readers 8 : <2 x tensor<1xi64>>
//
// CHECK: nvvm.setmaxregister increase 232
// CHECK: scf.while (%[[N0:.*]] = %c0_i32, %[[BEFORE0:.*]] = %c0_i32)
// CHECK:   %[[RECEIVED:.*]] = tile.receive [0] of %[[TR]] at %[[N0]]
// CHECK:   %[[LEFT:.*]] = arith.cmpi ult, %[[RECEIVED]], %[[COUNT:.*]] : i32
// CHECK:   scf.condition(%[[LEFT]]) %[[RECEIVED]], %[[N0]], %[[BEFORE0]]
// CHECK: } do {
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[N:.*]]: i32, %[[BEFORE:.*]]: i32):
// CHECK:   %[[BASE:.*]] = nvvm.redux.sync or %[[BEFORE]]
// CHECK:   %[[HIGH:.*]] = arith.index_cast %[[TASK]] : i32 to index
// CHECK:   tile.read %[[QR]] at %[[N]]
// CHECK:   scf.for %[[J:.*]] = %c0 to %[[HIGH]]
// CHECK:     %[[IN:.*]] = arith.index_cast %[[J]]
// CHECK:     %[[POSITION:.*]] = arith.addi %[[IN]], %[[BASE]]
// CHECK:     tile.read %[[KR]] at %[[POSITION]]
// CHECK:     tile.release %[[KR]] at %[[POSITION]]
//          The queries' place takes the output, then it is free.
// CHECK:   tile.drain %{{.*}} through %[[QR]] at %[[N]] to %{{.*}}[%[[HIGH]]]
// CHECK:   tile.await_drain
// CHECK:   tile.release %[[QR]] at %[[N]]
// CHECK:   tile.release %[[TR]] at %[[N]]
// CHECK:   %[[DONE:.*]] = arith.addi %[[N]], %c1_i32
// CHECK:   %[[STEPS:.*]] = arith.addi %[[BEFORE]], %
// CHECK:   scf.yield %[[DONE]], %[[STEPS]]
//
// CHECK: nvvm.setmaxregister decrease 40
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: %[[FIRST:.*]] = arith.index_cast %[[BLOCK]]
// CHECK: %[[ALL:.*]]:3 = scf.while (%[[T0:.*]] = %[[FIRST]], %{{.*}} = %c0_i32, %{{.*}} = %c0_i32)
// CHECK:   arith.cmpi ult, %[[T0]], %[[COUNT]] : i32
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[N:.*]]: i32, %[[BASE:.*]]: i32):
// CHECK-NOT: nvvm.redux
// CHECK:   tile.send %[[TASK]] : i32 into %[[TR]] at %[[N]]
// CHECK:   tile.fill %[[QR]] at %[[N]]
// CHECK:   scf.for
// CHECK:     tile.fill %[[KR]] at %
// CHECK:   %[[NEXT:.*]] = tile.draw_task %[[COUNT]] from %
// CHECK:   scf.yield %[[NEXT]],
// CHECK: tile.send %[[ALL]]#0 : i32 into %[[TR]] at %[[ALL]]#1
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @kernel(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %o: !m {attn.role = #attn.role<out>}, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <stages = 2, task_stages = 2, persistent, drain>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %high = arith.index_cast %task : i32 to index
      %qt = tile.load %q[%high] : !m -> tensor<128x64xbf16>
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
        "test.use"(%kt) : (!t) -> ()
      }
      "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
      %out = arith.constant dense<0.0> : tensor<128x64xbf16>
      tile.store %out, %o[%high] : tensor<128x64xbf16>, !m
    } : !llvm.ptr<1>
    gpu.return
  }
}

// What is loaded and not read is released all the same.
// CHECK-LABEL: gpu.func @unread(
// CHECK: tile.ring offset 1024
// CHECK: %[[UNREAD:.*]] = tile.ring offset 17408
// CHECK: tile.receive [0]
// CHECK: scf.for
// CHECK: tile.release %[[UNREAD]]
gpu.module @unread_kernels {
  gpu.func @unread(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %o: !m {attn.role = #attn.role<out>}, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %high = arith.index_cast %task : i32 to index
      %qt = tile.load %q[%high] : !m -> tensor<128x64xbf16>
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
      }
      "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
      %out = arith.constant dense<0.0> : tensor<128x64xbf16>
      tile.store %out, %o[%high] : tensor<128x64xbf16>, !m
    } : !llvm.ptr<1>
    gpu.return
  }
}
