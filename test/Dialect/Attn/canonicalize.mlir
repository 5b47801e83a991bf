// RUN: attn-opt %s --canonicalize --split-input-file | FileCheck %s

// A mask that is constantly true drops nothing: it disappears.
// CHECK-LABEL: attn.mod @true_mask score(
// CHECK-NOT: mask
// CHECK: func.func
attn.mod @true_mask
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = math.tanh %s : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.constant true
    attn.yield %keep : i1
  }
func.func @f() {
  return
}

// -----

// A mask that folds to true disappears too; one that folds to false stays.
// CHECK: attn.mod @folds{{$}}
// CHECK: attn.mod @false_mask mask(
// CHECK:   %[[FALSE:.*]] = arith.constant false
// CHECK:   attn.yield %[[FALSE]] : i1
attn.mod @folds
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %q : i32
    attn.yield %keep : i1
  }
attn.mod @false_mask
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.constant false
    attn.yield %keep : i1
  }

// -----

// A score that stays as it is disappears, whatever is captured before it; one
// that yields a capture stays.
// CHECK: attn.mod @same_score(%x: f32){{$}}
// CHECK: attn.mod @other_score(%x: f32) score(
// CHECK:   attn.yield %x : f32
attn.mod @same_score(%x: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    attn.yield %s : f32
  }
attn.mod @other_score(%x: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    attn.yield %x : f32
  }

// -----

// Attention with a mod that has no program left is attention without a mod, and
// captures nothing; attributes stay.
// CHECK-LABEL: func.func @drops_mod
// CHECK: attn.attention %{{.*}}, %{{.*}}, %{{.*}} {scale = 5.000000e-01 : f32} : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>) ->
attn.mod @nothing(%x: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    attn.yield %s : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.constant true
    attn.yield %keep : i1
  }
func.func @drops_mod(%q: tensor<1x1x4x8xf32>, %x: f32) -> tensor<1x1x4x8xf32> {
  %o = attn.attention %q, %q, %q mod @nothing(%x) {scale = 0.5 : f32}
    : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, f32) -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// Attention with a mod that has a program keeps it; attention that nobody reads
// goes.
// CHECK-LABEL: func.func @keeps_mod
// CHECK: attn.attention %{{.*}}, %{{.*}}, %{{.*}} mod @causal :
// CHECK-NOT: attn.attention
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @keeps_mod(%q: tensor<1x1x4x8xf32>) -> tensor<1x1x4x8xf32> {
  %o = attn.attention %q, %q, %q mod @causal
    : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<1x1x4x8xf32>
  %p = attn.attention %o, %o, %o
    : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// Loads and applications without a use go, and equal constants become one.
// CHECK: attn.mod @dead(%t: tensor<?xf32>) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
// CHECK-NEXT: %[[T:.*]] = math.absf %s : f32
// CHECK-NEXT: attn.yield %[[T]] : f32
attn.mod @noop
attn.mod @dead(%t: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%h] : tensor<?xf32>
    %y = attn.apply_score @noop[%x, %b, %h, %q, %kv]
    %z = math.absf %s : f32
    attn.yield %z : f32
  }

// -----

!t = tensor<2x4x8x64xf32>

// An offset of nothing, and one that no mod sees, disappear; others stay.
// CHECK-LABEL: func.func @offsets
// CHECK: attn.attention %{{.*}} mod @causal : (
// CHECK: attn.attention %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}} : (
// CHECK: attn.attention %{{.*}} mod @causal query_offset(%{{.*}}) : (
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @offsets(%q: !t, %k: !t, %v: !t, %n: i32) -> (!t, !t, !t) {
  %zero = arith.constant 0 : i32
  %a = attn.attention %q, %k, %v mod @causal query_offset(%zero) : (!t, !t, !t, i32) -> !t
  %b = attn.attention %q, %k, %v query_offset(%n) : (!t, !t, !t, i32) -> !t
  %c = attn.attention %q, %k, %v mod @causal query_offset(%n) : (!t, !t, !t, i32) -> !t
  return %a, %b, %c : !t, !t, !t
}

// -----

// A score that stays as it is loses its derivative with it.
// CHECK: attn.mod @same_with_adjoint mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
// CHECK-NOT: adjoint
attn.mod @same_with_adjoint
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    attn.yield %s : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  } adjoint(%s: f32, %g: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    attn.yield %g : f32
  }

// -----

!t = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

// The same of gradients: a mod without a program goes, and an offset that is nothing or that no mod sees.
// CHECK-LABEL: func.func @backward_drops
// CHECK-SAME: %[[Q:[^:]*]]: tensor<2x4x8x64xf32>, %[[L:[^:]*]]: tensor<2x4x8xf32>
// CHECK: attn.attention_backward %[[Q]], %[[Q]], %[[Q]], %[[Q]], %[[L]], %[[Q]] grad_lse(%[[L]]) {scale = 5.000000e-01 : f32} : (
// CHECK: attn.attention_backward %[[Q]], %[[Q]], %[[Q]], %[[Q]], %[[L]], %[[Q]] mod @causal : (
// CHECK: attn.attention_backward %[[Q]], %[[Q]], %[[Q]], %[[Q]], %[[L]], %[[Q]] : (
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
attn.mod @nothing(%x: f32)
func.func @backward_drops(%q: !t, %l: !l, %x: f32, %n: i32) -> (!t, !t, !t) {
  %zero = arith.constant 0 : i32
  %a:3 = attn.attention_backward %q, %q, %q, %q, %l, %q grad_lse(%l) mod @nothing(%x) query_offset(%n)
    {scale = 0.5 : f32} : (!t, !t, !t, !t, !l, !t, !l, f32, i32) -> (!t, !t, !t)
  %b:3 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @causal query_offset(%zero)
    : (!t, !t, !t, !t, !l, !t, i32) -> (!t, !t, !t)
  %c:3 = attn.attention_backward %q, %q, %q, %q, %l, %q query_offset(%n)
    : (!t, !t, !t, !t, !l, !t, i32) -> (!t, !t, !t)
  return %a#0, %b#1, %c#2 : !t, !t, !t
}

// -----

!t = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

// An offset that counts stays, and the captures of a mod without a program whose gradients are results.
// CHECK-LABEL: func.func @backward_keeps
// CHECK: attn.attention_backward %{{.*}} mod @causal query_offset(%{{.*}}) : (
// CHECK: attn.attention_backward %{{.*}} mod @nothing(%{{.*}}) {wrt = array<i64: 0>} : (
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
attn.mod @nothing(%x: f32)
func.func @backward_keeps(%q: !t, %l: !l, %x: f32, %n: i32) -> (!t, f32) {
  %a:3 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @causal query_offset(%n)
    : (!t, !t, !t, !t, !l, !t, i32) -> (!t, !t, !t)
  %b:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @nothing(%x) {wrt = array<i64: 0>}
    : (!t, !t, !t, !t, !l, !t, f32) -> (!t, !t, !t, f32)
  return %a#0, %b#3 : !t, f32
}

// -----

!t = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

// Gradients of captures that nobody reads are not asked for; those of the tensors are always results.
// CHECK-LABEL: func.func @backward_unread
// CHECK: %[[A:[^,]*]], %{{.*}}, %{{.*}}, %[[AT:[^ ]*]] = attn.attention_backward %{{.*}} mod @three(%{{.*}}) {scale = 5.000000e-01 : f32, wrt = array<i64: 1>} :
// CHECK: %{{[^,]*}}, %{{[^,]*}}, %[[B:[^ ]*]] = attn.attention_backward %{{.*}} mod @three(%{{.*}}) : (
// CHECK: %{{.*}}, %[[C:[^:]*]]:3 = attn.attention_backward %{{.*}} mod @three(%{{.*}}) {wrt = array<i64: 0, 1, 2>} : (
// CHECK: return %[[A]], %[[AT]], %[[B]], %[[C]]#0, %[[C]]#1, %[[C]]#2 :
attn.mod @three(%x: f32, %t: tensor<?xf32>, %y: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %a = attn.load %t[%h] : tensor<?xf32>
    %c = arith.mulf %x, %a : f32
    %d = arith.mulf %c, %y : f32
    %e = arith.mulf %d, %s : f32
    attn.yield %e : f32
  }
func.func @backward_unread(%q: !t, %l: !l, %x: f32, %t: tensor<?xf32>)
    -> (!t, tensor<?xf32>, !t, f32, tensor<?xf32>, f32) {
  %a:6 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @three(%x, %t, %x)
    {scale = 0.5 : f32, wrt = array<i64: 0, 1, 2>}
    : (!t, !t, !t, !t, !l, !t, f32, tensor<?xf32>, f32) -> (!t, !t, !t, f32, tensor<?xf32>, f32)
  %b:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @three(%x, %t, %x) {wrt = array<i64: 1>}
    : (!t, !t, !t, !t, !l, !t, f32, tensor<?xf32>, f32) -> (!t, !t, !t, tensor<?xf32>)
  %c:6 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @three(%x, %t, %x) {wrt = array<i64: 0, 1, 2>}
    : (!t, !t, !t, !t, !l, !t, f32, tensor<?xf32>, f32) -> (!t, !t, !t, f32, tensor<?xf32>, f32)
  return %a#0, %a#4, %b#2, %c#3, %c#4, %c#5 : !t, tensor<?xf32>, !t, f32, tensor<?xf32>, f32
}

// -----

!t = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

// Gradients of which nobody reads any go.
// CHECK-LABEL: func.func @backward_dead
// CHECK-NEXT: return
attn.mod @scaled(%x: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = arith.mulf %s, %x : f32
    attn.yield %t : f32
  }
func.func @backward_dead(%q: !t, %l: !l, %x: f32) {
  %a:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @scaled(%x) {wrt = array<i64: 0>}
    : (!t, !t, !t, !t, !l, !t, f32) -> (!t, !t, !t, f32)
  return
}

// -----

!t = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>
!k = tensor<9x4x8x64xf32>

// Lengths that are known to be those of the tensor, or more, disappear. Others stay: such as are less, and such as are
// not known. With pages the tensor's length is that of a page.
// CHECK-LABEL: func.func @lengths
// CHECK: attn.attention %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}} : (
// CHECK: attn.attention %{{.*}} lengths(%{{.*}}) : (
// CHECK: attn.attention %{{.*}} lengths(%{{.*}}) : (
// CHECK: attn.attention %{{.*}} lengths(%{{.*}}) pages(%{{.*}}) : (
// CHECK: attn.attention_backward %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}} : (
// CHECK: attn.attention_backward %{{.*}} lengths(%{{.*}}) : (
func.func @lengths(%q: !t, %h: !k, %n: tensor<2xi32>, %l: !l, %p: tensor<2x5xi32>) -> (!t, !t, !t, !t, !t, !t) {
  %all = arith.constant dense<[8, 9]> : tensor<2xi32>
  %some = arith.constant dense<[8, 7]> : tensor<2xi32>
  %a = attn.attention %q, %q, %q lengths(%all) : (!t, !t, !t, tensor<2xi32>) -> !t
  %b = attn.attention %q, %q, %q lengths(%some) : (!t, !t, !t, tensor<2xi32>) -> !t
  %c = attn.attention %q, %q, %q lengths(%n) : (!t, !t, !t, tensor<2xi32>) -> !t
  %d = attn.attention %q, %h, %h lengths(%all) pages(%p) : (!t, !k, !k, tensor<2xi32>, tensor<2x5xi32>) -> !t
  %e:3 = attn.attention_backward %q, %q, %q, %q, %l, %q lengths(%all) : (!t, !t, !t, !t, !l, !t, tensor<2xi32>) -> (!t, !t, !t)
  %f:3 = attn.attention_backward %q, %q, %q, %q, %l, %q lengths(%n) : (!t, !t, !t, !t, !l, !t, tensor<2xi32>) -> (!t, !t, !t)
  return %a, %b, %c, %d, %e#0, %f#0 : !t, !t, !t, !t, !t, !t
}
