// RUN: attn-opt %s --tile-queries-innermost --canonicalize | FileCheck %s

#ik = affine_map<(i, j, k) -> (i, k)>
#jk = affine_map<(i, j, k) -> (j, k)>
#ij = affine_map<(i, j, k) -> (i, j)>
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// CHECK-DAG: #[[$SWAP:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-DAG: #[[$ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$KI:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>
// CHECK-DAG: #[[$JK:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[$JI:.*]] = affine_map<(d0, d1, d2) -> (d1, d0)>
// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1) -> (d0)>

// The query tile and the scores are transposed, the key tile is not; operands of
// the product are widened; the loop carries a transposed tile; what is stored is
// transposed back.
// CHECK-LABEL: func.func @scores(
// CHECK-SAME:    %[[Q:.*]]: memref<?x16xbf16>, %[[K:.*]]: memref<?x16xbf16>,
// CHECK:         %[[QT:.*]] = tile.load %[[Q]]
// CHECK:         %[[QI:.*]] = linalg.generic {indexing_maps = [#[[$SWAP]], #[[$ID]]]{{.*}} ins(%[[QT]] : tensor<64x16xbf16>) outs(%{{.*}} : tensor<16x64xbf16>)
// CHECK:         %[[QW:.*]] = linalg.generic {{.*}} ins(%[[QI]] : tensor<16x64xbf16>) outs(%{{.*}} : tensor<16x64xf32>)
// CHECK:           arith.extf
// CHECK:         scf.for {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (tensor<32x64xf32>)
// CHECK:           %[[KT:.*]] = tile.load %[[K]]
// CHECK:           %[[KW:.*]] = linalg.generic {{.*}} ins(%[[KT]] : tensor<32x16xbf16>) outs(%{{.*}} : tensor<32x16xf32>)
// CHECK:           %[[S:.*]] = linalg.generic {indexing_maps = [#[[$KI]], #[[$JK]], #[[$JI]]]{{.*}} ins(%[[QW]], %[[KW]] : tensor<16x64xf32>, tensor<32x16xf32>) outs(%[[SUM]] : tensor<32x64xf32>)
// CHECK:             %[[P:.*]] = arith.mulf %{{.*}}, %{{.*}} : f32
// CHECK-NEXT:        %[[A:.*]] = arith.addf %{{.*}}, %[[P]] : f32
// CHECK:           %[[T:.*]] = linalg.generic {indexing_maps = [#[[$SWAP]], #[[$ROW]], #[[$SWAP]]]{{.*}} ins(%[[S]], %{{.*}} : tensor<32x64xf32>, tensor<64xf32>)
// CHECK:           scf.yield %[[T]] : tensor<32x64xf32>
// CHECK:         %[[BACK:.*]] = linalg.generic {indexing_maps = [#[[$SWAP]], #[[$ID]]]{{.*}} outs(%{{.*}} : tensor<64x32xf32>)
// CHECK:         tile.store %[[BACK]], %{{.*}} : tensor<64x32xf32>
func.func @scores(%q: memref<?x16xbf16>, %k: memref<?x16xbf16>, %out: memref<?x32xf32>,
                  %m: tensor<64xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<64x32xf32>
  %qt = tile.load %q[%c0] : memref<?x16xbf16> -> tensor<64x16xbf16>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %zero) -> tensor<64x32xf32> {
    %kt = tile.load %k[%i] : memref<?x16xbf16> -> tensor<32x16xbf16>
    %s = linalg.contract indexing_maps = [#ik, #jk, #ij]
      ins(%qt, %kt : tensor<64x16xbf16>, tensor<32x16xbf16>)
      outs(%sum : tensor<64x32xf32>) -> tensor<64x32xf32>
    %e = tensor.empty() : tensor<64x32xf32>
    %t = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<64x32xf32>, tensor<64xf32>) outs(%e : tensor<64x32xf32>) {
    ^bb0(%x: f32, %y: f32, %z: f32):
      %w = arith.subf %x, %y : f32
      linalg.yield %w : f32
    } -> tensor<64x32xf32>
    scf.yield %t : tensor<64x32xf32>
  }
  tile.store %r, %out[%c0] : tensor<64x32xf32>, memref<?x32xf32>
  return
}

// Buffers have no transposed form: a product on them stays as it is.
// CHECK-LABEL: func.func @buffers(
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : memref<7x5xf32>, memref<5x20xf32>) outs(%{{.*}} : memref<7x20xf32>)
func.func @buffers(%a: memref<7x5xf32>, %b: memref<5x20xf32>, %c: memref<7x20xf32>) {
  linalg.matmul ins(%a, %b : memref<7x5xf32>, memref<5x20xf32>) outs(%c : memref<7x20xf32>)
  return
}

// Nor have tiles of unknown size.
// CHECK-LABEL: func.func @dynamic(
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x20xf32>)
func.func @dynamic(%a: tensor<?x5xf32>, %b: tensor<5x20xf32>, %c: tensor<?x20xf32>) -> tensor<?x20xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<?x5xf32>, tensor<5x20xf32>) outs(%c : tensor<?x20xf32>) -> tensor<?x20xf32>
  return %r : tensor<?x20xf32>
}
