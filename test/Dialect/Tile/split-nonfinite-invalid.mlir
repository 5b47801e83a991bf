// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-split-nonfinite)))" \
// RUN:   --split-input-file --verify-diagnostics

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @other_branch(%p: !h, %v: !h, %acc: !f, %dirty: i1) {
    %r = scf.if %dirty -> !f {
      // expected-error @+1 {{'linalg.contract' op expects the same product, not zero-safe, in the other branch}}
      %x = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
        ins(%p, %v : !h, !h) outs(%acc : !f) -> !f
      scf.yield %x : !f
    } else {
      scf.yield %acc : !f
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @not_shared(%p: !h, %v: !h, %acc: !f, %dirty: i1) {
    %r = scf.if %dirty -> !f {
      // expected-error @+1 {{'linalg.contract' op expects its values in shared memory}}
      %x = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
        ins(%p, %v : !h, !h) outs(%acc : !f) -> !f
      scf.yield %x : !f
    } else {
      %x = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%p, %v : !h, !h) outs(%acc : !f) -> !f
      scf.yield %x : !f
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @no_other_branch(%p: !h, %v: !h, %acc: !f, %dirty: i1) {
    // expected-error @+1 {{'scf.if' op expects a product in both branches}}
    scf.if %dirty {
      %x = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
        ins(%p, %v : !h, !h) outs(%acc : !f) -> !f
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @both_safe(%p: !h, %v: !h, %acc: !f, %dirty: i1) {
    %r = scf.if %dirty -> !f {
      // expected-error @+1 {{'linalg.contract' op expects the same product, not zero-safe, in the other branch}}
      %x = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
        ins(%p, %v : !h, !h) outs(%acc : !f) -> !f
      scf.yield %x : !f
    } else {
      %x = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
        ins(%p, %v : !h, !h) outs(%acc : !f) -> !f
      scf.yield %x : !f
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  // The product is made and not used.
  gpu.func @not_yielded(%p: !h, %v: !h, %acc: !f, %dirty: i1) {
    // expected-error @+1 {{'scf.if' op expects a product in both branches}}
    %r = scf.if %dirty -> !f {
      %x = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
        ins(%p, %v : !h, !h) outs(%acc : !f) -> !f
      scf.yield %acc : !f
    } else {
      %x = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%p, %v : !h, !h) outs(%acc : !f) -> !f
      scf.yield %x : !f
    }
    gpu.return
  }
}
