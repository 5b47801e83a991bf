gpu.module @kernels [#nvvm.target<chip = "sm_80">] {
  llvm.func @kernel(%a: i64) attributes {nvvm.kernel, gpu.kernel, gpu.known_block_size = array<i32: 32, 1, 1>,
      attn.signature = #attn.signature<[<query_count>, <key_count>], [index, index]>} {
    llvm.return
  }
}
