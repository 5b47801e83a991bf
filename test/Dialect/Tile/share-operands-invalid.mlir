// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-share-operands)))" \
// RUN:   --split-input-file --verify-diagnostics

#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
gpu.module @kernels {
  gpu.func @no_step(%ds: tensor<128x64xbf16>, %k: tensor<128x64xbf16>, %dq: tensor<64x64xf32>) kernel {
    // expected-error @+1 {{expects a step that reads tiles from rings before it}}
    %0 = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%ds, %k : tensor<128x64xbf16>, tensor<128x64xbf16>)
      outs(%dq : tensor<64x64xf32>) -> tensor<64x64xf32>
    gpu.return
  }
}

// -----

#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
!r = !tile.ring<1 x tensor<128x64xbf16>>
gpu.module @kernels {
  gpu.func @wide(%ds: tensor<128x64xf32>, %n: i32, %dq: tensor<64x64xf32>) kernel {
    %ring = tile.ring readers 8 : !r
    %k = tile.read %ring at %n : !r -> tensor<128x64xbf16, #tile.slot>
    // expected-error @+1 {{expects 16-bit elements to share, got 'tensor<128x64xf32>'}}
    %0 = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%ds, %k : tensor<128x64xf32>, tensor<128x64xbf16, #tile.slot>)
      outs(%dq : tensor<64x64xf32>) -> tensor<64x64xf32>
    gpu.return
  }
}
