// Warps that deal keys among them: each has its own tiles, and adds up with the others what they made.
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   --split-input-file --verify-diagnostics | FileCheck %s

#s = #attn.schedule<tiling = <q = 16, kv = 64, shares>, roles = <key_warps = 4>, pipeline = <stages = 2, read_once>>
!memory = memref<?x?xf32, strided<[?, 1], offset: ?>>
!rows = memref<?x16xf32, strided<[?, 1], offset: ?>>
gpu.module @kernels {
  // A copy of what is read once has the cache's policy, made when the kernel begins, and is by the warp's own lanes.
  // CHECK-LABEL: gpu.func @copy(
  // CHECK: %[[POLICY:.*]] = llvm.inline_asm {{.*}}"createpolicy.fractional.L2::evict_first.b64 $0;", "=l"
  // CHECK: llvm.inline_asm has_side_effects {{.*}}"cp.async.cg.shared.global.L2::cache_hint.L2::128B [$0], [$1], 16, $2, $3;", "r,l,r,l,~{memory}" %{{.*}}, %{{.*}}, %{{.*}}, %[[POLICY]]
  // CHECK-NOT: nvvm.cp.async.shared.global
  // CHECK: gpu.return
  gpu.func @copy(%k: memref<?x64xbf16>, %m: memref<16x72xbf16, #gpu.address_space<workgroup>>, %i: index)
      kernel attributes {attn.schedule = #s} {
    tile.copy %k[%i] to %m {async, read_once} : memref<?x64xbf16> to memref<16x72xbf16, #gpu.address_space<workgroup>>
    gpu.return
  }

  // Of a vector each reads what the four have: two rows for each thread.
  // CHECK-LABEL: gpu.func @greatest(
  // CHECK: gpu.barrier
  // CHECK-COUNT-2: llvm.store
  // CHECK: gpu.barrier
  // CHECK-COUNT-8: llvm.load
  // CHECK-NOT: llvm.load
  // CHECK: gpu.return
  gpu.func @greatest(%m: !memory, %i: index) kernel attributes {attn.schedule = #s} {
    %one = arith.constant dense<1.0> : tensor<16xf32>
    %x = tile.combine_warps greatest %one offset 4096 : tensor<16xf32>
    tile.store %x, %m[%i, %i] : tensor<16xf32>, !memory
    gpu.return
  }

  // Of a matrix half of them give it to the other half, until one has all.
  // CHECK-LABEL: gpu.func @sum(
  // CHECK: scf.for %[[ROUND:.*]] = %c0{{.*}} to %c2{{.*}} step %c1{{.*}} iter_args
  // CHECK:   %[[HALF:.*]] = arith.shrui %c2{{.*}}, %[[ROUND]]
  // CHECK:   gpu.barrier
  // CHECK:   scf.if
  // CHECK-COUNT-8: llvm.store
  // CHECK:   gpu.barrier
  // CHECK:   scf.if
  // CHECK-COUNT-8: llvm.load
  // CHECK:   } else {
  // CHECK: gpu.return
  gpu.func @sum(%m: !rows, %i: index) kernel attributes {attn.schedule = #s} {
    %one = arith.constant dense<1.0> : tensor<16x16xf32>
    %x = tile.combine_warps %one offset 4096 : tensor<16x16xf32>
    tile.store %x, %m[%i] : tensor<16x16xf32>, !rows
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @alone() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 64>>} {
    %one = arith.constant dense<1.0> : tensor<16xf32>
    // expected-error @+1 {{'tile.combine_warps' op expects a schedule with key warps, and its place: run tile-place-shared first}}
    %x = tile.combine_warps greatest %one offset 4096 : tensor<16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @nowhere() kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 64, shares>, roles = <key_warps = 2>>} {
    %one = arith.constant dense<1.0> : tensor<16xf32>
    // expected-error @+1 {{expects a schedule with key warps, and its place: run tile-place-shared first}}
    %x = tile.combine_warps greatest %one : tensor<16xf32>
    gpu.return
  }
}
