llvm.func @kernel(%task: i64) attributes {attn.kernel} {
  llvm.return
}
