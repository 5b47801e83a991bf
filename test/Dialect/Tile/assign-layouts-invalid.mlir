// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-assign-layouts)))" \
// RUN:   --split-input-file --verify-diagnostics

#ij = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
!s = tensor<32x32xf32>
gpu.module @kernels {
  gpu.func @constant(%s: !s, %empty: !s) {
    // expected-error @+1 {{expects a vector of columns to be loaded, or made of such}}
    %v = arith.constant dense<1.0> : tensor<32xf32>
    %t = linalg.generic {indexing_maps = [#ij, #column, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s, %v : !s, tensor<32xf32>) outs(%empty : !s) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.subf %x, %y : f32
      linalg.yield %z : f32
    } -> !s
    gpu.return
  }
}

// -----

#ij = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
#i = affine_map<(i) -> (i)>
!s = tensor<32x32xf32>
gpu.module @kernels {
  // One of the vectors that it is made of.
  gpu.func @made_of_argument(%s: !s, %empty: !s,
      // expected-error @+1 {{expects a vector of columns to be loaded, or made of such}}
      %v: tensor<32xf32>) {
    %e = tensor.empty() : tensor<32xf32>
    %w = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
        ins(%v : tensor<32xf32>) outs(%e : tensor<32xf32>) {
    ^bb0(%x: f32, %unused: f32):
      %z = arith.negf %x : f32
      linalg.yield %z : f32
    } -> tensor<32xf32>
    %t = linalg.generic {indexing_maps = [#ij, #column, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s, %w : !s, tensor<32xf32>) outs(%empty : !s) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.subf %x, %y : f32
      linalg.yield %z : f32
    } -> !s
    gpu.return
  }
}

// -----

#ij = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#column = affine_map<(i, j) -> (j)>
!s = tensor<32x32xf32>
gpu.module @kernels {
  gpu.func @both(%memory: memref<?xf32>, %i: index, %s: !s, %empty: !s) {
    %v = tile.load %memory[%i] : memref<?xf32> -> tensor<32xf32>
    // expected-error @+1 {{'linalg.generic' op expects a vector of rows, got one that is read at columns too}}
    %t = linalg.generic {indexing_maps = [#ij, #row, #column, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s, %v, %v : !s, tensor<32xf32>, tensor<32xf32>) outs(%empty : !s) {
    ^bb0(%x: f32, %y: f32, %c: f32, %unused: f32):
      %d = arith.subf %x, %y : f32
      %z = arith.subf %d, %c : f32
      linalg.yield %z : f32
    } -> !s
    gpu.return
  }
}

// -----

#ij = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
!s = tensor<32x32xf32>
gpu.module @kernels {
  // A store is of rows.
  gpu.func @stored(%memory: memref<?xf32>, %i: index, %s: !s, %empty: !s) {
    %v = tile.load %memory[%i] : memref<?xf32> -> tensor<32xf32>
    %t = linalg.generic {indexing_maps = [#ij, #column, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s, %v : !s, tensor<32xf32>) outs(%empty : !s) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.subf %x, %y : f32
      linalg.yield %z : f32
    } -> !s
    // expected-error @+1 {{'tile.store' op expects a vector of rows, got one that is read at columns too}}
    tile.store %v, %memory[%i] : tensor<32xf32>, memref<?xf32>
    gpu.return
  }
}

// -----

#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
gpu.module @kernels {
  // 96 channels are no whole chunks for two groups.
  gpu.func @turned(%a: tensor<128x64xbf16>, %k: tensor<128x96xbf16>)
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>>} {
    %zero = arith.constant dense<0.0> : tensor<64x96xf32>
    // expected-error @+1 {{expects 128 rows, or 64 and 64 or a multiple of 128 columns, got 'tensor<64x96xf32>'}}
    %0 = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%a, %k : tensor<128x64xbf16>, tensor<128x96xbf16>)
      outs(%zero : tensor<64x96xf32>) -> tensor<64x96xf32>
    gpu.return
  }
}

// -----

#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
gpu.module @kernels {
  gpu.func @turned(%a: tensor<128x64xbf16>, %k: tensor<128x64xbf16>, %sum: tensor<64x64xf32>)
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>>} {
    // expected-error @+1 {{expects to start from a constant}}
    %0 = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%a, %k : tensor<128x64xbf16>, tensor<128x64xbf16>)
      outs(%sum : tensor<64x64xf32>) -> tensor<64x64xf32>
    gpu.return
  }
}

// -----

#ij = affine_map<(i, j) -> (i, j)>
#j = affine_map<(i, j) -> (j)>
gpu.module @kernels {
  // Threads hold columns in blocks of 8.
  gpu.func @cut_block(%memory: memref<?xf32>, %i: index, %s: tensor<64x12xf32>, %empty: tensor<64x12xf32>) {
    // expected-error @+1 {{expects a vector of 8 to 256 elements, a multiple of 8, to deal like columns}}
    %v = tile.load %memory[%i] : memref<?xf32> -> tensor<12xf32>
    %t = linalg.generic {indexing_maps = [#ij, #j, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s, %v : tensor<64x12xf32>, tensor<12xf32>) outs(%empty : tensor<64x12xf32>) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.subf %x, %y : f32
      linalg.yield %z : f32
    } -> tensor<64x12xf32>
    gpu.return
  }
}

// -----

#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
gpu.module @kernels {
  gpu.func @one_warp(%a: tensor<16x16xbf16>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %zero = arith.constant dense<0.0> : tensor<16x16xf32>
    // expected-error @+1 {{expects groups of four warps for columns that are rows}}
    %r = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%a, %a : tensor<16x16xbf16>, tensor<16x16xbf16>) outs(%zero : tensor<16x16xf32>) -> tensor<16x16xf32>
    gpu.return
  }
}
