// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-inspect-apart)))" --verify-diagnostics

!r = !tile.ring<2 x tensor<64x64xbf16>>

// What is asked in the other branch is asked where the condition is false.
gpu.module @kernels {
  gpu.func @otherwise(%n: i32, %count: index, %whole: i1) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %no = arith.constant false
    %r = tile.ring : !r
    scf.for %j = %c0 to %count step %c1 {
      %t = tile.read %r at %n : !r -> tensor<64x64xbf16, #tile.slot>
      %dirty = scf.if %whole -> i1 {
        scf.yield %no : i1
      } else {
        // expected-error @+1 {{'tile.has_nonfinite' op expects to be asked beside the tile's read, or in a branch}}
        %x = tile.has_nonfinite %t : tensor<64x64xbf16, #tile.slot>
        scf.yield %x : i1
      }
    }
    gpu.return
  }
}
