// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(tensor-maps-to-nvvm))" --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'llvm.func' op expects 2 pointers to tensor maps as its last parameters}}
  llvm.func @few(%map: !llvm.ptr) attributes {tile.tensor_maps = array<i64: 0, 64, 1, 64>} {
    llvm.return
  }
}
