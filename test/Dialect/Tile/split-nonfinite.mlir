// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-split-nonfinite)))" \
// RUN:   --verify-roundtrip | FileCheck %s

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!shared = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!hp = tensor<16x16xbf16, #tile.padded<24>>
!f = tensor<16x16xf32>

// One product is left, after the branch; where values are not finite, what they make
// is added first, and then they count as zero.
// CHECK-LABEL: gpu.func @split(
// CHECK-SAME: %[[M:.*]]: memref<16x24xbf16, {{.*}}>, %[[P:.*]]: tensor<16x16xbf16>, %[[ACC:.*]]: tensor<16x16xf32>, %[[DIRTY:.*]]: i1)
// CHECK: %[[V:.*]] = tile.view %[[M]]
// CHECK: %[[INIT:.*]] = scf.if %[[DIRTY]] -> (tensor<16x16xf32>) {
// CHECK:   %[[X:.*]] = tile.add_nonfinite %[[P]], %[[V]], %[[ACC]]
// CHECK:   tile.clear_nonfinite %[[V]]
// CHECK:   scf.yield %[[X]]
// CHECK: } else {
// CHECK:   scf.yield %[[ACC]]
// CHECK: }
// CHECK: linalg.contract
// CHECK-NOT: tile.zero_safe
// CHECK-SAME: ins(%[[P]], %[[V]] : {{.*}}) outs(%[[INIT]] : tensor<16x16xf32>)
// CHECK-NOT: linalg.contract
gpu.module @kernels {
  gpu.func @split(%m: !shared, %p: !h, %acc: !f, %dirty: i1) {
    %v = tile.view %m : !shared -> !hp
    %r = scf.if %dirty -> !f {
      %x = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
        ins(%p, %v : !h, !hp) outs(%acc : !f) -> !f
      scf.yield %x : !f
    } else {
      %x = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%p, %v : !h, !hp) outs(%acc : !f) -> !f
      scf.yield %x : !f
    }
    gpu.return
  }
}
