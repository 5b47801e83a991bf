// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-overlap-products)))" \
// RUN:   --split-input-file --verify-diagnostics

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
#schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4>
!h = tensor<64x64xbf16>
!f = tensor<64x64xf32>
gpu.module @kernels {
  gpu.func @one(%q: !h, %n: index, %zero: !f) attributes {attn.schedule = #schedule} {
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{'scf.for' op expects two products in a step, got 1}}
    scf.for %j = %c1 to %n step %c1 {
      %s = linalg.contract indexing_maps = [#a, #b, #c] ins(%q, %q : !h, !h) outs(%zero : !f) -> !f
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
#schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4>
!h = tensor<64x64xbf16>
!f = tensor<64x64xf32>
gpu.module @kernels {
  gpu.func @no_ring(%q: !h, %n: index, %zero: !f) attributes {attn.schedule = #schedule} {
    %c1 = arith.constant 1 : index
    scf.for %j = %c1 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %s = linalg.contract indexing_maps = [#a, #b, #c] ins(%q, %q : !h, !h) outs(%zero : !f) -> !f
      // expected-error @+1 {{expects a product of tiles in rings that the loop carries}}
      %o = linalg.contract indexing_maps = [#a, #b, #c] ins(%q, %q : !h, !h) outs(%acc : !f) -> !f
      scf.yield %o : !f
    }
    gpu.return
  }
}
