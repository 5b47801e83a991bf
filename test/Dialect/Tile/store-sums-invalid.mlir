// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-store-sums)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule with producers}}
  gpu.func @no_producers() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} {
    gpu.return
  }
}

// -----

#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>, pipeline = <stages = 2>>
gpu.module @kernels {
  gpu.func @no_step(%t: tensor<64x64xf32>, %m: memref<?x8x128x4xf32>, %i: index) kernel attributes {attn.schedule = #s} {
    // expected-error @+1 {{expects a step that reads tiles from rings before it}}
    tile.reduce_add %t, %m[%i] : tensor<64x64xf32>, memref<?x8x128x4xf32>
    gpu.return
  }
}
