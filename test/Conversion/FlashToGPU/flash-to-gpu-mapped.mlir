// Tasks that say whom they are for: blocks and threads in the order of their indices.
// RUN: attn-opt %s --flash-to-gpu --canonicalize | FileCheck %s

// CHECK: gpu.func @blocks(
// CHECK-SAME: %[[OUT:[^:]*]]: memref<?x?x?xf32>, %[[M:[^:]*]]: index, %[[N:[^:]*]]: index) kernel
// CHECK: %[[TASK:.*]] = gpu.block_id x
// CHECK: %[[T:.*]] = arith.remui %[[TASK]], %[[N]] : index
// CHECK: %[[REST:.*]] = arith.divui %[[TASK]], %[[N]] : index
// CHECK: %[[H:.*]] = arith.remui %[[REST]], %[[M]] : index
// CHECK: %[[B:.*]] = arith.divui %[[REST]], %[[M]] : index
// CHECK: memref.store %{{.*}}, %[[OUT]][%[[B]], %[[H]], %[[T]]]
// CHECK-NOT: scf
// CHECK: gpu.return
func.func @blocks(%out: memref<?x?x?xf32>, %m: index, %n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%b, %h, %t) in (%n, %m, %n) {
    memref.store %zero, %out[%b, %h, %t] : memref<?x?x?xf32>
  } {mapping = [#gpu.block<linear_dim_0>, #gpu.block<linear_dim_1>, #gpu.block<linear_dim_2>]}
  return
}

// Four warps are 128 threads, of which the last block may have some left over.
// CHECK: gpu.func @threads(
// CHECK-SAME: %[[OUT:[^:]*]]: memref<?xf32>, %[[N:[^:]*]]: index) kernel
// CHECK-SAME: known_block_size = array<i32: 128, 1, 1>
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: %[[FIRST:.*]] = arith.muli %[[BLOCK]], %[[C128]] : index
// CHECK: %[[THREAD:.*]] = gpu.thread_id x
// CHECK: %[[TASK:.*]] = arith.addi %[[FIRST]], %[[THREAD]] : index
// CHECK: %[[EXISTS:.*]] = arith.cmpi ult, %[[TASK]], %[[N]] : index
// CHECK: scf.if %[[EXISTS]] {
// CHECK:   memref.store %{{.*}}, %[[OUT]][%[[TASK]]]
func.func @threads(%out: memref<?xf32>, %n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    memref.store %zero, %out[%i] : memref<?xf32>
  } {mapping = [#gpu.thread<linear_dim_0>]}
  return
}
