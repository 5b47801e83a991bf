// RUN: attn-opt %s --flash-to-gpu --verify-roundtrip | FileCheck %s

// Block i of a grid of batch * heads * tiles does iteration i, whose last dimension
// runs fastest. Two warps are 64 threads.
// CHECK: module attributes {gpu.container_module}
// CHECK: gpu.module @layer_module {
// CHECK: gpu.func @layer(%[[OUT:.*]]: memref<?xf32>, %[[N:.*]]: index) kernel
// CHECK-SAME: attn.schedule = #attn.schedule<q = 32, kv = 16, warps = 2>
// CHECK-SAME: known_block_size = array<i32: 64, 1, 1>
// CHECK: %[[ID:.*]] = gpu.block_id x
// CHECK: %[[T:.*]] = arith.remui %[[ID]], %[[N]] : index
// CHECK: %[[REST:.*]] = arith.divui %[[ID]], %[[N]] : index
// CHECK: %[[H:.*]] = arith.remui %[[REST]], %[[HEADS:.*]] : index
// CHECK: %[[B:.*]] = arith.divui %[[REST]], %[[HEADS]] : index
// CHECK-NOT: scf.forall
// CHECK: %[[BH:.*]] = arith.addi %[[B]], %[[H]] : index
// CHECK: arith.addi %[[BH]], %[[T]] : index
// CHECK: gpu.return
func.func @layer(%out: memref<?xf32>, %n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<q = 32, kv = 16, warps = 2>} {
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  scf.forall (%b, %h, %t) in (2, %c4, %n) {
    %bh = arith.addi %b, %h : index
    %i = arith.addi %bh, %t : index
    memref.store %zero, %out[%i] : memref<?xf32>
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
