// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  gpu.func @not_dealt(%m: memref<?x?x16xf32>, %i: index) kernel
      attributes {attn.schedule = #attn.schedule<q = 16, kv = 16>} {
    // expected-error @+1 {{'tile.load' op cannot be dealt to threads}}
    %t = tile.load %m[%i, %i] : memref<?x?x16xf32> -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @constant() kernel attributes {attn.schedule = #attn.schedule<q = 16, kv = 16>} {
    // expected-error @+1 {{'arith.constant' op expects one value for all elements of a tile}}
    %c = arith.constant dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0]> : tensor<16xf32>
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#c = affine_map<(i, j, d) -> (i, j)>
#t = affine_map<(i, j, d) -> (d, i)>
!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @maps(%m: !m) kernel attributes {attn.schedule = #attn.schedule<q = 16, kv = 16>} {
    %zero = arith.constant dense<0.0> : !f
    %v = tile.view %m : !m -> !h
    // expected-error @+1 {{'linalg.contract' op expects (i, k) x (k, j) or (i, k) x (j, k) -> (i, j)}}
    %r = linalg.contract indexing_maps = [#t, affine_map<(i, j, d) -> (d, j)>, #c]
      ins(%v, %v : !h, !h) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @zero_safe(%m: !m) kernel attributes {attn.schedule = #attn.schedule<q = 16, kv = 16>} {
    %zero = arith.constant dense<0.0> : !f
    %v = tile.view %m : !m -> !h
    // expected-error @+1 {{'linalg.contract' op expects a plain product: run tile-split-nonfinite first}}
    %r = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
      ins(%v, %v : !h, !h) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @registers(%m: !m) kernel attributes {attn.schedule = #attn.schedule<q = 16, kv = 16>} {
    %zero = arith.constant dense<0.0> : !f
    %ones = arith.constant dense<1.0> : !h
    %v = tile.view %m : !m -> !h
    // expected-error @+1 {{'linalg.contract' op expects its right operand in shared memory}}
    %r = linalg.contract indexing_maps = [#a, #b, #c]
      ins(%v, %ones : !h, !h) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @mixed(%m: !m) kernel attributes {attn.schedule = #attn.schedule<q = 16, kv = 16>} {
    %zero = arith.constant dense<0.0> : !f
    %v = tile.view %m : !m -> !h
    // expected-error @+1 {{'linalg.contract' op expects operands of one element type, got 'f32' and 'bf16'}}
    %r = linalg.contract indexing_maps = [#a, #b, #c]
      ins(%zero, %v : !f, !h) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<8x24xbf16, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @narrow(%m: !m) kernel attributes {attn.schedule = #attn.schedule<q = 16, kv = 16>} {
    %zero = arith.constant dense<0.0> : tensor<16x16xf32>
    %ones = arith.constant dense<1.0> : tensor<16x8xbf16>
    %v = tile.view %m : !m -> tensor<8x16xbf16>
    // expected-error @+1 {{'linalg.contract' op expects multiples of 16 columns and products}}
    %r = linalg.contract indexing_maps = [#a, #b, #c]
      ins(%ones, %v : tensor<16x8xbf16>, tensor<8x16xbf16>) outs(%zero : tensor<16x16xf32>) -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
gpu.module @kernels {
  gpu.func @reduction(%n: index) kernel attributes {attn.schedule = #attn.schedule<q = 16, kv = 16>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    %r = arith.constant dense<0.0> : tensor<16xf32>
    // expected-error @+1 {{'linalg.generic' op expects one result and no reduction}}
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%t : tensor<16x16xf32>) outs(%r : tensor<16xf32>) {
    ^bb0(%x: f32, %y: f32):
      %z = arith.addf %x, %y : f32
      linalg.yield %z : f32
    } -> tensor<16xf32>
    gpu.return
  }
}
