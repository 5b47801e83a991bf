// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-task-numbers,tile-make-rings,tile-inspect-apart,tile-drain-output,tile-give-roles,tile-hand-on-tasks,tile-receive-again,tile-roles-to-warps,tile-place-shared,canonicalize)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>

// A ring for each load, behind the barriers, and a tensor map for each memory; both
// loads of the loop share one, as their boxes are alike.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-SAME: %[[Q:[^:]*]]: memref<{{[^%]*}}%[[K:[^:]*]]: memref<{{[^%]*}}%[[LIST:[^:]*]]: memref<?xi32>, %[[N:[^:]*]]: index,
// CHECK-SAME: %[[QMAP:[^:]*]]: !llvm.ptr {attn.role = #attn.role<tensor_map of <query> rows 128>},
// CHECK-SAME: %[[KMAP:[^:]*]]: !llvm.ptr {attn.role = #attn.role<tensor_map of <key> rows 64>})
// CHECK-SAME: attn.shared_bytes = 34816 : i64
// CHECK-SAME: nvvm.minctasm = 1 : i32
// CHECK-DAG: %[[QR:.*]] = tile.ring offset 1024 barriers 0 readers 8 : <1 x tensor<128x64xbf16>>
// CHECK-DAG: %[[AR:.*]] = tile.ring offset 17408 barriers 16 readers 8 : <{{.*}} x tensor<64x64xbf16>>
// CHECK-DAG: %[[BR:.*]] = tile.ring offset {{.*}} readers 8 : <{{.*}} x tensor<64x64xbf16>>
// CHECK: nvvm.fence.mbarrier.init
// CHECK-NEXT: gpu.barrier
//
// Those that compute: the first 256 threads.
// CHECK: %[[COMPUTES:.*]] = arith.cmpi ult, %{{.*}}, %c256_i32 : i32
// CHECK: scf.if %[[COMPUTES]] {
// CHECK: nvvm.setmaxregister increase 232
// CHECK: %[[QT:.*]] = tile.read %[[QR]] at %c0_i32
// CHECK: scf.for %[[J:.*]] = %c1 to %[[N]] step %c1 {
// CHECK:   %[[BEFORE:.*]] = arith.subi %[[J]], %c1 : index
// CHECK:   %[[POSITION:.*]] = arith.index_cast %[[BEFORE]] : index to i32
// CHECK:   %[[A:.*]] = tile.read %[[AR]] at %[[POSITION]]
// CHECK:   "test.use"(%[[A]])
// CHECK:   tile.release %[[AR]] at %[[POSITION]]
// CHECK:   "test.use"(%[[QT]])
// CHECK:   %[[B:.*]] = tile.read %[[BR]] at %[[POSITION]]
// CHECK:   "test.use"(%[[B]])
// CHECK:   "test.use"(%[[B]])
// CHECK:   tile.release %[[BR]] at %[[POSITION]]
// CHECK: }
//
// The one that copies: it reads the same list.
// CHECK: } else {
// CHECK: nvvm.setmaxregister decrease 40
// CHECK: %[[ONE:.*]] = arith.cmpi eq, %{{.*}}, %c256_i32 : i32
// CHECK: scf.if %[[ONE]] {
// CHECK:   tile.fill %[[QR]] at %c0_i32 from %[[QMAP]][%c0]
// CHECK:   scf.for %[[I:.*]] = %c1 to %[[N]] step %c1 {
// CHECK-NOT: test.use
// CHECK:     %[[ENTRY:.*]] = memref.load %[[LIST]][%[[I]]]
// CHECK:     %[[TILE:.*]] = arith.index_cast %[[ENTRY]]
// CHECK:     %[[ROW:.*]] = arith.muli %[[TILE]], %c64 : index
// CHECK:     tile.fill %[[AR]] at %{{.*}} from %[[KMAP]][%[[ROW]]]
// CHECK:     tile.fill %[[BR]] at %{{.*}} from %[[KMAP]][%[[ROW]]]
// CHECK-NOT: test.use
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @kernel(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %list: memref<?xi32>, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %qt = tile.load %q[%c0] : !m -> tensor<128x64xbf16>
    scf.for %j = %c1 to %n step %c1 {
      %entry = memref.load %list[%j] : memref<?xi32>
      %tile = arith.index_cast %entry : i32 to index
      %row = arith.muli %tile, %c64 : index
      %a = tile.load %k[%row] : !m -> !t
      "test.use"(%a) : (!t) -> ()
      "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
      %b = tile.load %k[%row] : !m -> !t
      "test.use"(%b) : (!t) -> ()
      "test.use"(%b) : (!t) -> ()
    }
    gpu.return
  }
}
