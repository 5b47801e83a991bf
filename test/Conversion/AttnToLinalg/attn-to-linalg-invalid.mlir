// RUN: attn-opt %s --attn-to-linalg --verify-diagnostics

// Mods have to stand alone.
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
attn.mod @same
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = attn.apply_mask @causal[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }
func.func @attention(%q: tensor<1x1x4x8xf16>) -> tensor<1x1x4x8xf16> {
  // expected-error @+1 {{expects '@same' to apply no other mod: run attn-inline-mods}}
  %o = attn.attention %q, %q, %q mod @same : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>) -> tensor<1x1x4x8xf16>
  return %o : tensor<1x1x4x8xf16>
}

attn.mod @tanh
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = math.tanh %s : f32
    attn.yield %t : f32
  }
func.func @backward(%q: tensor<1x1x4x8xf16>, %l: tensor<1x1x4xf32>) -> tensor<1x1x4x8xf16> {
  // expected-error @+1 {{expects '@tanh' to have an adjoint program: run attn-differentiate}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q mod @tanh : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4xf32>, tensor<1x1x4x8xf16>) -> (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>)
  return %dq : tensor<1x1x4x8xf16>
}
