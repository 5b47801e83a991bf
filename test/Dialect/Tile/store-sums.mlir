// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-store-sums)))" --verify-roundtrip \
// RUN:   | FileCheck %s

#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>, pipeline = <stages = 2>>
!rq = !tile.ring<2 x tensor<64x128xbf16>>
!sums = memref<?x?x?x16x128x4xf32>

// One tile, or as many as the step has of others where it is small, in no layout: each thread puts what it holds.
// CHECK-LABEL: gpu.func @small
// CHECK: tile.ring : <2 x tensor<64x64xf32>>
// CHECK-LABEL: gpu.func @step
// CHECK: %[[RING:.*]] = tile.ring : <1 x tensor<64x128xf32>>
// CHECK: tile.read %{{.*}} at %[[N:arg[0-9]]]
// CHECK-NEXT: tile.put %[[T:arg[0-9]]] into %[[RING]] at %[[N]] : tensor<64x128xf32, #tile.column_groups>
// CHECK-NEXT: tile.hand_on %[[RING]] at %[[N]]
// CHECK-NEXT: tile.add_to_memory %[[RING]] at %[[N]], %[[M:arg[0-9]]][%[[I:arg[0-9]]], %[[I]], %[[I]]]
// CHECK-NOT: tile.reduce_add

gpu.module @kernels {
  gpu.func @small(%t: tensor<64x64xf32>, %m: memref<?x8x128x4xf32>, %n: i32, %i: index) kernel
      attributes {attn.schedule = #s} {
    %qr = tile.ring : !rq
    %q = tile.read %qr at %n : !rq -> tensor<64x128xbf16, #tile.slot>
    tile.reduce_add %t, %m[%i] : tensor<64x64xf32>, memref<?x8x128x4xf32>
    gpu.return
  }
  gpu.func @step(%t: tensor<64x128xf32, #tile.column_groups>, %m: !sums, %n: i32, %i: index) kernel
      attributes {attn.schedule = #s} {
    %qr = tile.ring : !rq
    %q = tile.read %qr at %n : !rq -> tensor<64x128xbf16, #tile.slot>
    tile.reduce_add %t, %m[%i, %i, %i] : tensor<64x128xf32, #tile.column_groups>, !sums
    gpu.return
  }
}
