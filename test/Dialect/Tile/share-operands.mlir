// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-share-operands)))" --verify-roundtrip \
// RUN:   | FileCheck %s

#ki = affine_map<(i, j, k) -> (k, i)>
#ik = affine_map<(i, j, k) -> (i, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
!rk = !tile.ring<1 x tensor<128x128xbf16>>
!rq = !tile.ring<2 x tensor<64x128xbf16>>
!k = tensor<128x128xbf16>
!ks = tensor<128x128xbf16, #tile.slot>
!q = tensor<64x128xbf16>
!qs = tensor<64x128xbf16, #tile.slot>
!ds = tensor<128x64xbf16>

// What is turned goes through a ring of its own, at the number of the step; the left operand of another product stays
// in registers.
// CHECK-LABEL: gpu.func @step
// CHECK: tile.ring readers 8
// CHECK: tile.ring readers 8
// CHECK-NEXT: %[[RING:.*]] = tile.ring : <2 x tensor<128x64xbf16>>
// CHECK: tile.read %{{.*}} at %[[N:arg[0-9]]] : <2 x tensor<64x128xbf16>>
// CHECK: linalg.contract {{.*}} ins(%[[DS:arg[0-9]]], %{{.*}} : tensor<128x64xbf16>, tensor<64x128xbf16, #tile.slot>)
// CHECK: %[[SHARED:.*]] = tile.share %[[DS]] into %[[RING]] at %[[N]]
// CHECK: linalg.contract {{.*}} ins(%[[SHARED]], %{{.*}} : tensor<128x64xbf16, #tile.slot>, tensor<128x128xbf16, #tile.slot>)
gpu.module @kernels {
  gpu.func @step(%n: i32, %ds: !ds, %dk: tensor<128x128xf32>, %dq: tensor<64x128xf32>) kernel {
    %kr = tile.ring readers 8 : !rk
    %qr = tile.ring readers 8 : !rq
    %k = tile.read %kr at %n : !rk -> !ks
    %q = tile.read %qr at %n : !rq -> !qs
    %0 = linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%ds, %q : !ds, !qs) outs(%dk : tensor<128x128xf32>)
      -> tensor<128x128xf32>
    %1 = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%ds, %k : !ds, !ks) outs(%dq : tensor<64x128xf32>)
      -> tensor<64x128xf32>
    gpu.return
  }
}
