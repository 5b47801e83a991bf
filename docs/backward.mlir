// The gradients of docs/layer.mlir's attention; README.md shows what becomes of it.
!q = tensor<?x8x?x64xbf16>
!lse = tensor<?x8x?xf32>
attn.mod @softcapped score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %t = math.tanh %s : f32
  attn.yield %t : f32
} mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
func.func @layer(%q: !q, %k: !q, %v: !q, %o: !q, %l: !lse, %do: !q) -> (!q, !q, !q) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do mod @softcapped
    : (!q, !q, !q, !q, !lse, !q) -> (!q, !q, !q)
  return %dq, %dk, %dv : !q, !q, !q
}
