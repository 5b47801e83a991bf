llvm.func @kernel(%task: i64) attributes {attn.kernel, attn.signature = #attn.signature<[<task>], [index]>} {
  llvm.return
}
