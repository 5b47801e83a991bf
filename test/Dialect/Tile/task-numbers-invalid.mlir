// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-task-numbers)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule with producers}}
  gpu.func @no_producers() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} {
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>
gpu.module @kernels {
  gpu.func @counted(%count: i32, %counter: !llvm.ptr<1>) kernel attributes {attn.schedule = #schedule} {
    // expected-error @+1 {{'tile.tasks' op expects a body of which only the task is known}}
    tile.tasks %count from %counter {
    ^bb0(%task: i32, %before: i32):
    } : !llvm.ptr<1>
    gpu.return
  }
}
