// RUN: attn-opt %s --attn-differentiate --attn-select-schedule=target=sm90a --attn-to-flash -o %t
// RUN: FileCheck %s < %t
// RUN: FileCheck %s --check-prefix=LAUNCH < %t

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

// Each kernel may begin before the one ahead of it ends, and waits for that before anything else.
// LAUNCH: func.func @layer_grad_start(
// LAUNCH-NOT: tile.await_prerequisites
// LAUNCH: tile.launch_dependents
// LAUNCH: scf.forall
// LAUNCH: func.func @layer_grad_key(
// LAUNCH-NEXT: tile.await_prerequisites
// LAUNCH-NEXT: tile.launch_dependents
// LAUNCH: scf.forall
// LAUNCH: func.func @layer_grad_query(
// LAUNCH-NEXT: tile.await_prerequisites
// LAUNCH-NOT: tile.launch_dependents
// LAUNCH: scf.forall

// All gradients in one pass over the pairs: the kernel whose tasks own keys. Rows of keys that are not finite are set
// aside first: what the mask drops must not meet them in the product with keys.
// CHECK-LABEL: func.func @layer_grad_key(
// CHECK-SAME: %[[DQ:[^:]*]]: memref<?x?x?x8x128x4xf32> {attn.role = #attn.role<grad_query_sum>}
// CHECK: %[[K:.*]] = tile.load {{.*}} -> tensor<128x64xbf16>
// CHECK: %[[ROWS:.*]], %[[ANY:.*]] = tile.isolate_nonfinite %[[K]]
// CHECK: scf.for
// CHECK: scf.for
// CHECK: %[[S:.*]] = linalg.contract {{.*}} ins(%[[K]],
// CHECK: scf.if %[[ANY]]
// CHECK-NEXT: tensor.empty
// CHECK-NEXT: linalg.generic {{.*}} ins(%[[S]], %[[ROWS]]
// CHECK: math.exp2
// CHECK: %[[SUM:.*]] = linalg.contract indexing_maps = [#[[KI:.*]], #{{.*}}, #{{.*}}] ins(%{{.*}}, %[[K]] : tensor<128x128xbf16>, tensor<128x64xbf16>) outs(%{{.*}} : tensor<128x64xf32>)
// CHECK: tile.reduce_add %[[SUM]], %[[DQ]]
// CHECK-COUNT-2: tile.store

attn.mod @causal mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
func.func @layer(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %dl: !l) -> (!q, !q, !q) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do grad_lse(%dl) mod @causal
    : (!q, !q, !q, !q, !l, !q, !l) -> (!q, !q, !q)
  return %dq, %dk, %dv : !q, !q, !q
}

// Without a mask nothing is dropped.
// CHECK-LABEL: func.func @plain_grad_key(
// CHECK-NOT: tile.isolate_nonfinite
func.func @plain(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do
    : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %dq, %dk, %dv : !q, !q, !q
}
