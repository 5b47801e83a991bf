// RUN: attn-opt %s --flash-to-gpu --verify-roundtrip | FileCheck %s

// As many heads as read 8 MiB of keys and values of 2 x 256 bytes a row are a group;
// within it, the first query tiles of all of them come first, then the second ones.
// Two warps are 64 threads.
// CHECK: module attributes {gpu.container_module}
// CHECK: gpu.module @layer_module {
// CHECK: gpu.func @layer({{.*}}<query>}, %[[K:[a-z0-9]*]]: memref<?x?x?x128xbf16> {attn.role = #attn.role<key>}, {{.*}}<value>}, %[[OUT:[^:]*]]: memref<?xf32>, %[[N:[^:]*]]: index) kernel
// CHECK-SAME: attn.schedule = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>
// CHECK-SAME: known_block_size = array<i32: 64, 1, 1>
// CHECK: %[[HEADS:.*]] = arith.index_cast %c4{{.*}} : index to i32
// CHECK: %[[TILES:.*]] = arith.index_cast %[[N]] : index to i32
// CHECK: %[[ID:.*]] = gpu.block_id x
// CHECK: %[[TASK:.*]] = arith.index_cast %[[ID]] : index to i32
// CHECK: %[[ALL:.*]] = arith.muli %{{.*}}, %[[HEADS]] : i32
// CHECK: memref.dim %[[K]], %c2
// CHECK: arith.constant 16384 : i32
// CHECK: %[[FEW:.*]] = arith.minui %{{.*}}, %[[ALL]] : i32
// CHECK: %[[GROUP:.*]] = arith.maxui %[[FEW]], %{{.*}} : i32
// CHECK: %[[PER:.*]] = arith.muli %[[GROUP]], %[[TILES]] : i32
// CHECK: %[[WHICH:.*]] = arith.divui %[[TASK]], %[[PER]] : i32
// CHECK: %[[FIRST:.*]] = arith.muli %[[WHICH]], %[[GROUP]] : i32
// CHECK: %[[LEFT:.*]] = arith.subi %[[ALL]], %[[FIRST]] : i32
// CHECK: %[[SIZE:.*]] = arith.minui %[[GROUP]], %[[LEFT]] : i32
// CHECK: %[[IN:.*]] = arith.remui %[[TASK]], %[[PER]] : i32
// CHECK: %[[PLACE:.*]] = arith.remui %[[IN]], %[[SIZE]] : i32
// CHECK: %[[HEAD:.*]] = arith.addi %[[FIRST]], %[[PLACE]] : i32
// CHECK: %[[B32:.*]] = arith.divui %[[HEAD]], %[[HEADS]] : i32
// CHECK: %[[B:.*]] = arith.index_cast %[[B32]]
// CHECK: %[[H32:.*]] = arith.remui %[[HEAD]], %[[HEADS]] : i32
// CHECK: %[[H:.*]] = arith.index_cast %[[H32]]
// CHECK: %[[T32:.*]] = arith.divui %[[IN]], %[[SIZE]] : i32
// CHECK: %[[T:.*]] = arith.index_cast %[[T32]]
// CHECK-NOT: scf.forall
// CHECK: %[[BH:.*]] = arith.addi %[[B]], %[[H]] : index
// CHECK: arith.addi %[[BH]], %[[T]] : index
// CHECK: gpu.return
!m = memref<?x?x?x128xbf16>
func.func @layer(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %v: !m {attn.role = #attn.role<value>}, %out: memref<?xf32>, %n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>} {
  %c4 = arith.constant 4 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  scf.forall (%b, %h, %t) in (2, %c4, %n) {
    %bh = arith.addi %b, %h : index
    %i = arith.addi %bh, %t : index
    scf.for %j = %c4 to %i step %c1 {
      memref.store %zero, %out[%j] : memref<?xf32>
    }
  }
  return
}

// Where tasks are drawn and all query tiles visit as many key tiles, a group is the heads that read the
// same keys.
// CHECK: gpu.func @equal(
// CHECK-NOT: arith.constant 16384
// CHECK: gpu.return
func.func @equal(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %v: !m {attn.role = #attn.role<value>}, %out: memref<?xf32>, %n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 128, kv = 16>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>} {
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  scf.forall (%b, %h, %t) in (2, %c4, %n) {
    scf.for %j = %c4 to %n step %c1 {
      memref.store %zero, %out[%t] : memref<?xf32>
    }
  }
  return
}

// What is no kernel stays.
// CHECK: func.func @other
// CHECK: scf.forall
func.func @other(%out: memref<?xf32>, %n: index) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    memref.store %zero, %out[%i] : memref<?xf32>
  }
  return
}

// Warps that copy are threads too.
// CHECK: gpu.func @producers
// CHECK-SAME: known_block_size = array<i32: 384, 1, 1>
func.func @producers(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %v: !m {attn.role = #attn.role<value>})
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 128, kv = 16>, roles = <warps = 8, producers = 4>>} {
  scf.forall (%b, %h, %t) in (2, 2, 2) {
  }
  return
}

// Blocks that stay: tasks have the same order, but their numbers come from a counter.
// CHECK: gpu.func @persistent(
// CHECK-SAME: %[[COUNTER:[a-z0-9]*]]: !llvm.ptr<1> {attn.role = #attn.role<counter>}) kernel
// CHECK-NOT: gpu.block_id
// CHECK: tile.tasks %{{.*}} from %[[COUNTER]] {
// CHECK-NEXT: ^bb0(%[[TASK:.*]]: i32):
// CHECK: arith.divui %[[TASK]], %
// CHECK: arith.remui %[[TASK]], %
// CHECK: tile.load
// CHECK: } : <1>
// CHECK-NEXT: gpu.return
func.func @persistent(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %v: !m {attn.role = #attn.role<value>})
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 128, kv = 16>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>} {
  scf.forall (%b, %h, %t) in (2, 2, 2) {
    %x = tile.load %q[%b, %h, %t] : !m -> tensor<128x128xbf16>
  }
  return
}
