// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-task-numbers,tile-make-rings,tile-inspect-apart,tile-drain-output,tile-give-roles,tile-hand-on-tasks,tile-receive-again,tile-roles-to-warps,tile-place-shared,canonicalize)))" | FileCheck %s

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>

// Values have a place more than keys. The output leaves while the next task begins: its place is
// released before that task's loop, and the last one is awaited behind all tasks.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-DAG: %[[QR:.*]] = tile.ring offset 1024 {{.*}} : <2 x tensor<128x64xbf16>>
// CHECK-DAG: %[[KR:.*]] = tile.ring offset 33792 {{.*}} : <2 x tensor<64x64xbf16>>
// CHECK-DAG: %[[VR:.*]] = tile.ring offset 50176 {{.*}} : <3 x tensor<64x64xbf16>>
// CHECK: scf.while
// CHECK:   tile.receive [0]
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[N:.*]]: i32, %{{.*}}: i32):
// CHECK:   tile.read %[[QR]] at %[[N]]
// CHECK:   %[[ANY:.*]] = arith.cmpi ne, %[[N]], %c0_i32
// CHECK:   scf.if %[[ANY]] {
// CHECK:     tile.await_drain
// CHECK:     %[[BEFORE:.*]] = arith.subi %[[N]], %c1_i32
// CHECK:     tile.release %[[QR]] at %[[BEFORE]]
// CHECK:   }
// CHECK:   scf.for
// CHECK:   tile.drain %{{.*}} through %[[QR]] at %[[N]]
// CHECK-NOT: tile.await_drain
// CHECK-NOT: tile.release %[[QR]]
// CHECK:   scf.yield
// CHECK: tile.await_drain
//
// The keys of a step are copied before the values of the step before.
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[N:.*]]: i32, %[[BASE:.*]]: i32):
// CHECK:   tile.fill %[[QR]] at %[[N]]
// CHECK:   scf.if
// CHECK:     tile.fill %[[KR]] at %[[BASE]]
// CHECK:   scf.for %[[J:.*]] = %c0 to
// CHECK:     %[[NEXT:.*]] = arith.addi %[[J]], %c1
// CHECK:     scf.if
// CHECK:       tile.fill %[[KR]] at %{{.*}} from %{{.*}}[%[[NEXT]]]
// CHECK:     tile.fill %[[VR]] at %{{.*}} from %{{.*}}[%[[J]]]
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @kernel(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %v: !m {attn.role = #attn.role<value>}, %o: !m {attn.role = #attn.role<out>}, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <stages = 2, task_stages = 2, persistent, drain, eager>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %high = arith.index_cast %task : i32 to index
      %qt = tile.load %q[%high] : !m -> tensor<128x64xbf16>
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
        %vt = tile.load %v[%j] : !m -> !t
        "test.use"(%kt) : (!t) -> ()
        "test.use"(%vt) : (!t) -> ()
      }
      "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
      %out = arith.constant dense<0.0> : tensor<128x64xbf16>
      tile.store %out, %o[%high] : tensor<128x64xbf16>, !m
    } : !llvm.ptr<1>
    gpu.return
  }
}
