// Neighbours in memory are read together, by one instruction that LLVM does not take apart.
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" | FileCheck %s

#s = #attn.schedule<tiling = <q = 16, kv = 16>>
#id = affine_map<(i, j) -> (i, j)>
gpu.module @kernels {
  // A thread has two rows and two blocks of 8 columns: four pairs of f32, eight bytes each.
  // CHECK-LABEL: gpu.func @wide(
  // CHECK-COUNT-4: llvm.inline_asm "ld.global.nc.b64 $0, [$1];", "=l,l" %{{.*}} : (!llvm.ptr<1>) -> i64
  // CHECK-NOT: llvm.inline_asm
  // CHECK-NOT: memref.load
  // CHECK: gpu.return
  gpu.func @wide(%m: memref<?x?xf32>, %out: memref<?x16xf32, strided<[?, 1], offset: ?>>, %i: index)
      kernel attributes {attn.schedule = #s} {
    %e = tensor.empty() : tensor<16x16xf32>
    %t = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<16x16xf32>) {
    ^bb0(%o: f32):
      %row = linalg.index 0 : index
      %column = linalg.index 1 : index
      %x = memref.load %m[%row, %column] {tile.neighbours} : memref<?x?xf32>
      linalg.yield %x : f32
    } -> tensor<16x16xf32>
    tile.store %t, %out[%i] : tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1], offset: ?>>
    gpu.return
  }

  // Two of 16 bits are a word.
  // CHECK-LABEL: gpu.func @narrow(
  // CHECK-COUNT-4: llvm.inline_asm "ld.global.nc.b32 $0, [$1];", "=r,l" %{{.*}} : (!llvm.ptr<1>) -> i32
  // CHECK-NOT: llvm.inline_asm
  // CHECK-NOT: memref.load
  // CHECK: gpu.return
  gpu.func @narrow(%m: memref<?x?xi16>, %out: memref<?x16xf32, strided<[?, 1], offset: ?>>, %i: index)
      kernel attributes {attn.schedule = #s} {
    %e = tensor.empty() : tensor<16x16xf32>
    %t = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<16x16xf32>) {
    ^bb0(%o: f32):
      %row = linalg.index 0 : index
      %column = linalg.index 1 : index
      %x = memref.load %m[%row, %column] {tile.neighbours} : memref<?x?xi16>
      %f = arith.sitofp %x : i16 to f32
      linalg.yield %f : f32
    } -> tensor<16x16xf32>
    tile.store %t, %out[%i] : tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1], offset: ?>>
    gpu.return
  }
}
