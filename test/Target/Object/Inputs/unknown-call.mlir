llvm.func @frobnicate(i64)
llvm.func @kernel(%task: i64)
    attributes {attn.kernel, attn.signature = #attn.signature<[<task>], [index]>, attn.task_count = @kernel_tasks} {
  llvm.call @frobnicate(%task) : (i64) -> ()
  llvm.return
}
llvm.func @_mlir_ciface_kernel(%task: i64) {
  llvm.call @kernel(%task) : (i64) -> ()
  llvm.return
}
llvm.func @_mlir_ciface_kernel_tasks() -> i64 {
  %one = llvm.mlir.constant(1 : i64) : i64
  llvm.return %one : i64
}
