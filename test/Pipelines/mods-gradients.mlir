// RUN: attn-opt %s --attn-mods-pipeline | FileCheck %s

// What an adjoint program computes again decides as the score program did; what is new in it decides nothing there.
// CHECK-LABEL: attn.mod @decides
// CHECK: adjoint(
// CHECK: %[[X:.*]] = arith.mulf %s, %s {attn.exact} : f32
// CHECK: arith.cmpf ogt, %[[X]], %{{.*}} : f32
attn.mod @decides
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %one = arith.constant 1.0 : f32
    %x = arith.mulf %s, %s : f32
    %large = arith.cmpf ogt, %x, %one : f32
    %y = math.tanh %s : f32
    %t = arith.select %large, %y, %s : f32
    attn.yield %t : f32
  }
func.func @gradients(%q: tensor<1x1x4x8xf32>, %l: tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32> {
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q mod @decides
    : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4xf32>, tensor<1x1x4x8xf32>)
      -> (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>)
  return %dq : tensor<1x1x4x8xf32>
}
