// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-hand-on-tasks)))" --verify-diagnostics

gpu.module @kernels {
  gpu.func @uncounted(%count: i32, %counter: !llvm.ptr<1>) kernel {
    tile.roles compute {
    } produce {
      // expected-error @+1 {{'tile.tasks' op expects a body that is told how many tasks came before: run tile-make-rings first}}
      tile.tasks %count from %counter {
      ^bb0(%task: i32):
      } : !llvm.ptr<1>
    }
    gpu.return
  }
}
