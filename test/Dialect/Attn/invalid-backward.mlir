// RUN: attn-opt %s --split-input-file --verify-diagnostics

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c1(%q: !q, %k: tensor<2x4x8x32xf32>, %l: !l) {
  // expected-error @+1 {{expects 'key' head dimension 64 like 'query', got 32}}
  %dq, %dk, %dv = attn.attention_backward %q, %k, %q, %q, %l, %q : (!q, tensor<2x4x8x32xf32>, !q, !q, !l, !q) -> (!q, tensor<2x4x8x32xf32>, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c1_grad_out(%q: !q, %o: tensor<2x4x8x?xf32>, %l: !l) {
  // expected-error @+1 {{expects 'grad_out' to be 'tensor<2x4x8x64xf32>' like 'out', got 'tensor<2x4x8x?xf32>'}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %o : (!q, !q, !q, !q, !l, tensor<2x4x8x?xf32>) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>

func.func @c2(%q: !q, %l: tensor<2x4xf32>) {
  // expected-error @+1 {{expects 'lse' of rank 3, got rank 2}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q : (!q, !q, !q, !q, tensor<2x4xf32>, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c2_grad_lse(%q: !q, %l: !l, %g: tensor<2x4x9xf32>) {
  // expected-error @+1 {{expects 'grad_lse' length 8 like 'query', got 9}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q grad_lse(%g) : (!q, !q, !q, !q, !l, !q, tensor<2x4x9xf32>) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c3(%q: !q, %l: !l) {
  // expected-error @+1 {{expects '@nobody' to be an attn.mod of this module}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q mod @nobody : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c3_offset(%q: !q, %l: !l, %n: tensor<3xi32>) {
  // expected-error @+1 {{expects 'query_offset' size 2 like 'query', got 3}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q query_offset(%n) : (!q, !q, !q, !q, !l, !q, tensor<3xi32>) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c3_lengths(%q: !q, %l: !l, %n: tensor<3xi32>) {
  // expected-error @+1 {{expects 'lengths' size 2 like 'query', got 3}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q lengths(%n) : (!q, !q, !q, !q, !l, !q, tensor<3xi32>) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c4(%q: !q, %l: !l) {
  // expected-error @+1 {{expects 'grad_key' to be 'tensor<2x4x8x64xf32>' like 'key', got 'tensor<2x4x8x64xbf16>'}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q : (!q, !q, !q, !q, !l, !q) -> (!q, tensor<2x4x8x64xbf16>, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

attn.mod @m(%a: tensor<?xf32>, %n: i32, %c: f16)
func.func @c5_count(%q: !q, %l: !l, %a: tensor<4xf32>, %n: i32, %c: f16) {
  // expected-error @+1 {{expects 1 gradients of captures, got 0}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q mod @m(%a, %n, %c) {wrt = array<i64: 0>} : (!q, !q, !q, !q, !l, !q, tensor<4xf32>, i32, f16) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

attn.mod @m(%a: tensor<?xf32>, %n: i32, %c: f16)
func.func @c5_order(%q: !q, %l: !l, %a: tensor<4xf32>, %n: i32, %c: f16) {
  // expected-error @+1 {{expects 'wrt' to number some of the 3 captures, ascending, got 0}}
  %dq, %dk, %dv, %dc, %da = attn.attention_backward %q, %q, %q, %q, %l, %q mod @m(%a, %n, %c) {wrt = array<i64: 2, 0>} : (!q, !q, !q, !q, !l, !q, tensor<4xf32>, i32, f16) -> (!q, !q, !q, f32, tensor<4xf32>)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

attn.mod @m(%a: tensor<?xf32>, %n: i32, %c: f16)
func.func @c5_integer(%q: !q, %l: !l, %a: tensor<4xf32>, %n: i32, %c: f16) {
  // expected-error @+1 {{expects 'wrt' to number captures of floats, got 1, which is 'i32'}}
  %dq, %dk, %dv, %dn = attn.attention_backward %q, %q, %q, %q, %l, %q mod @m(%a, %n, %c) {wrt = array<i64: 1>} : (!q, !q, !q, !q, !l, !q, tensor<4xf32>, i32, f16) -> (!q, !q, !q, f32)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

attn.mod @m(%a: tensor<?xf32>, %n: i32, %c: f16)
func.func @c5_type(%q: !q, %l: !l, %a: tensor<4xf32>, %n: i32, %c: f16) {
  // expected-error @+1 {{expects the gradient of capture 0 to be 'tensor<4xf32>', got 'tensor<?xf32>'}}
  %dq, %dk, %dv, %da = attn.attention_backward %q, %q, %q, %q, %l, %q mod @m(%a, %n, %c) {wrt = array<i64: 0>} : (!q, !q, !q, !q, !l, !q, tensor<4xf32>, i32, f16) -> (!q, !q, !q, tensor<?xf32>)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c6_queries(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'schedule' without 'owns_keys', got #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c6_pack(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'schedule' without 'pack', got #attn.schedule<tiling = <q = 64, kv = 64, pack>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64, pack>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c6_keys(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'key_schedule' with 'owns_keys', got #attn.schedule<tiling = <q = 64, kv = 64>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {key_schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c6_values(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'value_schedule' with 'owns_keys', got #attn.schedule<tiling = <q = 64, kv = 64>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {value_schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c6_captures(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'capture_schedule' without 'owns_keys', got #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {capture_schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

func.func @c6_shares(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'schedule' without 'shares', got #attn.schedule<tiling = <q = 64, kv = 64, shares>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64, shares>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>
#once = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>

func.func @c7_values(%q: !q, %l: !l) {
  // expected-error @+1 {{expects no 'value_schedule' beside 'once'}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {key_schedule = #once, value_schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>
#once = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>

func.func @c7_queries(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'schedule' without producers beside 'once', got #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {key_schedule = #once, schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>
#once = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>

// What is added up in any order has not the same bits each time.
func.func @c7_deterministic(%q: !q, %l: !l) {
  // expected-error @+1 {{expects no 'once' where it is 'deterministic'}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {deterministic, key_schedule = #once} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

!q = tensor<2x4x8x64xbf16>
!l = tensor<2x4x8xf32>

func.func @c8(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'capture_schedule' without producers, got #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {capture_schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}

// -----

attn.mod @accumulate_c1(%c: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects to be inside of the adjoint program of a mod}}
    attn.accumulate %c[%h], %s : tensor<?xf32>
    attn.yield %s : f32
  }

// -----

attn.mod @accumulate_c2(%c: tensor<?xi32>)
  adjoint(%s: f32, %g: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects a capture of floats, got 'tensor<?xi32>'}}
    attn.accumulate %c[%h], %g : tensor<?xi32>
    attn.yield %g : f32
  }

// -----

attn.mod @accumulate_c3(%c: tensor<?x?xf32>)
  adjoint(%s: f32, %g: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects 2 indices, got 1}}
    attn.accumulate %c[%h], %g : tensor<?x?xf32>
    attn.yield %g : f32
  }

// -----

// mod_c8
// expected-error @+1 {{expects the adjoint program to take ('f32', 'f32', 'i32', 'i32', 'i32', 'i32'), got ('f32', 'i32', 'i32', 'i32', 'i32')}}
attn.mod @mod_c8
  adjoint(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    attn.yield %s : f32
  }

// -----

!q = tensor<1x2x4x16xf32>
!l = tensor<1x2x4xf32>
func.func @c6_chunk(%q: !q, %l: !l) {
  // expected-error @+1 {{expects a 'schedule' without 'chunk', got #attn.schedule<tiling = <q = 64, kv = 64, chunk = 4>>}}
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64, chunk = 4>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return
}
