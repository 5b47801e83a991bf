// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-place-shared)))" \
// RUN:   --split-input-file --verify-diagnostics

// 32 stages have barriers.
gpu.module @kernels {
  gpu.func @barriers() kernel {
    %a = tile.ring readers 8 : !tile.ring<31 x tensor<8x64xbf16>>
    // expected-error @+1 {{'tile.ring' op expects at most 16 bytes of barriers, got 32}}
    %b = tile.ring readers 8 : !tile.ring<2 x tensor<8x64xbf16>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @numbers() kernel {
    // expected-error @+1 {{'tile.ring' op expects at most 424 bytes of numbers, got 432}}
    %a = tile.ring readers 8 : !tile.ring<2 x tensor<27xi64>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @answers(%t: tensor<64x64xbf16, #tile.slot>, %n: i32, %answer: i1) kernel {
    // expected-error @+1 {{'tile.ring' op expects at most 80 bytes of numbers about tiles, got 88}}
    %a = tile.ring readers 8 : !tile.ring<11 x tensor<1xi64>>
    tile.send %answer : i1 about %t : tensor<64x64xbf16, #tile.slot> into %a at %n : !tile.ring<11 x tensor<1xi64>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dynamic(%n: index) kernel {
    // expected-error @+1 {{'memref.alloc' op expects shared memory of static shape, got 'memref<?xf32, #gpu.address_space<workgroup>>'}}
    %a = memref.alloc(%n) : memref<?xf32, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @both() kernel {
    %a = tile.ring readers 8 : !tile.ring<1 x tensor<8x64xbf16>>
    // expected-error @+1 {{'memref.alloc' op expects shared memory for rings or for buffers, not for both}}
    %b = memref.alloc() : memref<64xf32, #gpu.address_space<workgroup>>
    gpu.return
  }
}
