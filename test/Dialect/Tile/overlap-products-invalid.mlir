// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-overlap-products)))" \
// RUN:   --split-input-file --verify-diagnostics

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
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
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
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

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
!h = tensor<64x64xbf16>
!hs = tensor<64x64xbf16, #tile.slot>
!f = tensor<64x64xf32>
!r = !tile.ring<2 x tensor<64x64xbf16>>
gpu.module @kernels {
  gpu.func @scores_read_late(%q: !h, %k: !r, %v: !r, %n: index, %p: i32, %zero: !f) attributes {attn.schedule = #schedule} {
    %c1 = arith.constant 1 : index
    %r = scf.for %j = %c1 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %kt = tile.read %k at %p : !r -> !hs
      %s = linalg.contract indexing_maps = [#a, #b, #c] ins(%q, %kt : !h, !hs) outs(%zero : !f) -> !f
      %vt = tile.read %v at %p : !r -> !hs
      // expected-error @+1 {{'linalg.contract' op expects scores and keys to be read before the product of the step}}
      %o = linalg.contract indexing_maps = [#a, #b, #c] ins(%q, %vt : !h, !hs) outs(%s : !f) -> !f
      scf.yield %o : !f
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
#ij = affine_map<(i, j) -> (i, j)>
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
!h = tensor<64x64xbf16>
!hs = tensor<64x64xbf16, #tile.slot>
!f = tensor<64x64xf32>
!r = !tile.ring<2 x tensor<64x64xbf16>>
gpu.module @kernels {
  // What the product is added to waits for the values, too.
  gpu.func @sum_of_values(%q: !h, %k: !r, %v: !r, %n: index, %p: i32, %zero: !f) attributes {attn.schedule = #schedule} {
    %c1 = arith.constant 1 : index
    %r = scf.for %j = %c1 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %kt = tile.read %k at %p : !r -> !hs
      %s = linalg.contract indexing_maps = [#a, #b, #c] ins(%q, %kt : !h, !hs) outs(%zero : !f) -> !f
      %vt = tile.read %v at %p : !r -> !hs
      %start = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%vt : !hs) outs(%acc : !f) {
      ^bb0(%x: bf16, %y: f32):
        %z = arith.extf %x : bf16 to f32
        linalg.yield %z : f32
      } -> !f
      // expected-error @+1 {{'linalg.contract' op expects to add to what the step makes before it}}
      %o = linalg.contract indexing_maps = [#a, #b, #c] ins(%q, %vt : !h, !hs) outs(%start : !f) -> !f
      scf.yield %o : !f
    }
    gpu.return
  }
}
