// RUN: attn-opt %s --attn-differentiate --attn-select-schedule=target=sm90a --attn-to-flash | FileCheck %s

!w = tensor<?x?x?x128xbf16>
!l = tensor<?x?x?xf32>

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
