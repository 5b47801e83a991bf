// RUN: attn-opt %s --attn-differentiate --attn-select-schedule=target=sm90a --attn-to-flash | FileCheck %s

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

// All gradients in one pass over the pairs: a kernel before it makes statistics, and clears what those of queries are
// added up in.
// CHECK-LABEL: func.func @layer_grad_start(
// CHECK-SAME: {attn.role = #attn.role<grad_out>}
// CHECK-SAME: %[[STATISTICS:[^:]*]]: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>}
// CHECK-SAME: {attn.role = #attn.role<out>}
// CHECK-SAME: {attn.role = #attn.role<lse>}
// CHECK-SAME: {attn.role = #attn.role<grad_lse>}
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?x?x8x128x4xf32> {attn.role = #attn.role<grad_query_sum>}
// CHECK-NOT: attn.role
// CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %[[T:.*]]) in
// CHECK-COUNT-2: tile.store %{{.*}}, %[[STATISTICS]]
// CHECK: tile.store %{{.*}}, %[[SUMS]][%[[B]], %[[H]], %[[T]]] held : tensor<64x64xf32>

// The one behind it scales them.
// CHECK-LABEL: func.func @layer_grad_query(
// CHECK-SAME: {attn.role = #attn.role<grad_query_sum>}
// CHECK-SAME: {attn.role = #attn.role<grad_query>}
// CHECK: tile.load {{.*}} held : memref<?x?x?x8x128x4xf32> -> tensor<64x64xf32>
// CHECK: arith.mulf %{{.*}}, %cst
// CHECK: tile.store %{{.*}} : tensor<64x64xbf16>

attn.mod @causal mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
func.func @layer(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %dl: !l) -> (!q, !q, !q) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do grad_lse(%dl) mod @causal
    : (!q, !q, !q, !q, !l, !q, !l) -> (!q, !q, !q)
  return %dq, %dk, %dv : !q, !q, !q
}
