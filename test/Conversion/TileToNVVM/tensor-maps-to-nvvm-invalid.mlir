// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(tensor-maps-to-nvvm))" --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'llvm.func' op expects 6 arguments for its signature, got 1}}
  llvm.func @few(%map: !llvm.ptr) attributes {attn.signature = #attn.signature<
      [<capture>, <tensor_map of <query> rows 128>], [memref<?xf32>, !llvm.ptr]>} {
    llvm.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{'llvm.func' op expects a pointer to a tensor map, got 'i64'}}
  llvm.func @number(%map: i64) attributes {attn.signature = #attn.signature<
      [<tensor_map of <query> rows 128>], [!llvm.ptr]>} {
    llvm.return
  }
}
