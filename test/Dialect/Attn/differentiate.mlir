// RUN: attn-opt %s --attn-differentiate --canonicalize --cse --split-input-file | FileCheck %s
// RUN: attn-opt %s --attn-differentiate --split-input-file | FileCheck %s --check-prefix=ALONE

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

// A term that is added hands the gradient on; of the slope it is multiplied by the other factor.
// Of itself the pass leaves nothing of the score program that the adjoint one does not need.
// ALONE-LABEL: attn.mod @alibi
// ALONE: adjoint(
// ALONE-NEXT: arith.subi %kv, %q : i32
// ALONE-NEXT: arith.sitofp
// ALONE-NEXT: arith.mulf %g,
// ALONE-NEXT: attn.accumulate %slopes[%h]
// ALONE-NEXT: attn.yield %g : f32
// CHECK-LABEL: attn.mod @alibi
// CHECK: adjoint(%s: f32, %g: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
// CHECK: %[[F:.*]] = arith.sitofp
// CHECK: %[[Y:.*]] = arith.mulf %g, %[[F]] : f32
// CHECK: attn.accumulate %slopes[%h], %[[Y]] : tensor<?xf32>
// CHECK: attn.yield %g : f32
attn.mod @alibi(%slopes: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %m = attn.load %slopes[%h] : tensor<?xf32>
    %d = arith.subi %kv, %q : i32
    %f = arith.sitofp %d : i32 to f32
    %x = arith.mulf %f, %m : f32
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @layer(%q: !q, %l: !l, %m: tensor<4xf32>) -> tensor<4xf32> {
  %dq, %dk, %dv, %dm = attn.attention_backward %q, %q, %q, %q, %l, %q mod @alibi(%m) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, tensor<4xf32>) -> (!q, !q, !q, tensor<4xf32>)
  return %dm : tensor<4xf32>
}

// -----

!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>

// Nobody asks for the captures' gradients: the branch yields the score's only. What does not depend on the score
// has no part in it.
// CHECK-LABEL: attn.mod @branches
// CHECK: adjoint(%s: f32, %g: f32,
// CHECK-NOT: attn.accumulate
// CHECK: %[[R:.*]] = scf.if %{{.*}} -> (f32) {
// CHECK:   %[[T:.*]] = math.tanh
// CHECK:   %[[TT:.*]] = arith.mulf %[[T]], %[[T]]
// CHECK:   %[[D:.*]] = arith.subf %{{.*}}, %[[TT]]
// CHECK:   %[[GD:.*]] = arith.mulf %g, %[[D]]
// CHECK:   %[[GDC:.*]] = arith.mulf %[[GD]], %c
// CHECK:   scf.yield %[[GDC]] : f32
// CHECK: } else {
// CHECK:   scf.yield %{{.*}} : f32
// CHECK: attn.yield %[[R]] : f32
attn.mod @branches(%c: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %later = arith.cmpi sgt, %q, %kv : i32
    %t = scf.if %later -> f32 {
      %x = arith.mulf %s, %c : f32
      %y = math.tanh %x : f32
      scf.yield %y : f32
    } else {
      scf.yield %c : f32
    }
    attn.yield %t : f32
  }
func.func @layer(%q: !q, %l: !l, %c: f32) -> !q {
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q mod @branches(%c)
    : (!q, !q, !q, !q, !l, !q, f32) -> (!q, !q, !q)
  return %dq : !q
}

// -----

// A mod of no gradient has no adjoint program, nor one without a score program.
// CHECK-NOT: adjoint
!q = tensor<2x4x8x64xf32>
!l = tensor<2x4x8xf32>
attn.mod @tanh
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = math.tanh %s : f32
    attn.yield %t : f32
  }
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @layer(%q: !q, %l: !l) -> (!q, !q) {
  %o = attn.attention %q, %q, %q mod @tanh : (!q, !q, !q) -> !q
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q mod @causal : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %o, %dq : !q, !q
}
