// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-make-rings)))" \
// RUN:   --verify-roundtrip | FileCheck %s
// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-make-rings,tile-give-roles)))" \
// RUN:   | FileCheck %s --check-prefix=ROLES

// A loop in a loop: the outer one carries how many tiles have been counted. A vector has a ring without a tensor map.
// What a task loads for elementwise work alone stays as it is.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-DAG: %[[KR:.*]] = tile.ring : <1 x tensor<128x64xbf16>>
// CHECK-DAG: %[[QR:.*]] = tile.ring : <2 x tensor<64x64xbf16>>
// CHECK-DAG: %[[LR:.*]] = tile.ring : <2 x tensor<64xf32>>
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[BEFORE:.*]]: i32, %[[SUM:.*]]: i32):
// CHECK: tile.fill %[[KR]] at %[[BEFORE]]
// CHECK-NEXT: tile.read %[[KR]] at %[[BEFORE]]
// CHECK-NEXT: tile.load
// CHECK-NEXT: linalg.generic
// CHECK: %[[OUTER:.*]]:2 = scf.for %[[HEAD:.*]] = {{.*}} iter_args(%{{.*}}, %[[COUNT:.*]] = %[[SUM]])
// CHECK-NEXT: scf.for %[[J:.*]] = %[[HEAD]] to %[[TASK]]
// CHECK-NEXT: %[[IN:.*]] = arith.subi %[[J]], %[[HEAD]]
// CHECK-NEXT: %[[N:.*]] = arith.addi %[[IN]], %[[COUNT]]
// CHECK: tile.fill %[[QR]] at %[[N]]
// CHECK: tile.release %[[QR]] at %[[N]]
// CHECK-NEXT: tile.fill_vector %[[LR]] at %[[N]] from %{{.*}}[%{{.*}}, %{{.*}}] : memref<?x?xf32> to
// CHECK-NEXT: tile.read %[[LR]] at %[[N]] : <2 x tensor<64xf32>> -> tensor<64xf32, #tile.slot>
// CHECK: }
// CHECK-NEXT: %[[VISITS:.*]] = arith.subi %[[TASK]], %[[HEAD]]
// CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[COUNT]], %[[VISITS]]
// CHECK-NEXT: scf.yield %{{.*}}, %[[NEXT]]
// CHECK: %[[ALL:.*]] = arith.subi %[[OUTER]]#1, %[[SUM]]
// CHECK-NEXT: tile.release %[[KR]] at %[[BEFORE]]
// CHECK: tile.yield %[[ALL]] : i32

// The producer counts for itself, and carries nothing else.
// ROLES: } produce {
// ROLES-NEXT: tile.tasks
// ROLES-NEXT: ^bb0(%[[TASK:.*]]: i32, %[[BEFORE:.*]]: i32, %[[SUM:.*]]: i32):
// ROLES: %[[OUTER:.*]] = scf.for %[[HEAD:.*]] = {{.*}} iter_args(%[[COUNT:.*]] = %[[SUM]]) -> (i32)
// ROLES-NEXT: scf.for
// ROLES: tile.fill_vector
// ROLES-NEXT: }
// ROLES-NEXT: %[[VISITS:.*]] = arith.subi %[[TASK]], %[[HEAD]]
// ROLES-NEXT: %[[NEXT:.*]] = arith.addi %[[COUNT]], %[[VISITS]]
// ROLES-NEXT: scf.yield %[[NEXT]] : i32
// ROLES: %[[ALL:.*]] = arith.subi %[[OUTER]], %[[SUM]]
// ROLES-NEXT: tile.yield %[[ALL]] : i32
!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!l = memref<?x?xf32>
!t = tensor<64x64xbf16>
!v = tensor<64xf32, #tile.columns>
#ij = affine_map<(i, j) -> (i, j)>
gpu.module @kernels {
  gpu.func @kernel(%k: !m {attn.role = #attn.role<key>}, %q: !m {attn.role = #attn.role<query>}, %l: !l {attn.role = #attn.role<statistics>}, %o: !m, %e: tensor<128x64xbf16>, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>, pipeline = <stages = 2, persistent>>} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %n = arith.constant 4 : i32
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %first = arith.index_cast %task : i32 to index
      %kt = tile.load %k[%first] : !m -> tensor<128x64xbf16>
      %alone = tile.load %k[%first] : !m -> tensor<128x64xbf16>
      %sum = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%alone : tensor<128x64xbf16>) outs(%e : tensor<128x64xbf16>) {
      ^bb0(%x: bf16, %y: bf16):
        linalg.yield %x : bf16
      } -> tensor<128x64xbf16>
      %r = scf.for %head = %c0 to %n step %c1 iter_args(%s = %sum) -> (tensor<128x64xbf16>) : i32 {
        scf.for %j = %head to %task step %c1 : i32 {
          %i = arith.index_cast %j : i32 to index
          %qt = tile.load %q[%i] : !m -> !t
          "test.use"(%qt) : (!t) -> ()
          %lt = tile.load %l[%first, %i] : !l -> !v
          "test.use"(%kt) : (tensor<128x64xbf16>) -> ()
        }
        scf.yield %s : tensor<128x64xbf16>
      }
      tile.store %r, %o[%first] : tensor<128x64xbf16>, !m
    } : !llvm.ptr<1>
    gpu.return
  }
}
