// RUN: attn-opt %s --attn-outline-attentions --verify-roundtrip | FileCheck %s
// What it leaves, it leaves again.
// RUN: attn-opt %s --attn-outline-attentions -o %t
// RUN: attn-opt %t --attn-outline-attentions | diff %t -
// Every function that holds an attention can then become a kernel.
// RUN: attn-opt %s --attn-outline-attentions --attn-mods-pipeline --attn-select-schedule --attn-to-flash -o /dev/null

!t = tensor<?x4x?x16xf32>
!l = tensor<?x4x?xf32>

attn.mod @causal mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
attn.mod @bias(%table: tensor<?xf32>, %c: f32) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %x = attn.load %table[%h] : tensor<?xf32>
  %y = arith.mulf %x, %c : f32
  %t = arith.addf %s, %y : f32
  attn.yield %t : f32
}

// A function of one attention is a kernel's already.
// CHECK-LABEL: func.func @alone
// CHECK-NEXT:    attn.attention
// CHECK-NEXT:    return
func.func @alone(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @causal : (!t, !t, !t) -> !t
  return %o : !t
}

// Two with different mods, the second with captures, in the order of its operands.
// CHECK-LABEL: func.func private @two_attention(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<?x4x?x16xf32>, %[[K:[^:]*]]: {{.*}}, %[[V:[^:]*]]: tensor<?x4x?x16xf32>)
// CHECK-NEXT:    %[[O:.*]] = attn.attention %[[Q]], %[[K]], %[[V]] mod @causal
// CHECK-NEXT:    return %[[O]]
// CHECK-LABEL: func.func private @two_attention_0(
// CHECK-SAME:    %[[Q:[^:]*]]: {{.*}}, %[[TABLE:[^:]*]]: tensor<?xf32>, %[[C:[^:]*]]: f32)
// CHECK-NEXT:    %[[O:.*]], %[[L:.*]] = attn.attention %[[Q]], %{{.*}}, %{{.*}} mod @bias(%[[TABLE]], %[[C]])
// CHECK-NEXT:    return %[[O]], %[[L]]
// CHECK-LABEL: func.func @two(
// CHECK-SAME:    %[[Q:[^:]*]]: {{.*}}, %[[K:[^:]*]]: {{.*}}, %[[V:[^:]*]]: {{.*}}, %[[C:[^:]*]]: f32, %[[TABLE:[^:]*]]: tensor<?xf32>)
// CHECK-NEXT:    %[[NEAR:.*]] = call @two_attention(%[[Q]], %[[K]], %[[V]])
// CHECK-NEXT:    %[[FAR:.*]]:2 = call @two_attention_0(%[[NEAR]], %[[K]], %[[V]], %[[TABLE]], %[[C]])
// CHECK-NEXT:    return %[[FAR]]#1, %[[FAR]]#0
func.func @two(%q: !t, %k: !t, %v: !t, %c: f32, %table: tensor<?xf32>) -> (!l, !t) {
  %near = attn.attention %q, %k, %v mod @causal : (!t, !t, !t) -> !t
  %far, %lse = attn.attention %near, %k, %v mod @bias(%table, %c) : (!t, !t, !t, tensor<?xf32>, f32) -> (!t, !l)
  return %lse, %far : !l, !t
}

// The same attention again, here in a branch, and of one tensor: no function of its own.
// CHECK-LABEL: func.func @again
// CHECK-NOT:     attn.attention
// CHECK:         scf.if
// CHECK-NEXT:      call @two_attention(%[[X:.*]], %[[X]], %[[X]])
func.func @again(%x: !t, %c: i1) -> !t {
  %r = scf.if %c -> !t {
    %o = attn.attention %x, %x, %x mod @causal : (!t, !t, !t) -> !t
    scf.yield %o : !t
  } else {
    scf.yield %x : !t
  }
  return %r : !t
}

// Another scale is another attention.
// CHECK-LABEL: func.func private @scaled_attention
// CHECK:         scale = 1.000000e+00
// CHECK-LABEL: func.func @scaled
func.func @scaled(%x: !t) -> (!t, !t) {
  %o = attn.attention %x, %x, %x mod @causal {scale = 1.0 : f32} : (!t, !t, !t) -> !t
  return %o, %x : !t, !t
}

// Forward and backward, with positions of run time.
// CHECK-LABEL: func.func private @step_attention(
// CHECK:         query_offset(%arg5) lengths(%arg6)
// CHECK-LABEL: func.func private @step_gradients(
// CHECK:         attn.attention_backward {{.*}} mod @bias({{.*}}) query_offset({{.*}}) lengths({{.*}}) {wrt = array<i64: 0>}
// CHECK-LABEL: func.func @step(
// CHECK-NEXT:    %[[O:.*]]:2 = call @step_attention
// CHECK-NEXT:    %[[D:.*]]:4 = call @step_gradients({{.*}}, %[[O]]#0, %[[O]]#1,
// CHECK-NEXT:    return %[[D]]#0, %[[D]]#3
func.func @step(%q: !t, %k: !t, %v: !t, %do: !t, %table: tensor<?xf32>, %c: f32, %n: i32, %len: tensor<?xi32>)
    -> (!t, tensor<?xf32>) {
  %o, %l = attn.attention %q, %k, %v mod @bias(%table, %c) query_offset(%n) lengths(%len)
    : (!t, !t, !t, tensor<?xf32>, f32, i32, tensor<?xi32>) -> (!t, !l)
  %dq, %dk, %dv, %dt = attn.attention_backward %q, %k, %v, %o, %l, %do mod @bias(%table, %c)
    query_offset(%n) lengths(%len) {wrt = array<i64: 0>}
    : (!t, !t, !t, !t, !l, !t, tensor<?xf32>, f32, i32, tensor<?xi32>) -> (!t, !t, !t, tensor<?xf32>)
  return %dq, %dt : !t, tensor<?xf32>
}

// A kernel is launched, not called, by who uses the module: a function that others
// call keeps its name for that.
// CHECK-LABEL: func.func private @called_attention
// CHECK-LABEL: func.func @called(
// CHECK-NEXT:    call @called_attention
// CHECK-LABEL: func.func @caller
// CHECK-NEXT:    call @called(
func.func @called(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v : (!t, !t, !t) -> !t
  return %o : !t
}
func.func @caller(%x: !t) -> !t {
  %o = call @called(%x, %x, %x) : (!t, !t, !t) -> !t
  return %o : !t
}

// Unless nobody else can launch it.
// CHECK-LABEL: func.func private @own(
// CHECK-NEXT:    attn.attention
// CHECK-LABEL: func.func @calls_own
// CHECK-NEXT:    call @own(
func.func private @own(%v: !t, %q: !t, %k: !t) -> !t {
  %o = attn.attention %q, %k, %v : (!t, !t, !t) -> !t
  return %o : !t
}
func.func @calls_own(%x: !t) -> !t {
  %o = call @own(%x, %x, %x) : (!t, !t, !t) -> !t
  return %o : !t
}
