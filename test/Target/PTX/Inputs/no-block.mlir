gpu.module @kernels [#nvvm.target<chip = "sm_80">] {
  llvm.func @kernel(%a: i64) attributes {nvvm.kernel, gpu.kernel,
      attn.signature = #attn.signature<[<query_count>], [index]>} {
    llvm.return
  }
}
