// RUN: attn-opt %s --attn-cpu-pipeline | FileCheck %s
// RUN: attn-opt %s --attn-cpu-pipeline="lanes=16 registers=32" | FileCheck %s --check-prefix=WIDE

// From attention to the llvm dialect: a task, the number of tasks, their C
// interfaces, and nothing of any level above.
// CHECK-NOT:   attn.mod
// CHECK-LABEL: llvm.func @layer(
// CHECK-NOT:   scf.
// CHECK-NOT:   memref.
// CHECK:       llvm.alloca
// CHECK:       llvm.intr.fma(%{{.*}}) : (vector<16xf32>, vector<16xf32>, vector<16xf32>) -> vector<16xf32>
// CHECK-NOT:   llvm.call @malloc
// CHECK:       llvm.func @_mlir_ciface_layer(
// CHECK:       llvm.func @layer_tasks(
// CHECK:       llvm.func @_mlir_ciface_layer_tasks(
// WIDE:        llvm.intr.fma(%{{.*}}) : (vector<32xf32>
func.func @layer(%q: tensor<?x?x?x64xbf16>, %k: tensor<?x?x?x64xbf16>, %v: tensor<?x?x?x80xbf16>)
    -> (tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>) {
  %o, %lse = attn.attention %q, %k, %v mod @softcap
    : (tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x80xbf16>)
    -> (tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>)
  return %o, %lse : tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>
}

attn.mod @softcap
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = math.tanh %s : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
