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

// What is read of pairs is asked for before their products where registers have room for it: with 64 channels, not with
// 128 in one pass.
// CHECK-LABEL: func.func @near_grad_key(
// CHECK: %[[BIAS:.*]] = scf.if
// CHECK:   memref.load
// CHECK: %[[S:.*]] = linalg.contract
// CHECK: linalg.generic {{.*}} ins(%[[S]], %[[BIAS]] :
// CHECK-LABEL: func.func @far_grad_key(
// CHECK-NOT: scf.if {{.*}} -> (tensor<128x64xf32>)
// CHECK: linalg.contract
// CHECK: memref.load
// CHECK: tile.reduce_add
attn.mod @table(%bias: tensor<?x?xf32>) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %x = attn.load %bias[%q, %kv] : tensor<?x?xf32>
  %t = arith.addf %s, %x : f32
  attn.yield %t : f32
}
!n = tensor<?x?x?x64xbf16>
func.func @near(%q: !n, %k: !n, %v: !n, %o: !n, %l: !l, %do: !n, %bias: tensor<?x?xf32>) -> (!n, !n, !n) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do mod @table(%bias)
    : (!n, !n, !n, !n, !l, !n, tensor<?x?xf32>) -> (!n, !n, !n)
  return %dq, %dk, %dv : !n, !n, !n
}
func.func @far(%q: !w, %k: !w, %v: !w, %o: !w, %l: !l, %do: !w, %bias: tensor<?x?xf32>) -> (!w, !w, !w) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do mod @table(%bias)
    : (!w, !w, !w, !w, !l, !w, tensor<?x?xf32>) -> (!w, !w, !w)
  return %dq, %dk, %dv : !w, !w, !w
}
