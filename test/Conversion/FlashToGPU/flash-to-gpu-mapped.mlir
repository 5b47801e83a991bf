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

// Eight threads do a task with parallel loops: each has an eighth of the iterations, and all of them the sum.
// CHECK: gpu.func @teams(
// CHECK-SAME: %[[IN:[^:]*]]: memref<?xf32>, %[[OUT:[^:]*]]: memref<?xf32>, %[[N:[^:]*]]: index) kernel
// CHECK: %[[THREAD:.*]] = arith.addi
// CHECK: %[[MEMBER:.*]] = arith.remui %[[THREAD]], %c8
// CHECK: %[[TASK:.*]] = arith.divui %[[THREAD]], %c8
// CHECK: %[[EXISTS:.*]] = arith.cmpi ult, %[[TASK]], %[[N]] : index
// CHECK: scf.if %[[EXISTS]] {
// Steps of 2 begin at twice the number of a thread, and are 16 apart. Sums begin with zero.
// CHECK:   %[[FIRST:.*]] = arith.muli %[[MEMBER]], %c2
// CHECK:   %[[OWN:.*]]:2 = scf.for %[[I:.*]] = %[[FIRST]] to %[[N]] step %c16 iter_args(%[[MAX:.*]] = %{{.*}}, %[[SUM:.*]] = %{{.*}}) -> (f32, vector<2xf32>) {
// CHECK:     %[[X:.*]] = vector.load %[[IN]][%[[I]]]
// CHECK:     %[[Y:.*]] = vector.extract %[[X]][0]
// CHECK:     arith.maxnumf %[[MAX]], %[[Y]]
// CHECK:     arith.addf %[[SUM]], %[[X]]
// CHECK:   }
// CHECK:   %[[OTHER:.*]], %{{.*}} = gpu.shuffle xor %[[OWN]]#0, %c1_i32, %c32_i32 : f32
// CHECK-COUNT-2: gpu.shuffle xor %{{.*}}, %c1_i32, %c32_i32 : f32
// CHECK:   arith.maxnumf %[[OWN]]#0, %[[OTHER]]
// CHECK-COUNT-3: gpu.shuffle xor %{{.*}}, %c2_i32, %c32_i32 : f32
// CHECK-COUNT-3: gpu.shuffle xor %{{.*}}, %c4_i32, %c32_i32 : f32
// What the loop began with counts once.
// CHECK:   %[[ALL:.*]] = arith.maxnumf %{{.*}}, %c
// CHECK:   %[[WRITES:.*]] = arith.cmpi eq, %[[MEMBER]], %c0
// CHECK:   scf.if %[[WRITES]] {
// CHECK:     memref.store %{{.*}}, %[[OUT]][%[[TASK]]]
func.func @teams(%in: memref<?xf32>, %out: memref<?xf32>, %n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
  %zero = arith.constant 0 : index
  %two = arith.constant 2 : index
  %low = arith.constant -1.0 : f32
  %none = arith.constant dense<0.0> : vector<2xf32>
  scf.forall (%i) in (%n) {
    %max, %sum = scf.parallel (%j) = (%zero) to (%n) step (%two) init (%low, %none) -> (f32, vector<2xf32>) {
      %x = vector.load %in[%j] : memref<?xf32>, vector<2xf32>
      %y = vector.extract %x[0] : f32 from vector<2xf32>
      scf.reduce(%y, %x : f32, vector<2xf32>) {
      ^bb0(%a: f32, %b: f32):
        %m = arith.maxnumf %a, %b : f32
        scf.reduce.return %m : f32
      }, {
      ^bb0(%a: vector<2xf32>, %b: vector<2xf32>):
        %s = arith.addf %a, %b : vector<2xf32>
        scf.reduce.return %s : vector<2xf32>
      }
    }
    %s0 = vector.extract %sum[0] : f32 from vector<2xf32>
    %r = arith.addf %max, %s0 : f32
    memref.store %r, %out[%i] : memref<?xf32>
  } {mapping = [#gpu.thread<linear_dim_0>]}
  return
}

// Warps in a block that deal keys among them.
// CHECK: gpu.func @key_warps(
// CHECK-SAME: %[[OUT:[^:]*]]: memref<?x?xf32>, %[[N:[^:]*]]: index) kernel
// CHECK-SAME: known_block_size = array<i32: 128, 1, 1>
// CHECK-DAG: %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG: %[[BLOCK:.*]] = gpu.block_id x
// CHECK-DAG: %[[THREAD:.*]] = gpu.thread_id x
// CHECK: %[[WARP:.*]] = arith.divui %[[THREAD]], %[[C32]] : index
// CHECK: memref.store %{{.*}}, %[[OUT]][%[[BLOCK]], %[[WARP]]]
// CHECK-NOT: scf
// CHECK: gpu.return
func.func @key_warps(%out: memref<?x?xf32>, %n: index) attributes {attn.kernel,
    attn.schedule = #attn.schedule<tiling = <q = 16, kv = 64, shares>, roles = <key_warps = 4>>} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    scf.forall (%w) in (4) {
      memref.store %zero, %out[%i, %w] : memref<?x?xf32>
    } {mapping = [#gpu.warp<linear_dim_0>]}
  } {mapping = [#gpu.block<linear_dim_0>]}
  return
}
