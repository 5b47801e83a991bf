// Numbers in registers to elements of memory, by their places.
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   | FileCheck %s

#schedule = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>

gpu.module @kernels {
  // No place twice: a thread reads its four elements, and adds what is not zero. What is zero may be outside.
  // CHECK-LABEL: gpu.func @distinct(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?x?xf32>, %[[I:[^:]*]]: index)
  // CHECK-COUNT-4: memref.load %[[M]][%[[I]], %{{.*}}]
  // CHECK-COUNT-4: memref.store %{{.*}}, %[[M]][%[[I]], %{{.*}}]
  // CHECK: nvvm.bar.warp.sync
  // CHECK-NEXT: gpu.return
  gpu.func @distinct(%m: memref<?x?xf32>, %i: index) kernel attributes {attn.schedule = #schedule} {
    %t = tile.load %m[%i, %i] : memref<?x?xf32> -> tensor<32xf32>
    %e = tensor.empty() : tensor<32x8xf32>
    %f = tensor.empty() : tensor<32x8xi64>
    %v = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%t : tensor<32xf32>) outs(%e : tensor<32x8xf32>) {
    ^bb0(%x: f32, %unused: f32):
      linalg.yield %x : f32
    } -> tensor<32x8xf32>
    %p = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        outs(%f : tensor<32x8xi64>) {
    ^bb0(%unused: i64):
      %r = linalg.index 0 : index
      %c = linalg.index 1 : index
      %sum = arith.addi %r, %c : index
      %place = arith.index_cast %sum : index to i64
      linalg.yield %place : i64
    } -> tensor<32x8xi64>
    tile.scatter_add %v at %p, %m[%i] {distinct} : tensor<32x8xf32>, tensor<32x8xi64>, memref<?x?xf32>
    gpu.return
  }

  // Of a vector of rows one thread of a quad has what counts. Neighbours are added up while all lanes can; the lowest
  // lane of those with one place adds for all of them, to the copy of its warp.
  // CHECK-LABEL: gpu.func @per_warp(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?x?xf32>, %[[I:[^:]*]]: index)
  // CHECK: %[[WARP:.*]] = arith.shrui %{{.*}}, %c5_i32
  // CHECK: %[[W:.*]] = arith.index_cast %[[WARP]] : i32 to index
  // CHECK: %[[COPY:.*]] = arith.addi %[[I]], %[[W]] : index
  // CHECK: nvvm.vote.sync all
  // CHECK: scf.if
  // CHECK:   arith.addf
  // CHECK: } else {
  // CHECK:   %[[PEERS:.*]] = nvvm.match.sync any
  // CHECK:   scf.while
  // CHECK:     nvvm.vote.sync any
  // CHECK:     nvvm.shfl.sync idx
  // CHECK:   scf.if
  // CHECK:     memref.load %[[M]][%[[COPY]], %{{.*}}]
  // CHECK:     memref.store %{{.*}}, %[[M]][%[[COPY]], %{{.*}}]
  // CHECK:   nvvm.bar.warp.sync
  // CHECK: nvvm.match.sync any
  // CHECK: memref.store %{{.*}}, %[[M]][%[[COPY]], %{{.*}}]
  gpu.func @per_warp(%m: memref<?x?xf32>, %i: index) kernel attributes {attn.schedule = #schedule} {
    %v = tile.load %m[%i, %i] : memref<?x?xf32> -> tensor<32xf32>
    %e = tensor.empty() : tensor<32xi64>
    %p = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%v : tensor<32xf32>) outs(%e : tensor<32xi64>) {
    ^bb0(%x: f32, %unused: i64):
      %place = arith.fptosi %x : f32 to i64
      linalg.yield %place : i64
    } -> tensor<32xi64>
    tile.scatter_add %v at %p, %m[%i] {per_warp} : tensor<32xf32>, tensor<32xi64>, memref<?x?xf32>
    gpu.return
  }
}
