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

#ij = affine_map<(i, j) -> (i, j)>
#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>
!g = tensor<64x128xf32, #tile.column_groups>
gpu.module @kernels {
  // Elementwise work is on rows.
  gpu.func @elements_of_groups() kernel attributes {attn.schedule = #s} {
    %e = tensor.empty() : !g
    // expected-error @+1 {{'linalg.generic' op expects a matrix whose rows are dealt to groups, got 'tensor<64x128xf32, #tile.column_groups>'}}
    %t = linalg.generic {indexing_maps = [#ij], iterator_types = ["parallel", "parallel"]} outs(%e : !g) {
    ^bb0(%unused: f32):
      %z = arith.constant 0.0 : f32
      linalg.yield %z : f32
    } -> !g
    gpu.return
  }
}

// -----

#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>
gpu.module @kernels {
  // Until it is brought to a ring, nobody can look at a tile.
  gpu.func @isolate(%m: memref<?x64xbf16, strided<[64, 1]>>, %i: index) kernel attributes {attn.schedule = #s} {
    %k = tile.load %m[%i] : memref<?x64xbf16, strided<[64, 1]>> -> tensor<128x64xbf16>
    // expected-error @+1 {{'tile.isolate_nonfinite' op expects a tile in a ring, got 'tensor<128x64xbf16>'}}
    %rows, %any = tile.isolate_nonfinite %k : tensor<128x64xbf16> -> tensor<128xf32>
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
    %k = tile.read %kr at %n : !rk -> tensor<128x128xbf16, #tile.slot>
    %ds = arith.constant dense<1.0> : tensor<128x64xbf16>
    %zero = arith.constant dense<0.0> : tensor<64x128xf32, #tile.column_groups>
    // expected-error @+1 {{expects a left operand whose columns are rows of the result in a ring}}
    %dq = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%ds, %k : tensor<128x64xbf16>, tensor<128x128xbf16, #tile.slot>)
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

// -----

#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>
!r = !tile.ring<1 x tensor<128x60xbf16>>
gpu.module @kernels {
  // Each thread looks at what it would hold of blocks of 8 columns.
  gpu.func @isolate_columns(%n: i32) kernel attributes {attn.schedule = #s} {
    %r = tile.ring offset 1024 barriers 0 readers 8 : !r
    %k = tile.read %r at %n : !r -> tensor<128x60xbf16, #tile.slot>
    // expected-error @+1 {{'tile.isolate_nonfinite' op expects a multiple of 8 columns, got 'tensor<128x60xbf16, #tile.slot>'}}
    %rows, %any = tile.isolate_nonfinite %k : tensor<128x60xbf16, #tile.slot> -> tensor<128xf32>
    gpu.return
  }
}
