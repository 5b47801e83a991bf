// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-roles-to-warps)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule with producers}}
  gpu.func @no_producers() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects roles that part once, got 0}}
  gpu.func @no_roles() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>>} {
    gpu.return
  }
}
