// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(tensor-maps-to-nvvm))" | FileCheck %s

// Parameters that the signature says are maps, wherever they are: memory before them is several arguments.
gpu.module @kernels {
  // CHECK: llvm.func @kernel(%{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
  llvm.func @kernel(%qm: !llvm.ptr, %a: !llvm.ptr, %b: !llvm.ptr, %c: i64, %d: i64, %e: i64, %km: !llvm.ptr)
      attributes {nvvm.kernel, attn.signature = #attn.signature<
        [<tensor_map of <query> rows 128>, <capture number 1>, <tensor_map of <key> rows 64>],
        [!llvm.ptr, memref<?xf32>, !llvm.ptr]>} {
    llvm.return
  }
  // CHECK: llvm.func @other(%{{.*}}: !llvm.ptr)
  llvm.func @other(%a: !llvm.ptr) attributes {nvvm.kernel} {
    llvm.return
  }
}
