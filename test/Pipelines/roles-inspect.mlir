// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-task-numbers,tile-make-rings,tile-inspect-apart,tile-drain-output,tile-give-roles,tile-hand-on-tasks,tile-receive-again,tile-roles-to-warps,tile-place-shared,canonicalize)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>

// Where values are asked about, a warp of its own answers: it reads the tiles of values and the numbers of
// tasks like the eight that compute, and looks at tiles where those would have.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-DAG: %[[KR:.*]] = tile.ring offset {{.*}} readers 8 : <1 x tensor<64x64xbf16>>
// CHECK-DAG: %[[VR:.*]] = tile.ring offset {{.*}} readers 9 : <1 x tensor<64x64xbf16>>
// CHECK-DAG: %[[TR:.*]] = tile.ring offset 592 barriers {{.*}} readers 9 : <2 x tensor<1xi64>>
// CHECK-DAG: %[[AR:.*]] = tile.ring offset 512 barriers {{.*}} readers 8 : <1 x tensor<1xi64>>
//
// CHECK: nvvm.setmaxregister increase
// CHECK: scf.for %[[J:.*]] = %c0
// CHECK:   %[[PARTIAL:.*]] = arith.cmpi sgt, %[[J]], %c1
// CHECK:   %[[V:.*]] = tile.read %[[VR]] at %[[P:.*]] :
// CHECK:   scf.if %[[PARTIAL]] -> (i1) {
// CHECK-NEXT: %[[DIRTY:.*]] = tile.receive [0] of %[[AR]] at %[[P]] about %[[V]]
// CHECK-NEXT: scf.yield %[[DIRTY]]
// CHECK-NOT: tile.has_nonfinite
//
// CHECK: nvvm.setmaxregister decrease
// CHECK: scf.if
// CHECK: tile.send
// CHECK: tile.draw_task
// CHECK: } else {
// CHECK: %[[WARP:.*]] = arith.shrui %{{.*}}, %c5_i32
// CHECK: %[[INSPECTS:.*]] = arith.cmpi eq, %[[WARP]], %c9_i32
// CHECK: scf.if %[[INSPECTS]] {
// CHECK:   scf.while
// CHECK:   tile.receive [0] of %[[TR]]
// CHECK:   scf.for %[[J:.*]] = %c0
// CHECK:     %[[V:.*]] = tile.read %[[VR]] at %[[P:.*]] :
// CHECK:     %[[PARTIAL:.*]] = arith.cmpi sgt, %[[J]], %c1
// CHECK:     %[[ANSWER:.*]] = scf.if %[[PARTIAL]] -> (i1) {
// CHECK-NEXT:  %[[FOUND:.*]] = tile.has_nonfinite %[[V]]
// CHECK-NEXT:  scf.yield %[[FOUND]]
// CHECK:     tile.send %[[ANSWER]] : i1 about %[[V]] : {{.*}} into %[[AR]] at %[[P]]
// CHECK:     tile.release %[[VR]] at %[[P]]
// CHECK:   tile.release %[[TR]]
gpu.module @kernels {
  gpu.func @kernel(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %v: !m {attn.role = #attn.role<value>}, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %false = arith.constant false
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %high = arith.index_cast %task : i32 to index
      %qt = tile.load %q[%high] : !m -> tensor<128x64xbf16>
      "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
        "test.use"(%kt) : (!t) -> ()
        %partial = arith.cmpi sgt, %j, %c1 : index
        %vt = tile.load %v[%j] : !m -> !t
        %dirty = scf.if %partial -> i1 {
          %x = tile.has_nonfinite %vt : !t
          scf.yield %x : i1
        } else {
          scf.yield %false : i1
        }
        scf.if %dirty {
          "test.use"(%vt) : (!t) -> ()
        }
      }
    } : !llvm.ptr<1>
    gpu.return
  }
}
