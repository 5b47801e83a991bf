// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-assign-layouts)))" \
// RUN:   --verify-roundtrip | FileCheck %s

#ij = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#column = affine_map<(i, j) -> (j)>
#i = affine_map<(i) -> (i)>
#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij3 = affine_map<(i, j, k) -> (i, j)>
!s = tensor<64x32xf32>

gpu.module @kernels {
  // The example of the pass: a vector that is read at the columns of a matrix.
  // CHECK-LABEL: gpu.func @loaded(
  // CHECK: %[[V:.*]] = tile.load {{.*}} : memref<?xf32> -> tensor<32xf32, #tile.columns>
  // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[V]] : tensor<64x32xf32>, tensor<32xf32, #tile.columns>) outs(%{{.*}} : tensor<64x32xf32>)
  gpu.func @loaded(%memory: memref<?xf32>, %i: index, %s: !s, %empty: !s) {
    %v = tile.load %memory[%i] : memref<?xf32> -> tensor<32xf32>
    %t = linalg.generic {indexing_maps = [#ij, #column, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s, %v : !s, tensor<32xf32>) outs(%empty : !s) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.subf %x, %y : f32
      linalg.yield %z : f32
    } -> !s
    gpu.return
  }

  // What it is made of is dealt alike, and so is the memory that it is made in; a number and the vector of rows have
  // no part in that.
  // CHECK-LABEL: gpu.func @made(
  // CHECK: %[[ROWS:.*]] = tile.load {{.*}} : memref<?xf32> -> tensor<64xf32>
  // CHECK: %[[V:.*]] = tile.load {{.*}} : memref<?xf32> -> tensor<32xf32, #tile.columns>
  // CHECK: %[[W:.*]] = tile.load {{.*}} : memref<?xf32> -> tensor<32xf32, #tile.columns>
  // CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<32xf32, #tile.columns>
  // CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[V]], %[[W]], %{{.*}} : tensor<32xf32, #tile.columns>, tensor<32xf32, #tile.columns>, f32) outs(%[[EMPTY]] : tensor<32xf32, #tile.columns>)
  // CHECK: -> tensor<32xf32, #tile.columns>
  // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[ROWS]], %[[SUM]] : tensor<64x32xf32>, tensor<64xf32>, tensor<32xf32, #tile.columns>)
  gpu.func @made(%memory: memref<?xf32>, %i: index, %n: f32, %s: !s, %empty: !s) {
    %rows = tile.load %memory[%i] : memref<?xf32> -> tensor<64xf32>
    %v = tile.load %memory[%i] : memref<?xf32> -> tensor<32xf32>
    %w = tile.load %memory[%i] : memref<?xf32> -> tensor<32xf32>
    %e = tensor.empty() : tensor<32xf32>
    %sum = linalg.generic {indexing_maps = [#i, #i, affine_map<(i) -> ()>, #i], iterator_types = ["parallel"]}
        ins(%v, %w, %n : tensor<32xf32>, tensor<32xf32>, f32) outs(%e : tensor<32xf32>) {
    ^bb0(%x: f32, %y: f32, %m: f32, %unused: f32):
      %a = arith.addf %x, %y : f32
      %z = arith.mulf %a, %m : f32
      linalg.yield %z : f32
    } -> tensor<32xf32>
    %t = linalg.generic {indexing_maps = [#ij, #row, #column, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s, %rows, %sum : !s, tensor<64xf32>, tensor<32xf32>) outs(%empty : !s) {
    ^bb0(%x: f32, %y: f32, %c: f32, %unused: f32):
      %d = arith.subf %x, %y : f32
      %z = arith.subf %d, %c : f32
      linalg.yield %z : f32
    } -> !s
    gpu.return
  }

  // Rows are how vectors are dealt without an encoding.
  // CHECK-LABEL: gpu.func @rows(
  // CHECK-NOT: #tile.columns
  gpu.func @rows(%memory: memref<?xf32>, %i: index, %s: !s, %empty: !s) {
    %v = tile.load %memory[%i] : memref<?xf32> -> tensor<64xf32>
    %t = linalg.generic {indexing_maps = [#ij, #row, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s, %v : !s, tensor<64xf32>) outs(%empty : !s) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.subf %x, %y : f32
      linalg.yield %z : f32
    } -> !s
    gpu.return
  }

  // Of a product whose rows are what others have as columns, 64 rows are dealt to groups by their columns; as many as
  // the groups have are dealt like all others.
  // CHECK-LABEL: gpu.func @turned(
  // CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : tensor<64x128xf32, #tile.column_groups>
  // CHECK: linalg.contract {{.*}} outs(%[[ZERO]] : tensor<64x128xf32, #tile.column_groups>) -> tensor<64x128xf32, #tile.column_groups>
  // CHECK: linalg.contract {{.*}} -> tensor<128x64xf32>
  gpu.func @turned(%a: tensor<128x64xbf16>, %k: tensor<128x128xbf16>, %b: tensor<128x128xbf16>, %v: tensor<128x64xbf16>)
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>>} {
    %zero = arith.constant dense<0.0> : tensor<64x128xf32>
    %0 = linalg.contract indexing_maps = [#ki, #kj, #ij3] ins(%a, %k : tensor<128x64xbf16>, tensor<128x128xbf16>)
      outs(%zero : tensor<64x128xf32>) -> tensor<64x128xf32>
    %none = arith.constant dense<0.0> : tensor<128x64xf32>
    %1 = linalg.contract indexing_maps = [#ki, #kj, #ij3] ins(%b, %v : tensor<128x128xbf16>, tensor<128x64xbf16>)
      outs(%none : tensor<128x64xf32>) -> tensor<128x64xf32>
    gpu.return
  }
}
