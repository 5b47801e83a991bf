// RUN: attn-opt %s --verify-roundtrip | FileCheck %s

// Matrices of a tensor of rank 4, clipped in both directions, and back.
// CHECK-LABEL: func.func @matrix
// CHECK: %[[T:.*]] = tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>> -> tensor<64x96xbf16>
// CHECK: %{{.*}} = tile.has_nonfinite %[[T]] : tensor<64x96xbf16>
// CHECK: tile.store %[[T]], %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : tensor<64x96xbf16>, memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>>
func.func @matrix(%m: memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>>,
                  %b: index, %h: index, %q0: index) -> i1 {
  %t = tile.load %m[%b, %h, %q0]
    : memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>> -> tensor<64x96xbf16>
  %dirty = tile.has_nonfinite %t : tensor<64x96xbf16>
  tile.store %t, %m[%b, %h, %q0]
    : tensor<64x96xbf16>, memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>>
  return %dirty : i1
}

// A vector has no channels: one offset for each dimension.
// CHECK-LABEL: func.func @vector
// CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : memref<?x?x?xf32> -> tensor<64xf32>
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : tensor<64xf32>, memref<?x?x?xf32>
func.func @vector(%m: memref<?x?x?xf32>, %b: index, %h: index, %q0: index) {
  %t = tile.load %m[%b, %h, %q0] : memref<?x?x?xf32> -> tensor<64xf32>
  tile.store %t, %m[%b, %h, %q0] : tensor<64xf32>, memref<?x?x?xf32>
  return
}
