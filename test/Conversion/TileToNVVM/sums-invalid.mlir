// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm)))" \
// RUN:   --split-input-file --verify-diagnostics

#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>
gpu.module @kernels {
  gpu.func @reduce(%m: memref<?x8x128x4xf32>, %i: index) kernel attributes {attn.schedule = #s} {
    %t = arith.constant dense<0.0> : tensor<128x64xf32>
    // expected-error @+1 {{'tile.reduce_add' op expects warps with roles, one of which adds to memory: run tile-store-sums first}}
    tile.reduce_add %t, %m[%i] : tensor<128x64xf32>, memref<?x8x128x4xf32>
    gpu.return
  }
}

// -----

#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>
gpu.module @kernels {
  // Groups have rows of it, and none a share of its columns.
  gpu.func @store_groups(%m: memref<?x128xf32>, %i: index) kernel attributes {attn.schedule = #s} {
    %t = arith.constant dense<0.0> : tensor<64x128xf32, #tile.column_groups>
    // expected-error @+1 {{'tile.store' op expects a matrix whose rows are dealt to groups, got 'tensor<64x128xf32, #tile.column_groups>'}}
    tile.store %t, %m[%i] : tensor<64x128xf32, #tile.column_groups>, memref<?x128xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_groups() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    // expected-error @+1 {{'arith.constant' op expects tiles in registers}}
    %t = arith.constant dense<0.0> : tensor<64x128xf32, #tile.column_groups>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Two warps are no group.
  gpu.func @held(%m: memref<?x8x128x4xf32>, %i: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 2>>} {
    // expected-error @+1 {{'tile.load' op expects groups of four warps with 64 rows each}}
    %t = tile.load %m[%i] held : memref<?x8x128x4xf32> -> tensor<64x64xf32>
    gpu.return
  }
}

// -----

#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>
!rk = !tile.ring<1 x tensor<128x128xbf16>>
gpu.module @kernels {
  // What is turned has to be in shared memory.
  gpu.func @turned(%n: i32) kernel attributes {attn.schedule = #s} {
    %kr = tile.ring offset 1024 barriers 0 readers 8 : !rk
    %k = tile.read %kr at %n : !rk -> tensor<128x128xbf16>
    %ds = arith.constant dense<1.0> : tensor<128x64xbf16>
    %zero = arith.constant dense<0.0> : tensor<64x128xf32, #tile.column_groups>
    // expected-error @+1 {{expects a left operand whose columns are rows of the result in a ring}}
    %dq = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%ds, %k : tensor<128x64xbf16>, tensor<128x128xbf16>)
      outs(%zero : tensor<64x128xf32, #tile.column_groups>) -> tensor<64x128xf32, #tile.column_groups>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @share(%n: i32) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %r = tile.ring offset 1024 : !tile.ring<2 x tensor<64x64xbf16>>
    %t = arith.constant dense<1.0> : tensor<64x64xbf16>
    // expected-error @+1 {{'tile.share' op expects a schedule with producers}}
    %s = tile.share %t into %r at %n : tensor<64x64xbf16>, !tile.ring<2 x tensor<64x64xbf16>>
    gpu.return
  }
}
