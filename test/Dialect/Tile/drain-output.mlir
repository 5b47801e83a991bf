// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-make-rings,tile-drain-output)))" \
// RUN:   --split-input-file --verify-roundtrip | FileCheck %s

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>

// The queries' place takes the output, then it is free. What is stored in the loop is none; a vector has no place.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-SAME: %[[MAP:[^:]*]]: !llvm.ptr {attn.role = #attn.role<tensor_map of <out> rows 16>})
// CHECK: %[[QR:.*]] = tile.ring : <1 x tensor<128x64xbf16>>
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[N:.*]]: i32, %{{.*}}: i32):
// CHECK: tile.read %[[QR]] at %[[N]]
// CHECK: scf.for
// CHECK-NOT: tile.release %[[QR]]
// CHECK: tile.drain %{{.*}} through %[[QR]] at %[[N]] to %[[MAP]][%{{.*}}]
// CHECK-NEXT: tile.await_drain
// CHECK-NEXT: tile.release %[[QR]] at %[[N]]
// CHECK: tile.store %{{.*}} : tensor<128xf32>
// CHECK: tile.yield
gpu.module @kernels {
  gpu.func @kernel(%q: !m {attn.role = #attn.role<query>}, %o: !m {attn.role = #attn.role<out>}, %l: memref<?xf32>, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent, drain>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %sums = arith.constant dense<0.0> : tensor<128xf32>
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %high = arith.index_cast %task : i32 to index
      %qt = tile.load %q[%high] : !m -> tensor<128x64xbf16>
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %q[%j] : !m -> tensor<64x64xbf16>
        "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
      }
      %out = arith.constant dense<0.0> : tensor<128x64xbf16>
      tile.store %out, %o[%high] : tensor<128x64xbf16>, !m
      tile.store %sums, %l[%high] : tensor<128xf32>, memref<?xf32>
    } : !llvm.ptr<1>
    gpu.return
  }
}

// -----

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>

// With a second place the output leaves while the next task begins: its place is released before that task's loop,
// and the last one is awaited behind all tasks.
// CHECK-LABEL: gpu.func @late(
// CHECK: %[[QR:.*]] = tile.ring : <2 x tensor<128x64xbf16>>
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[N:.*]]: i32, %{{.*}}: i32):
// CHECK: %[[ANY:.*]] = arith.cmpi ne, %[[N]], %c0_i32
// CHECK: scf.if %[[ANY]] {
// CHECK:   tile.await_drain
// CHECK:   %[[BEFORE:.*]] = arith.subi %[[N]], %c1_i32
// CHECK:   tile.release %[[QR]] at %[[BEFORE]]
// CHECK: }
// CHECK: scf.for
// CHECK: tile.drain %{{.*}} through %[[QR]] at %[[N]]
// CHECK-NOT: tile.await_drain
// CHECK-NOT: tile.release %[[QR]]
// CHECK: } : <1>
// CHECK-NEXT: tile.await_drain
gpu.module @kernels {
  gpu.func @late(%q: !m {attn.role = #attn.role<query>}, %o: !m {attn.role = #attn.role<out>}, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <task_stages = 2, persistent, drain, eager>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %high = arith.index_cast %task : i32 to index
      %qt = tile.load %q[%high] : !m -> tensor<128x64xbf16>
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %q[%j] : !m -> tensor<64x64xbf16>
      }
      %out = arith.constant dense<0.0> : tensor<128x64xbf16>
      tile.store %out, %o[%high] : tensor<128x64xbf16>, !m
    } : !llvm.ptr<1>
    gpu.return
  }
}
