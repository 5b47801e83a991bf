// RUN: attn-opt %s --attn-to-flash --split-input-file --verify-diagnostics

!t = tensor<?x?x?x64xf32>

func.func @no_schedule(%q: !t) -> !t {
  // expected-error @+1 {{'attn.attention' op expects a schedule: run attn-select-schedule first}}
  %o = attn.attention %q, %q, %q : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

!t = tensor<2x2x32x64xf32>

// A kernel reads memory that its caller gives it.
func.func @operand(%q: !t) -> !t {
  %k = arith.constant dense<1.0> : !t
  // expected-error @+1 {{'attn.attention' op expects every operand to be an argument of the function}}
  %o = attn.attention %q, %k, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xf32>

func.func @twice(%q: !t) -> (!t, !t) {
  // expected-error @+1 {{'attn.attention' op expects a function that holds nothing else and returns its results}}
  %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  %p = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  return %o, %p : !t, !t
}

// -----

!t = tensor<?x?x?x64xf32>

func.func @returns_argument(%q: !t) -> (!t, !t) {
  // expected-error @+1 {{'attn.attention' op expects a function that holds nothing else and returns its results}}
  %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  return %o, %q : !t, !t
}

// -----

!t = tensor<?x?x?x64xf32>

func.func @nested(%q: !t, %c: i1) -> !t {
  %r = scf.if %c -> !t {
    // expected-error @+1 {{'attn.attention' op expects to be directly inside a function}}
    %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
    scf.yield %o : !t
  } else {
    scf.yield %q : !t
  }
  return %r : !t
}

// -----

!t = tensor<?x?x?x64xf32>

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
attn.mod @applies
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{'attn.apply_mask' op expects to be inlined: run attn-inline-mods first}}
    %keep = attn.apply_mask @causal[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }
func.func @not_inlined(%q: !t) -> !t {
  %o = attn.attention %q, %q, %q mod @applies {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>}
    : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xf32>

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @offset(%q: !t, %n: i32) -> !t {
  // expected-error @+1 {{'attn.attention' op expects its query offset and lengths to be captures: run attn-apply-positions first}}
  %o = attn.attention %q, %q, %q mod @causal query_offset(%n) {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t, i32) -> !t
  return %o : !t
}

// -----

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

attn.mod @temperature(%c: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = arith.mulf %s, %c : f32
    attn.yield %t : f32
  }
func.func @no_adjoint(%q: !q, %l: !l, %c: f32) -> (!q, !q, !q) {
  // expected-error @+1 {{expects '@temperature' to have an adjoint program: run attn-differentiate}}
  %r:3 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @temperature(%c) {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>, key_schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>} : (!q, !q, !q, !q, !l, !q, f32) -> (!q, !q, !q)
  return %r#0, %r#1, %r#2 : !q, !q, !q
}

// -----

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

func.func @no_key_schedule(%q: !q, %l: !l) -> (!q, !q, !q) {
  // expected-error @+1 {{'attn.attention_backward' op expects a schedule: run attn-select-schedule first}}
  %r:3 = attn.attention_backward %q, %q, %q, %q, %l, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %r#0, %r#1, %r#2 : !q, !q, !q
}

// -----

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

attn.mod @temperature(%c: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = arith.mulf %s, %c : f32
    attn.yield %t : f32
  }
  adjoint(%s: f32, %g: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = arith.mulf %g, %s : f32
    attn.accumulate %c[], %t : f32
    %u = arith.mulf %g, %c : f32
    attn.yield %u : f32
  }
func.func @sums_in_one_pass(%q: !q, %l: !l, %c: f32) -> (!q, !q, !q, f32) {
  // expected-error @+1 {{'attn.attention_backward' op expects a 'capture_schedule' for 'wrt' beside 'once'}}
  %r:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @temperature(%c) {wrt = array<i64: 0>, schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>, key_schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>} : (!q, !q, !q, !q, !l, !q, f32) -> (!q, !q, !q, f32)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, f32
}

// -----

!t = tensor<?x?x?x64xf32>

// Who launches it and who calls it would want other things of one name.
func.func @public(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @+1 {{expects a function that is called to be private, and to have an argument for each operand: run attn-outline-attentions first}}
  %o = attn.attention %q, %k, %v {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  return %o : !t
}
func.func @caller(%q: !t) -> !t {
  %o = call @public(%q, %q, %q) : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xf32>

func.func private @one_argument(%q: !t) -> !t {
  // expected-error @+1 {{expects a function that is called to be private, and to have an argument for each operand: run attn-outline-attentions first}}
  %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  return %o : !t
}
func.func @caller(%q: !t) -> !t {
  %o = call @one_argument(%q) : (!t) -> !t
  return %o : !t
}

// -----

func.func @merged_among_others(%a: tensor<2x8x?x64xbf16>, %x: tensor<2x8x?xf32>) -> tensor<2x8x?x64xbf16> {
  // expected-error @+1 {{'attn.merge' op expects a function that holds nothing else and returns its results: it cannot stand among other operations yet}}
  %o, %l = attn.merge(%a, %a) lses(%x, %x) : (tensor<2x8x?x64xbf16>, tensor<2x8x?x64xbf16>, tensor<2x8x?xf32>, tensor<2x8x?xf32>) -> (tensor<2x8x?x64xbf16>, tensor<2x8x?xf32>)
  return %o : tensor<2x8x?x64xbf16>
}
