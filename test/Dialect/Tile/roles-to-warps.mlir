// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-roles-to-warps)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!r = !tile.ring<2 x tensor<64x64xbf16>>

gpu.module @kernels {
  // Eight warps read, and one that inspects; they meet when barriers are ready.
  // CHECK-LABEL: gpu.func @kernel(
  // CHECK-SAME: nvvm.minctasm = 1 : i32
  // CHECK: tile.ring readers 8 : <2 x tensor<64x64xbf16>>
  // CHECK-NEXT: tile.ring readers 9 : <2 x tensor<64x64xbf16>>
  // CHECK-NEXT: nvvm.fence.mbarrier.init
  // CHECK-NEXT: gpu.barrier
  // CHECK: %[[THREAD:.*]] = arith.index_cast
  // CHECK: %[[COMPUTES:.*]] = arith.cmpi ult, %[[THREAD]], %c256_i32
  // CHECK-NEXT: scf.if %[[COMPUTES]] {
  // CHECK-NEXT: nvvm.setmaxregister increase 232
  // CHECK: } else {
  // CHECK-NEXT: nvvm.setmaxregister decrease 40
  // CHECK: %[[PRODUCES:.*]] = arith.cmpi eq, %[[THREAD]], %c256_i32
  // CHECK-NEXT: scf.if %[[PRODUCES]] {
  // CHECK-NEXT: tile.fill
  // CHECK-NEXT: } else {
  // CHECK: %[[WARP:.*]] = arith.shrui %[[THREAD]], %c5_i32
  // CHECK: %[[INSPECTS:.*]] = arith.cmpi eq, %[[WARP]], %c9_i32
  // CHECK-NEXT: scf.if %[[INSPECTS]] {
  // CHECK-NEXT: tile.read
  // CHECK-NOT: tile.roles
  gpu.func @kernel(%map: !llvm.ptr, %n: i32, %row: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} {
    %k = tile.ring : !r
    %v = tile.ring : !r
    tile.roles compute {
      %kt = tile.read %k at %n : !r -> tensor<64x64xbf16, #tile.slot>
      %vt = tile.read %v at %n : !r -> tensor<64x64xbf16, #tile.slot>
    } produce {
      tile.fill %k at %n from %map[%row] : !r
    } inspect {
      %vt = tile.read %v at %n : !r -> tensor<64x64xbf16, #tile.slot>
    }
    gpu.return
  }

  // Tasks that own keys take more of who produces, if tiles leave it.
  // CHECK-LABEL: gpu.func @keys(
  // CHECK: nvvm.setmaxregister increase 224
  // CHECK: nvvm.setmaxregister decrease 56
  gpu.func @keys() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 96, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>>} {
    tile.roles compute {
    } produce {
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @wide_keys(
  // CHECK: nvvm.setmaxregister increase 232
  // CHECK: nvvm.setmaxregister decrease 40
  gpu.func @wide_keys(%n: i32, %t: tensor<128x256xf32>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>>} {
    tile.roles compute {
      %r = scf.for %j = %n to %n step %n iter_args(%s = %t) -> (tensor<128x256xf32>) : i32 {
        scf.yield %s : tensor<128x256xf32>
      }
    } produce {
    }
    gpu.return
  }

  // One group has registers enough; two blocks of it share them.
  // CHECK-LABEL: gpu.func @one(
  // CHECK-NOT: nvvm.setmaxregister
  // CHECK: gpu.return
  gpu.func @one() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>>} {
    tile.roles compute {
    } produce {
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @two(
  // CHECK-SAME: nvvm.minctasm = 2 : i32
  // CHECK: nvvm.setmaxregister increase 216
  // CHECK: nvvm.setmaxregister decrease 40
  gpu.func @two() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4, min_blocks = 2>>} {
    tile.roles compute {
    } produce {
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @three(
  // CHECK: nvvm.setmaxregister increase 160
  // CHECK: nvvm.setmaxregister decrease 32
  gpu.func @three() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 192, kv = 64>, roles = <warps = 12, producers = 4>>} {
    tile.roles compute {
    } produce {
    }
    gpu.return
  }

  // The warp behind the one that inspects stores; it counts among the readers of what all are told.
  // CHECK-LABEL: gpu.func @stores(
  // CHECK: tile.ring readers 9 : <2 x tensor<1xi64>>
  // CHECK: tile.ring readers 1 : <1 x tensor<64x64xf32>>
  // CHECK: %[[THREAD:.*]] = arith.index_cast
  // CHECK: arith.cmpi eq, %[[THREAD]], %c256_i32
  // CHECK: %[[WARP:.*]] = arith.shrui %[[THREAD]], %c5_i32
  // CHECK: %[[STORES:.*]] = arith.cmpi eq, %[[WARP]], %c10_i32
  // CHECK-NEXT: scf.if %[[STORES]] {
  // CHECK-NEXT: tile.receive
  // CHECK-NEXT: tile.add_to_memory
  gpu.func @stores(%m: memref<?x8x128x4xf32>, %s: tensor<64x64xf32>, %n: i32, %i: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>>} {
    %numbers = tile.ring : !tile.ring<2 x tensor<1xi64>>
    %sums = tile.ring : !tile.ring<1 x tensor<64x64xf32>>
    tile.roles compute {
      %a = tile.receive [0] of %numbers at %n : !tile.ring<2 x tensor<1xi64>> -> i32
      tile.put %s into %sums at %n : tensor<64x64xf32>, !tile.ring<1 x tensor<64x64xf32>>
    } produce {
    } store {
      %a = tile.receive [0] of %numbers at %n : !tile.ring<2 x tensor<1xi64>> -> i32
      tile.add_to_memory %sums at %a, %m[%i] : !tile.ring<1 x tensor<64x64xf32>>, memref<?x8x128x4xf32>
    }
    gpu.return
  }
}
