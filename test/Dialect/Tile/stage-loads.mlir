// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-stage-loads)))" \
// RUN:   --verify-roundtrip | FileCheck %s

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!f = tensor<64x64xf32>
!h = tensor<64x64xbf16>

gpu.module @kernels {
  // Three buffers of 64 rows, each row padded by 16 bytes.
  // CHECK-LABEL: gpu.func @ring(
  // CHECK-SAME: %[[Q:.*]]: memref<?x64xbf16, {{.*}}>, %[[K:.*]]: memref<?x64xbf16, {{.*}}>, %[[V:.*]]: memref<?x64xbf16, {{.*}}>, %[[N:.*]]: index)
  // CHECK: %[[BQ:.*]] = memref.alloc() : memref<64x72xbf16, #gpu.address_space<workgroup>>
  // CHECK: %[[BK:.*]] = memref.alloc() : memref<64x72xbf16, #gpu.address_space<workgroup>>
  // CHECK: %[[BV:.*]] = memref.alloc() : memref<64x72xbf16, #gpu.address_space<workgroup>>
  // Before the loop: the query tile and the first key tile.
  // CHECK: tile.copy %[[Q]][%{{.*}}] to %[[BQ]] {async}
  // CHECK: %[[FIRST:.*]] = arith.muli %{{.*}}, %c64
  // CHECK: tile.copy %[[K]][%[[FIRST]]] to %[[BK]] {async}
  // CHECK: nvvm.cp.async.commit.group
  // CHECK: nvvm.cp.async.wait.group 0
  // CHECK: gpu.barrier
  // CHECK: %[[QT:.*]] = tile.view %[[BQ]]
  // CHECK: scf.for %[[J:.*]] = %{{.*}} to %[[N]] step %c1
  // While the first product is computed, the values are on their way.
  // CHECK:   nvvm.cp.async.wait.group 0
  // CHECK:   gpu.barrier
  // CHECK:   %[[AT:.*]] = arith.muli %[[J]], %c64
  // CHECK:   tile.copy %[[V]][%[[AT]]] to %[[BV]] {async}
  // CHECK:   nvvm.cp.async.commit.group
  // CHECK:   %[[KT:.*]] = tile.view %[[BK]]
  // CHECK:   %[[S:.*]] = linalg.contract {{.*}} ins(%[[QT]], %[[KT]]
  // While the second is, the next keys are, if there are any.
  // CHECK:   nvvm.cp.async.wait.group 0
  // CHECK:   gpu.barrier
  // CHECK:   %[[NEXT:.*]] = arith.addi %[[J]], %c1
  // CHECK:   %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[N]]
  // CHECK:   scf.if %[[MORE]] {
  // CHECK:     %[[THERE:.*]] = arith.muli %[[NEXT]], %c64
  // CHECK:     tile.copy %[[K]][%[[THERE]]] to %[[BK]] {async}
  // CHECK:   }
  // CHECK:   nvvm.cp.async.commit.group
  // CHECK:   %[[VT:.*]] = tile.view %[[BV]]
  // CHECK:   linalg.contract {{.*}} ins(%{{.*}}, %[[VT]]
  // CHECK-NOT: tile.load
  gpu.func @ring(%q: !memory, %k: !memory, %v: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<q = 64, kv = 64, warps = 4>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant dense<0.0> : !f
    %qt = tile.load %q[%c0] : !memory -> !h
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %at = arith.muli %j, %c64 : index
      %kt = tile.load %k[%at] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%qt, %kt : !h, !h) outs(%zero : !f) -> !f
      %vt = tile.load %v[%at] : !memory -> !h
      %o = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%s, %vt : !f, !h) outs(%acc : !f) -> !f
      scf.yield %o : !f
    }
    gpu.return
  }

  // Rows at any address are copied element by element, not asynchronously.
  // CHECK-LABEL: gpu.func @unaligned(
  // CHECK: tile.copy
  // CHECK-NOT: {async}
  gpu.func @unaligned(%k: !memory, %v: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<q = 64, kv = 64, warps = 4, aligned = false>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %kt = tile.load %k[%j] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
      %vt = tile.load %v[%j] : !memory -> !h
      %o = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%s, %vt : !f, !h) outs(%acc : !f) -> !f
      scf.yield %o : !f
    }
    gpu.return
  }

  // What is not a kernel is left alone.
  // CHECK-LABEL: gpu.func @helper(
  // CHECK: tile.load
  gpu.func @helper(%k: !memory) {
    %c0 = arith.constant 0 : index
    %kt = tile.load %k[%c0] : !memory -> !h
    gpu.return
  }
}
