// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  gpu.func @rows(%m: memref<?xf32>, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 32>>} {
    // expected-error @+1 {{'tile.load' op expects tiles in registers with 16 rows and a multiple of 8 columns, at most 256, got 'tensor<32xf32>'}}
    %t = tile.load %m[%i] : memref<?xf32> -> tensor<32xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // What is owned are keys.
  gpu.func @rows_of_keys(%m: memref<?xf32>, %i: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 32, owns_keys>>} {
    // expected-error @+1 {{'tile.load' op expects tiles in registers with 32 rows and a multiple of 8 columns, at most 256, got 'tensor<16xf32>'}}
    %t = tile.load %m[%i] : memref<?xf32> -> tensor<16xf32>
    gpu.return
  }
}

// -----

#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @read_at_rows(%m: memref<?xf32>, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %ones = arith.constant dense<1.0> : !f
    %v = tile.load %m[%i] : memref<?xf32> -> tensor<16xf32, #tile.columns>
    // expected-error @+1 {{'linalg.generic' op expects tiles that are read in order}}
    %t = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%ones, %v : !f, tensor<16xf32, #tile.columns>) outs(%ones : !f) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.mulf %x, %y : f32
      linalg.yield %z : f32
    } -> !f
    gpu.return
  }
}

// -----

#ij = affine_map<(i, j) -> (i, j)>
#j = affine_map<(i, j) -> (j)>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @read_at_columns(%m: memref<?xf32>, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %ones = arith.constant dense<1.0> : !f
    %v = tile.load %m[%i] : memref<?xf32> -> tensor<16xf32>
    // expected-error @+1 {{'linalg.generic' op expects tiles that are read in order}}
    %t = linalg.generic {indexing_maps = [#ij, #j, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%ones, %v : !f, tensor<16xf32>) outs(%ones : !f) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.mulf %x, %y : f32
      linalg.yield %z : f32
    } -> !f
    gpu.return
  }
}

// -----

#i = affine_map<(i) -> (i)>
gpu.module @kernels {
  gpu.func @dealt_otherwise(%m: memref<?xf32>, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %e = tensor.empty() : tensor<16xf32>
    %v = tile.load %m[%i] : memref<?xf32> -> tensor<16xf32, #tile.columns>
    // expected-error @+1 {{'linalg.generic' op expects vectors that are dealt alike, got 'tensor<16xf32, #tile.columns>' and 'tensor<16xf32>'}}
    %t = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
        ins(%v : tensor<16xf32, #tile.columns>) outs(%e : tensor<16xf32>) {
    ^bb0(%x: f32, %unused: f32):
      %z = arith.negf %x : f32
      linalg.yield %z : f32
    } -> tensor<16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @reduced(%m: memref<?xf32>, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %ones = arith.constant dense<1.0> : tensor<16x16xf32>
    %v = tile.load %m[%i] : memref<?xf32> -> tensor<16xf32, #tile.columns>
    // expected-error @+1 {{'linalg.reduce' op expects a matrix and a vector of rows, got 'tensor<16x16xf32>' and 'tensor<16xf32, #tile.columns>'}}
    %s = linalg.reduce ins(%ones : tensor<16x16xf32>) outs(%v : tensor<16xf32, #tile.columns>) dimensions = [1]
      (%x: f32, %y: f32) {
        %z = arith.addf %x, %y : f32
        linalg.yield %z : f32
      }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @pages(%m: memref<?x?x?x32xf32>, %t: memref<?x?xi32>, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 32>>} {
    // expected-error @+1 {{'tile.load' op expects a tile through a table to be copied: run tile-stage-loads first}}
    %x = tile.load %m[%i, %i, %i] through %t until %i : memref<?x?x?x32xf32>, memref<?x?xi32> -> tensor<16x32xf32>
    gpu.return
  }
}
