// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(tensor-maps-to-nvvm))" | FileCheck %s

// The last parameters, as many as there are maps; functions without maps stay.
gpu.module @kernels {
  // CHECK: llvm.func @kernel(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
  llvm.func @kernel(%a: !llvm.ptr, %q: !llvm.ptr, %k: !llvm.ptr)
      attributes {nvvm.kernel, tile.tensor_maps = array<i64: 0, 128, 1, 64>} {
    llvm.return
  }
  // CHECK: llvm.func @other(%{{.*}}: !llvm.ptr)
  llvm.func @other(%a: !llvm.ptr) attributes {nvvm.kernel} {
    llvm.return
  }
}
