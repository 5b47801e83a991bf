// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-specialize-warps)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule with producers}}
  gpu.func @no_producers() kernel attributes {attn.schedule = #attn.schedule<q = 64, kv = 64>} {
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4>
gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a loop with tile loads}}
  gpu.func @no_loop() kernel attributes {attn.schedule = #schedule} {
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4>
!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
gpu.module @kernels {
  gpu.func @step(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{'scf.for' op expects a step of 1}}
    scf.for %j = %c0 to %n step %n {
      %kt = tile.load %k[%j] : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4>
!m = memref<?x64xbf16>
gpu.module @kernels {
  gpu.func @memory(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %other = memref.alloc(%n) : !m
    scf.for %j = %c0 to %n step %c1 {
      // expected-error @+1 {{'tile.load' op expects memory that is an argument with a role}}
      %kt = tile.load %other[%j] : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4>
!m = memref<?x64xbf16>
gpu.module @kernels {
  gpu.func @two_loops(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !m -> tensor<64x64xbf16>
    }
    // expected-error @+1 {{'scf.for' op expects one loop with tile loads}}
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4, drain = true>
!m = memref<?x64xbf16>
gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a query tile and an output that is an argument with a role, to 'drain' the one through the other}}
  gpu.func @no_output(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4, drain = true>
!m = memref<?x64xbf16>
!wide = memref<?x128xbf16>
gpu.module @kernels {
  gpu.func @wide_output(%q: !m {attn.role = #attn.role<query>}, %o: !wide {attn.role = #attn.role<out>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %t = arith.constant dense<0.0> : tensor<128x128xbf16>
    %qt = tile.load %q[%c0] : !m -> tensor<128x64xbf16>
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %q[%j] : !m -> tensor<64x64xbf16>
    }
    // expected-error @+1 {{'tile.store' op expects a query tile at least as wide as the output to 'drain' it, got 'tensor<128x64xbf16>'}}
    tile.store %t, %o[%c0] : tensor<128x128xbf16>, !wide
    gpu.return
  }
}
