// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-stage-loads)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule}}
  gpu.func @no_schedule() kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a loop with tile loads}}
  gpu.func @no_loop() kernel attributes {attn.schedule = #attn.schedule<q = 64, kv = 64>} {
    gpu.return
  }
}

// -----

!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
gpu.module @kernels {
  gpu.func @one_load(%k: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<q = 64, kv = 64>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{'scf.for' op expects at least two tile loads}}
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !memory -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
gpu.module @kernels {
  gpu.func @two_loops(%k: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<q = 64, kv = 64>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !memory -> tensor<64x64xbf16>
    }
    // expected-error @+1 {{'scf.for' op expects one loop with tile loads}}
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !memory -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule of 1 stage, got 2}}
  gpu.func @two_stages() kernel attributes {attn.schedule = #attn.schedule<q = 64, kv = 64, stages = 2>} {
    gpu.return
  }
}
