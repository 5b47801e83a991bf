// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-retry-nonfinite)))" \
// RUN:   --split-input-file --verify-diagnostics

!h = tensor<16x16xbf16>
gpu.module @kernels {
  gpu.func @outside(%v: !h) {
    // expected-error @+1 {{'tile.has_nonfinite' op expects to be in the kernel's one loop over tiles}}
    %dirty = tile.has_nonfinite %v : !h
    gpu.return
  }
}

// -----

!h = tensor<16x16xbf16>
!row = tensor<16xf32>
gpu.module @kernels {
  gpu.func @no_matrix(%v: !h, %l0: !row, %n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{'scf.for' op expects a matrix among the loop's results}}
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%l = %l0) -> !row {
      %dirty = tile.has_nonfinite %v : !h
      scf.yield %l : !row
    }
    gpu.return
  }
}

// -----

!memory = memref<?x16xbf16, strided<[?, 1], offset: ?>>
!shared = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!hp = tensor<16x16xbf16, #tile.padded<24>>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @used_behind(%m: !memory, %v: !shared, %n: index, %o0: !f) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.copy %m[%c0] to %v {async} : !memory to !shared
    %first = tile.view %v : !shared -> !hp
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%o = %o0) -> !f {
      %vt = tile.view %v : !shared -> !hp
      %dirty = tile.has_nonfinite %vt : !hp
      tile.copy %m[%j] to %v {async} : !memory to !shared
      scf.yield %o : !f
    }
    // expected-error @+1 {{'use' op uses what is loaded with the tiles of the loop}}
    "use"(%first) : (!hp) -> ()
    gpu.return
  }
}
