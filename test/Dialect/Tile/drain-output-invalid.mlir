// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-make-rings,tile-drain-output)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule with producers}}
  gpu.func @no_producers() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} {
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <drain>>
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

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <drain>>
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
    // expected-error @+1 {{'tile.store' op expects a query tile at least as wide as the output to 'drain' it, got 'tensor<128x64xbf16, #tile.slot>'}}
    tile.store %t, %o[%c0] : tensor<128x128xbf16>, !wide
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <drain>>
!m = memref<?x64xbf16>
gpu.module @kernels {
  gpu.func @early_output(%q: !m {attn.role = #attn.role<query>}, %o: !m {attn.role = #attn.role<out>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %qt = tile.load %q[%c0] : !m -> tensor<128x64xbf16>
    %out = arith.constant dense<0.0> : tensor<128x64xbf16>
    // expected-error @+1 {{'tile.store' op expects an output behind the last use of the query tile, to 'drain' it through its place}}
    tile.store %out, %o[%c0] : tensor<128x64xbf16>, !m
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %q[%j] : !m -> tensor<64x64xbf16>
      %x = tile.has_nonfinite %qt : tensor<128x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <drain>>
!m = memref<?x64xbf16>
!pairs = memref<?x?x64xbf16>
gpu.module @kernels {
  gpu.func @packed(%q: !m {attn.role = #attn.role<query>}, %o: !pairs {attn.role = #attn.role<out>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %t = arith.constant dense<0.0> : tensor<128x64xbf16>
    %qt = tile.load %q[%c0] : !m -> tensor<128x64xbf16>
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %q[%j] : !m -> tensor<64x64xbf16>
    }
    // expected-error @+1 {{'tile.store' op expects rows of one dimension to 'drain', got 'packed'}}
    tile.store %t, %o[%c0] packed : tensor<128x64xbf16>, !pairs
    gpu.return
  }
}
