// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-keep-maximum)))" --verify-diagnostics --allow-unregistered-dialect

#row = affine_map<(i) -> (i)>
!r = tensor<64xf32>

gpu.module @kernels {
  gpu.func @not_the_old_one(%s: tensor<64x32xf32>, %old: !r, %other: !r) {
    %empty = tensor.empty() : !r
    %max = linalg.reduce { arith.maxnumf } ins(%s : tensor<64x32xf32>) outs(%other : !r) dimensions = [1]
    // expected-error @+1 {{expects a maximum that nothing else uses, which starts at the old one, and the old one}}
    %new = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
        ins(%max, %old : !r, !r) outs(%empty : !r) attrs = {tile.slack = 5.5 : f32} {
    ^bb0(%x: f32, %y: f32, %e: f32):
      linalg.yield %x : f32
    } -> !r
    "test.use"(%new) : (!r) -> ()
    gpu.return
  }
}

// The slack is a number of the scores' type, f32.
!h = tensor<64xf16>
gpu.module @slack {
  gpu.func @other_scores(%s: tensor<64x32xf16>, %old: !h) {
    %empty = tensor.empty() : !h
    %max = linalg.reduce { arith.maxnumf } ins(%s : tensor<64x32xf16>) outs(%old : !h) dimensions = [1]
    // expected-error @+1 {{expects a maximum that nothing else uses, which starts at the old one, and the old one}}
    %new = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
        ins(%max, %old : !h, !h) outs(%empty : !h) attrs = {tile.slack = 5.5 : f32} {
    ^bb0(%x: f16, %y: f16, %e: f16):
      linalg.yield %x : f16
    } -> !h
    "test.use"(%new) : (!h) -> ()
    gpu.return
  }
}
