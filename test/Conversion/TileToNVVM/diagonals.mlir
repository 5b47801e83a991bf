// Elements of diagonals: made by the lanes of a warp, read from shared memory or asked of lanes.
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   --split-input-file --verify-diagnostics | FileCheck %s

#s = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>
#id = affine_map<(i, j) -> (i, j)>
#diagonals = affine_map<(i, j) -> (i - j + 15)>
gpu.module @kernels {
  // Each of two warps has 16 rows and 16 columns, 31 diagonals: one for each lane, from 15 before the warp's first row
  // on; the last lane has that of the one before. Room is for 32. A thread reads six for its eight elements: those of its
  // second row in the second eight columns lie on the diagonals of the first.
  // CHECK-LABEL: gpu.func @shared(
  // CHECK-DAG: %[[LANE:.*]] = arith.andi %{{.*}}, %c31_i32
  // CHECK-DAG: %[[ROW:.*]] = arith.muli %{{.*}}, %c16_i32
  // CHECK: %[[N:.*]] = arith.minsi %[[LANE]], %c30_i32
  // CHECK: %[[FIRST:.*]] = arith.addi %[[ROW]], %c-15_i32
  // CHECK: %[[D:.*]] = arith.addi %[[FIRST]], %[[N]]
  // CHECK: %[[AT:.*]] = arith.index_cast %[[D]] : i32 to index
  // CHECK: %[[X:.*]] = memref.load %{{.*}}[%[[AT]]]
  // CHECK: arith.muli %{{.*}}, %c128_i32
  // CHECK: nvvm.bar.warp.sync
  // CHECK: llvm.store %[[X]], %{{.*}} : f32, !llvm.ptr<3>
  // CHECK: nvvm.bar.warp.sync
  // CHECK-COUNT-6: llvm.load %{{.*}} : !llvm.ptr<3> -> f32
  // CHECK-NOT: llvm.load
  // CHECK: gpu.return
  gpu.func @shared(%m: memref<?xf32>, %out: memref<?x16xf32, strided<[?, 1], offset: ?>>, %i: index)
      kernel attributes {attn.schedule = #s} {
    %one = arith.constant dense<1.0> : tensor<32x16xf32>
    %e = tensor.empty() : tensor<32x16xf32>
    %d = tile.diagonals offset 4096 : tensor<47xf32, #tile.diagonals> {
    ^bb0(%distance: index):
      %x = memref.load %m[%distance] : memref<?xf32>
      tile.yield %x : f32
    }
    %t = linalg.generic {indexing_maps = [#id, #diagonals, #id], iterator_types = ["parallel", "parallel"]}
        ins(%one, %d : tensor<32x16xf32>, tensor<47xf32, #tile.diagonals>) outs(%e : tensor<32x16xf32>) {
    ^bb0(%in: f32, %bias: f32, %o: f32):
      %sum = arith.addf %in, %bias : f32
      linalg.yield %sum : f32
    } -> tensor<32x16xf32>
    tile.store %t, %out[%i] : tensor<32x16xf32>, memref<?x16xf32, strided<[?, 1], offset: ?>>
    gpu.return
  }

  // Lanes ask each other. With 32 columns, 47 diagonals, a lane has two: of the ten that a thread reads, two are one lane's
  // first and another's second.
  // CHECK-LABEL: gpu.func @lanes(
  // CHECK-NOT: nvvm.bar.warp.sync
  // CHECK: %[[LOW:.*]] = memref.load
  // CHECK: %[[HIGH:.*]] = memref.load
  // CHECK: %[[A:.*]] = nvvm.shfl.sync idx %c-1_i32, %[[LOW]], %[[OWN:.*]], %c31_i32
  // CHECK: %[[ISLOW:.*]] = arith.cmpi slt, %[[OWN]], %c32_i32
  // CHECK: %[[B:.*]] = nvvm.shfl.sync idx %c-1_i32, %[[HIGH]], %[[OWN]], %c31_i32
  // CHECK: arith.select %[[ISLOW]], %[[A]], %[[B]]
  // CHECK: arith.select
  // CHECK-COUNT-8: nvvm.shfl.sync idx
  // CHECK-NOT: arith.select
  // CHECK-NOT: nvvm.shfl.sync
  // CHECK: gpu.return
  gpu.func @lanes(%m: memref<?xf32>, %out: memref<?x32xf32, strided<[?, 1], offset: ?>>, %i: index)
      kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 32, kv = 32>, roles = <warps = 2>>} {
    %one = arith.constant dense<1.0> : tensor<32x32xf32>
    %e = tensor.empty() : tensor<32x32xf32>
    %d = tile.diagonals : tensor<63xf32, #tile.diagonals<lanes>> {
    ^bb0(%distance: index):
      %x = memref.load %m[%distance] : memref<?xf32>
      tile.yield %x : f32
    }
    %t = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> (i - j + 31)>, #id],
                         iterator_types = ["parallel", "parallel"]}
        ins(%one, %d : tensor<32x32xf32>, tensor<63xf32, #tile.diagonals<lanes>>) outs(%e : tensor<32x32xf32>) {
    ^bb0(%in: f32, %bias: f32, %o: f32):
      %sum = arith.addf %in, %bias : f32
      linalg.yield %sum : f32
    } -> tensor<32x32xf32>
    tile.store %t, %out[%i] : tensor<32x32xf32>, memref<?x32xf32, strided<[?, 1], offset: ?>>
    gpu.return
  }

  // Sums of diagonals: a thread of 16 x 16 elements has eight, on six diagonals, the two that it has twice added up (of
  // columns that are alike, one addition). Then
  // each lane reads the eight that others may have of its own diagonal, 0 where they have none, and adds what is there to
  // memory: all lanes together where they have one place.
  // CHECK-LABEL: gpu.func @sums(
  // CHECK: arith.addf
  // CHECK-NOT: arith.addf
  // CHECK-COUNT-6: llvm.store
  // CHECK-NOT: llvm.store
  // CHECK: nvvm.bar.warp.sync
  // CHECK: llvm.load
  // CHECK: arith.select
  // CHECK-COUNT-7: llvm.load
  // CHECK-NOT: llvm.load
  // CHECK: nvvm.match.sync any
  // CHECK: nvvm.vote.sync ballot
  // CHECK: %[[TOGETHER:.*]] = nvvm.vote.sync all
  // CHECK: scf.if %[[TOGETHER]]
  // CHECK-COUNT-5: nvvm.shfl.sync bfly
  // CHECK: } else {
  // CHECK:   scf.while
  // CHECK: memref.store
  // CHECK: gpu.return
  gpu.func @sums(%m: memref<?xf32>, %v: memref<?xf32>, %i: index)
      kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %rows = tile.load %v[%i] : memref<?xf32> -> tensor<16xf32>
    %e = tensor.empty() : tensor<16x16xf32>
    %t = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, #id], iterator_types = ["parallel", "parallel"]}
        ins(%rows : tensor<16xf32>) outs(%e : tensor<16x16xf32>) {
    ^bb0(%x: f32, %o: f32):
      linalg.yield %x : f32
    } -> tensor<16x16xf32>
    %p = tile.diagonals : tensor<31xi64, #tile.diagonals<lanes>> {
    ^bb0(%distance: index):
      %place = arith.index_cast %distance : index to i64
      tile.yield %place : i64
    }
    %s = tile.sum_diagonals %t offset 0 : tensor<16x16xf32> -> tensor<31xf32, #tile.diagonals<lanes>>
    tile.scatter_add %s at %p, %m[] : tensor<31xf32, #tile.diagonals<lanes>>, tensor<31xi64, #tile.diagonals<lanes>>, memref<?xf32>
    gpu.return
  }
}

// -----

// Of tiles that a matrix in registers can be.
gpu.module @kernels {
  gpu.func @narrow() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    // expected-error @+1 {{expects the diagonals of tiles of 64 rows and a multiple of 8 columns, at most 256, got those of 4 columns}}
    %d = tile.diagonals offset 0 : tensor<67xf32, #tile.diagonals> {
    ^bb0(%distance: index):
      %x = arith.constant 1.0 : f32
      tile.yield %x : f32
    }
    gpu.return
  }
}

// -----

// Read by the tile's own diagonals.
#id = affine_map<(i, j) -> (i, j)>
gpu.module @kernels {
  gpu.func @aside(%m: memref<?x16xf32, strided<[?, 1], offset: ?>>, %i: index)
      kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>} {
    %e = tensor.empty() : tensor<32x16xf32>
    %d = tile.diagonals offset 0 : tensor<47xf32, #tile.diagonals> {
    ^bb0(%distance: index):
      %x = arith.constant 1.0 : f32
      tile.yield %x : f32
    }
    // expected-error @+1 {{expects tiles that are read in order, got affine_map<(d0, d1) -> (d0 - d1 + 16)>}}
    %t = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i - j + 16)>, #id],
                         iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<47xf32, #tile.diagonals>) outs(%e : tensor<32x16xf32>) {
    ^bb0(%bias: f32, %o: f32):
      linalg.yield %bias : f32
    } -> tensor<32x16xf32>
    tile.store %t, %m[%i] : tensor<32x16xf32>, memref<?x16xf32, strided<[?, 1], offset: ?>>
    gpu.return
  }
}
