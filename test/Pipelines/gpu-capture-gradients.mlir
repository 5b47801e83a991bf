// Gradients of captures all the way: beside the kernels of either family one that adds pairs to slots, of the family
// that every GPU runs, and one that sums the slots.
// RUN: attn-opt %s --attn-gpu-pipeline | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: attn-opt %s --attn-gpu-pipeline=target=sm90a | FileCheck %s --check-prefixes=CHECK,SM90A

attn.mod @relative(%t: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %x = attn.load %t[%d] : tensor<?xf32>
    %y = arith.addf %s, %x : f32
    attn.yield %y : f32
  }

!t = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

// SM80: llvm.func @layer_grad_query(
// SM80: nvvm.mma.sync
// SM80: llvm.func @layer_grad_key(
// SM90A: llvm.func @layer_grad_start(
// SM90A: llvm.func @layer_grad_key(
// SM90A: wgmma.mma_async
// SM90A: llvm.func @layer_grad_query(
// CHECK: llvm.func @layer_grad_pairs_0(
// CHECK-SAME: attn.signature = #attn.signature<[<query>, <key>, <value>, <capture>, <grad_out>, <statistics>, <workspace>], [memref<
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast|wgmma}}
// CHECK: nvvm.cp.async.shared.global
// CHECK: nvvm.mma.sync
// CHECK: nvvm.match.sync any
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast|wgmma}}
// CHECK: llvm.func @layer_grad_sum_0(
// CHECK-SAME: attn.signature = #attn.signature<[<capture>, <workspace>, <grad_capture>], [memref<
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast|nvvm\.barrier}}
func.func @layer(%q: !t, %k: !t, %v: !t, %o: !t, %l: !l, %do: !t, %r: tensor<?xf32>) -> (!t, !t, !t, tensor<?xf32>) {
  %g:4 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @relative(%r) {wrt = array<i64: 0>}
    : (!t, !t, !t, !t, !l, !t, tensor<?xf32>) -> (!t, !t, !t, tensor<?xf32>)
  return %g#0, %g#1, %g#2, %g#3 : !t, !t, !t, tensor<?xf32>
}
