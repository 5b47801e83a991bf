// The kernel that makes all gradients in one pass over the pairs carries sums of rows of keys too, for each head of the
// group.
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=sm90a --attn-to-flash --canonicalize --cse \
// RUN:   | FileCheck %s

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

// CHECK-LABEL: func.func @layer_grad_start(
// CHECK-SAME: %[[STATISTICS:[^:]*]]: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>}
// CHECK-NOT: workspace
// CHECK-DAG: tile.store %{{.*}}, %[[STATISTICS]][%{{.*}}, %{{.*}}, %c1, %{{.*}}]
// CHECK-DAG: tile.store %{{.*}}, %[[STATISTICS]][%{{.*}}, %{{.*}}, %c0, %{{.*}}]
// CHECK-LABEL: func.func @layer_grad_key(
// CHECK-SAME: %[[ROWS:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>}
// CHECK-SAME: owns_keys, once>
// CHECK: scf.for {{.*}} -> (tensor<128x64xf32>, tensor<128x64xf32>) : i32 {
// CHECK: %[[R:.*]]:3 = scf.for {{.*}} -> (tensor<128x64xf32>, tensor<128x64xf32>, tensor<128xf32>) : i32 {
// Positions outside of the tensors do no harm here, so that one conversion serves for all of a thread's.
// CHECK-COUNT-2: arith.truncf
// CHECK-NOT: arith.minsi
// CHECK: arith.sitofp
// CHECK: linalg.reduce
// CHECK: tile.reduce_add
// CHECK: tile.store %[[R]]#2, %[[ROWS]]
// CHECK-NOT: tile.scatter_add
// CHECK-LABEL: func.func @layer_grad_query(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @layer_grad_rows_0(
// CHECK: tile.scatter_add
// CHECK-LABEL: func.func @layer_grad_sum_0(
attn.mod @alibi(%slopes: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %m = attn.load %slopes[%h] : tensor<?xf32>
    %d = arith.subi %kv, %q : i32
    %f = arith.sitofp %d : i32 to f32
    %x = arith.mulf %f, %m : f32
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @layer(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %m: tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>) {
  %r:4 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @alibi(%m) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, tensor<?xf32>
}
