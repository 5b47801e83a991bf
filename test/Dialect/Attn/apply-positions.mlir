// RUN: attn-opt %s --attn-apply-positions --split-input-file | FileCheck %s

!t = tensor<2x4x8x64xf32>

// The attention gets a mod of its own, which captures the offset, last, and is the same but for q. Others keep
// theirs. The argument says what it is.
// CHECK-LABEL: attn.mod @near(
// CHECK-NOT: query_offset
// CHECK: func.func @layer(
// CHECK-SAME: %[[W:[^:]*]]: i32, %[[N:[^:]*]]: i32 {attn.role = #attn.role<query_offset>})
// CHECK: %[[O:.*]] = attn.attention %{{.*}} mod @near_at_offset(%[[W]], %[[N]]) : (
// CHECK: func.func @other(
// CHECK: attn.attention %{{.*}} mod @near(%{{.*}}) : (
// CHECK: attn.mod @near_at_offset(%window: i32, %query_offset: i32) score(
// CHECK-NEXT: %[[P:.*]] = arith.addi %q, %query_offset {attn.position} : i32
// CHECK-NEXT: %[[D:.*]] = arith.subi %kv, %[[P]] : i32
// CHECK: mask(
// CHECK-NEXT: %[[P:.*]] = arith.addi %q, %query_offset {attn.position} : i32
// CHECK-NEXT: attn.apply_mask @window(%window)[%b, %h, %[[P]], %kv] : i32
attn.mod @window(%window: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %keep = arith.cmpi sle, %d, %window : i32
    attn.yield %keep : i1
  }
attn.mod @near(%window: i32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %kv, %q : i32
    %x = arith.sitofp %d : i32 to f32
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = attn.apply_mask @window(%window)[%b, %h, %q, %kv] : i32
    attn.yield %keep : i1
  }
func.func @layer(%q: !t, %k: !t, %v: !t, %w: i32, %n: i32) -> !t {
  %o = attn.attention %q, %k, %v mod @near(%w) query_offset(%n) : (!t, !t, !t, i32, i32) -> !t
  return %o : !t
}
func.func @other(%q: !t, %k: !t, %v: !t, %w: i32) -> !t {
  %o = attn.attention %q, %k, %v mod @near(%w) : (!t, !t, !t, i32) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>

// One offset for each batch is read at it; a role that the argument has stays; a capture of that name too.
// CHECK: func.func @layer(
// CHECK-SAME: tensor<2xi32> {attn.role = #attn.role<capture number 3>})
// CHECK: attn.mod @m_at_offset(%query_offset: i32, %query_offset_: tensor<2xi32>) mask(
// CHECK-NEXT: %[[N:.*]] = attn.load %query_offset_[%b] : tensor<2xi32>
// CHECK-NEXT: %[[P:.*]] = arith.addi %q, %[[N]] {attn.position} : i32
// CHECK-NEXT: arith.cmpi sge, %[[P]], %query_offset
attn.mod @m(%query_offset: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %query_offset : i32
    attn.yield %keep : i1
  }
func.func @layer(%q: !t, %k: !t, %v: !t, %w: i32, %n: tensor<2xi32> {attn.role = #attn.role<capture number 3>}) -> !t {
  %o = attn.attention %q, %k, %v mod @m(%w) query_offset(%n) : (!t, !t, !t, i32, tensor<2xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>

// Without a mod nothing sees a position.
// CHECK-LABEL: func.func @plain(
// CHECK: attn.attention %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}} : (
func.func @plain(%q: !t, %k: !t, %v: !t, %n: i32) -> !t {
  %o = attn.attention %q, %k, %v query_offset(%n) : (!t, !t, !t, i32) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>

// Lengths are a capture, too, behind the offset, and the mask keeps less.
// CHECK: func.func @layer(
// CHECK-SAME: %[[N:[^:]*]]: i32 {attn.role = #attn.role<query_offset>}, %[[L:[^:]*]]: tensor<2xi32> {attn.role = #attn.role<lengths>})
// CHECK: attn.attention %{{.*}} mod @causal_at_offset_within_lengths(%[[N]], %[[L]]) : (
// CHECK: attn.mod @causal_at_offset_within_lengths(%query_offset: i32, %lengths: tensor<2xi32>) mask(
// CHECK-NEXT: %[[E:.*]] = attn.load %lengths[%b] : tensor<2xi32>
// CHECK-NEXT: %[[P:.*]] = arith.addi %q, %query_offset {attn.position} : i32
// CHECK-NEXT: %[[K:.*]] = arith.cmpi sge, %[[P]], %kv
// CHECK-NEXT: %[[I:.*]] = arith.cmpi slt, %kv, %[[E]]
// CHECK-NEXT: %[[B:.*]] = arith.andi %[[K]], %[[I]]
// CHECK-NEXT: attn.yield %[[B]]
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @layer(%q: !t, %k: !t, %v: !t, %n: i32, %l: tensor<2xi32>) -> !t {
  %o = attn.attention %q, %k, %v mod @causal query_offset(%n) lengths(%l)
    : (!t, !t, !t, i32, tensor<2xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

// A mod without a mask gets one, and so does an attention without a mod. Its offset is seen by nobody. Two attentions
// have two mods.
// CHECK: func.func @layer(
// CHECK: attn.attention %{{.*}} mod @within_lengths(%[[L:.*]]) : (
// CHECK: attn.attention %{{.*}} mod @within_lengths_0(%[[L]]) : (
// CHECK: attn.attention_backward %{{.*}} mod @twice_within_lengths(%[[L]]) : (
// CHECK: attn.mod @within_lengths(%lengths: tensor<2xi32>) mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
// CHECK-NEXT: %[[E:.*]] = attn.load %lengths[%b] : tensor<2xi32>
// CHECK-NEXT: %[[T:.*]] = arith.constant true
// CHECK-NEXT: %[[I:.*]] = arith.cmpi slt, %kv, %[[E]]
// CHECK-NEXT: %[[B:.*]] = arith.andi %[[T]], %[[I]]
// CHECK-NEXT: attn.yield %[[B]]
// CHECK: attn.mod @twice_within_lengths(%lengths: tensor<2xi32>) score(
// CHECK-NEXT: arith.addf %s, %s
// CHECK: mask(
// CHECK: arith.cmpi slt, %kv, %{{.*}}
attn.mod @twice
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = arith.addf %s, %s : f32
    attn.yield %t : f32
  }
func.func @layer(%q: !t, %s: !l, %n: i32, %l: tensor<2xi32>) -> (!t, !t, !t) {
  %o = attn.attention %q, %q, %q lengths(%l) : (!t, !t, !t, tensor<2xi32>) -> !t
  %p = attn.attention %q, %q, %q query_offset(%n) lengths(%l) : (!t, !t, !t, i32, tensor<2xi32>) -> !t
  %g:3 = attn.attention_backward %q, %q, %q, %q, %s, %q mod @twice lengths(%l)
    : (!t, !t, !t, !t, !l, !t, tensor<2xi32>) -> (!t, !t, !t)
  return %o, %p, %g#0 : !t, !t, !t
}
