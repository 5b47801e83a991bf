// RUN: attn-opt %s --attn-differentiate --split-input-file --verify-diagnostics

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

attn.mod @inner
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    attn.yield %s : f32
  }
// expected-error @+1 {{'attn.mod' op expects a mod that stands alone: run attn-inline-mods first}}
attn.mod @outer
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = attn.apply_score @inner[%s, %b, %h, %q, %kv]
    attn.yield %t : f32
  }
func.func @layer(%q: !q, %l: !l) -> !q {
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q mod @outer : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %dq : !q
}
