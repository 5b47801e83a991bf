// RUN: attn-opt %s --attn-differentiate --attn-select-schedule=target=sm90a --attn-to-flash | FileCheck %s

!q = tensor<?x?x?x64xbf16>
!w = tensor<?x?x?x128xbf16>
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

// Its tasks own keys. Rows of keys that are not finite are set aside first: what the mask drops must not meet them in
// the product with keys.
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

// Without a mask nothing is dropped.
// CHECK-LABEL: func.func @plain_grad_key(
// CHECK-NOT: tile.isolate_nonfinite
func.func @plain(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do
    : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %dq, %dk, %dv : !q, !q, !q
}

// With 128 channels products start with what is subtracted from them, and no statistic is read between them.
// CHECK-LABEL: func.func @wide_grad_key(
// CHECK: %[[LSE:.*]] = tile.load {{.*}} -> tensor<64xf32>
// CHECK: %[[START:.*]] = linalg.generic {{.*}} ins(%[[LSE]] : tensor<64xf32>)
// CHECK: %[[S:.*]] = linalg.contract {{.*}} outs(%[[START]] :
// CHECK: math.exp2
// CHECK: %[[DELTA:.*]] = tile.load {{.*}} -> tensor<64xf32>
// CHECK: %[[START:.*]] = linalg.generic {{.*}} ins(%[[DELTA]] : tensor<64xf32>)
// CHECK: %[[DP:.*]] = linalg.contract {{.*}} outs(%[[START]] :
// CHECK-NOT: arith.subf
// CHECK: tile.reduce_add
func.func @wide(%q: !w, %k: !w, %v: !w, %o: !w, %l: !l, %do: !w) -> (!w, !w, !w) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do mod @bias
    : (!w, !w, !w, !w, !l, !w) -> (!w, !w, !w)
  return %dq, %dk, %dv : !w, !w, !w
}
attn.mod @bias score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %d = arith.subi %q, %kv : i32
  %f = arith.sitofp %d : i32 to f32
  %t = arith.addf %f, %s : f32
  attn.yield %t : f32
}

// Not where scores are not s plus something, nor where s is next to nothing of a product.
// CHECK-LABEL: func.func @squares_grad_key(
// CHECK: linalg.contract
// CHECK: arith.subf
// CHECK-NEXT: math.exp2
// CHECK: linalg.contract
// CHECK: arith.subf
func.func @squares(%q: !w, %k: !w, %v: !w, %o: !w, %l: !l, %do: !w) -> (!w, !w, !w) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do mod @square
    : (!w, !w, !w, !w, !l, !w) -> (!w, !w, !w)
  return %dq, %dk, %dv : !w, !w, !w
}
attn.mod @square score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %t = arith.mulf %s, %s : f32
  attn.yield %t : f32
}
// CHECK-LABEL: func.func @tiny_grad_key(
// CHECK: linalg.contract
// CHECK: arith.subf
// CHECK-NEXT: math.exp2
// CHECK: linalg.contract
// CHECK: arith.subf
func.func @tiny(%q: !w, %k: !w, %v: !w, %o: !w, %l: !l, %do: !w) -> (!w, !w, !w) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do {scale = 1.0e-7 : f32}
    : (!w, !w, !w, !w, !l, !w) -> (!w, !w, !w)
  return %dq, %dk, %dv : !w, !w, !w
}
