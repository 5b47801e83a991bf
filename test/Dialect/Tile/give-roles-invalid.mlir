// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-give-roles)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects one block that fills rings}}
  gpu.func @nothing() kernel {
    gpu.return
  }
}

// -----

// What the loop carries, who computes has alone.
gpu.module @kernels {
  gpu.func @carried(%map: !llvm.ptr, %count: index) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = arith.constant 0 : i32
    %r = tile.ring : !tile.ring<2 x tensor<64x64xbf16>>
    %end = scf.for %j = %c0 to %count step %c1 iter_args(%row = %c0) -> index {
      // expected-error @+1 {{'tile.fill' op expects operands that each role can compute, not what a loop carries}}
      tile.fill %r at %n from %map[%row] : !tile.ring<2 x tensor<64x64xbf16>>
      %next = arith.addi %row, %c1 : index
      scf.yield %next : index
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @branch(%map: !llvm.ptr, %n: i32, %row: index, %c: i1) kernel {
    %r = tile.ring : !tile.ring<2 x tensor<64x64xbf16>>
    // expected-error @+1 {{'scf.if' op cannot be dealt to roles, only loops can}}
    scf.if %c {
      tile.fill %r at %n from %map[%row] : !tile.ring<2 x tensor<64x64xbf16>>
    }
    gpu.return
  }
}
