// Whether one pass makes all gradients of 128 channels depends on what the score program makes of the score: one that
// must be kept, with its derivative, takes registers that are not there.
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=sm90a --split-input-file | FileCheck %s

!q = tensor<?x?x?x128xbf16>
!l = tensor<?x?x?xf32>

// A multiple of the score and what is added to it: the derivative does not depend on it.
// CHECK-LABEL: func.func @scaled(
// CHECK: key_schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>
attn.mod @scaled_mod(%t: f32, %r: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %r[%q] : tensor<?xf32>
    %n = arith.negf %s : f32
    %u = arith.mulf %t, %n : f32
    %v = arith.divf %s, %x : f32
    %w = arith.subf %u, %v : f32
    attn.yield %w : f32
  }
func.func @scaled(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %t: f32, %r: tensor<?xf32>) -> (!q, !q, !q) {
  %g:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @scaled_mod(%t, %r)
    : (!q, !q, !q, !q, !l, !q, f32, tensor<?xf32>) -> (!q, !q, !q)
  return %g#0, %g#1, %g#2 : !q, !q, !q
}

// -----

!q = tensor<?x?x?x128xbf16>
!l = tensor<?x?x?xf32>

// The gradient of the factor is made of the score.
// CHECK-LABEL: func.func @factor(
// CHECK-NOT: once
// CHECK: return
attn.mod @scaled_mod(%t: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %u = arith.mulf %t, %s : f32
    attn.yield %u : f32
  }
func.func @factor(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %t: f32) -> (!q, !q, !q, f32) {
  %g:4 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @scaled_mod(%t) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, f32) -> (!q, !q, !q, f32)
  return %g#0, %g#1, %g#2, %g#3 : !q, !q, !q, f32
}

// -----

!q = tensor<?x?x?x128xbf16>
!l = tensor<?x?x?xf32>

// One of two, by position.
// CHECK-LABEL: func.func @chosen(
// CHECK: owns_keys, once>
attn.mod @chosen_mod
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %far = arith.constant -1.0e4 : f32
    %later = arith.cmpi sge, %q, %kv : i32
    %u = arith.select %later, %s, %far : f32
    attn.yield %u : f32
  }
func.func @chosen(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %g:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @chosen_mod
    : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %g#0, %g#1, %g#2 : !q, !q, !q
}

// -----

!q = tensor<?x?x?x128xbf16>
!l = tensor<?x?x?xf32>

// Neither what multiplies the score by itself, nor what a branch makes of it.
// CHECK-LABEL: func.func @squared(
// CHECK-NOT: once
// CHECK: return
attn.mod @squared_mod
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %u = arith.mulf %s, %s : f32
    attn.yield %u : f32
  }
func.func @squared(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %g:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @squared_mod
    : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %g#0, %g#1, %g#2 : !q, !q, !q
}

// -----

!q = tensor<?x?x?x128xbf16>
!l = tensor<?x?x?xf32>

// CHECK-LABEL: func.func @branch(
// CHECK-NOT: once
// CHECK: return
attn.mod @branch_mod
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0.0 : f32
    %later = arith.cmpi sge, %q, %kv : i32
    %y = scf.if %later -> f32 {
      %z = arith.mulf %s, %s : f32
      scf.yield %z : f32
    } else {
      scf.yield %zero : f32
    }
    %u = arith.addf %s, %y : f32
    attn.yield %u : f32
  }
func.func @branch(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %g:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @branch_mod
    : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %g#0, %g#1, %g#2 : !q, !q, !q
}

// -----

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

// With 64 channels 128 queries are visited at a time, and 64 where a tile of registers is for what is read of pairs.
// CHECK-LABEL: func.func @plain(
// CHECK: key_schedule = #attn.schedule<tiling = <q = 128, kv = 128, owns_keys, once>
// CHECK-LABEL: func.func @pairs(
// CHECK: key_schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>
attn.mod @pair_mod(%bias: tensor<?x?xf32>) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %x = attn.load %bias[%q, %kv] : tensor<?x?xf32>
  %t = arith.addf %s, %x : f32
  attn.yield %t : f32
}
func.func @plain(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %g:3 = attn.attention_backward %q, %k, %v, %o, %l, %do : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %g#0, %g#1, %g#2 : !q, !q, !q
}
func.func @pairs(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %bias: tensor<?x?xf32>) -> (!q, !q, !q) {
  %g:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @pair_mod(%bias)
    : (!q, !q, !q, !q, !l, !q, tensor<?x?xf32>) -> (!q, !q, !q)
  return %g#0, %g#1, %g#2 : !q, !q, !q
}
