// RUN: attn-opt %s --attn-cpu-pipeline | FileCheck %s

// Functions without instructions or polynomials: calls, or loops.
// CHECK-LABEL: llvm.func @layer(
// CHECK-NOT:   math.
// CHECK:       llvm.func {{.*}}@_mlir_ciface_layer_tasks(
func.func @layer(%q: tensor<?x?x?x16xf32>, %k: tensor<?x?x?x16xf32>, %v: tensor<?x?x?x16xf32>)
    -> tensor<?x?x?x16xf32> {
  %o = attn.attention %q, %k, %v mod @powers
    : (tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>) -> tensor<?x?x?x16xf32>
  return %o : tensor<?x?x?x16xf32>
}

attn.mod @powers
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %two = arith.constant 2 : i32
    %a = math.fpowi %s, %kv : f32, i32
    %n = math.ipowi %q, %two : i32
    %x = arith.sitofp %n : i32 to f32
    %r = math.rsqrt %a : f32
    %t = math.powf %r, %x : f32
    attn.yield %t : f32
  }
