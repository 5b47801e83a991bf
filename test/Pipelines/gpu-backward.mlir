// Gradients all the way: a kernel that owns queries, and one that owns keys.
// RUN: attn-opt %s --attn-gpu-pipeline | FileCheck %s
// RUN: attn-opt %s --attn-gpu-pipeline="aligned=false" | FileCheck %s --check-prefix=UNALIGNED

attn.mod @capped
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = math.tanh %s : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

!t = tensor<?x?x?x64xbf16>
!w = tensor<?x?x?x192xbf16>
!l = tensor<?x?x?xf32>

// CHECK: module attributes {gpu.container_module}
// CHECK: gpu.module @layer_grad_query_module
// CHECK: llvm.func @layer_grad_query(
// CHECK-SAME: attn.signature = #attn.signature<[<query>, <key>, <value>, <grad_out>, <statistics>, <out>, <lse>, <grad_query>], [memref<
// CHECK-SAME: gpu.kernel
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast}}
// CHECK: nvvm.cp.async.shared.global
// CHECK: nvvm.mma.sync
// CHECK: tanh.approx.f32
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: gpu.module @layer_grad_key_module
// CHECK: llvm.func @layer_grad_key(
// CHECK-SAME: attn.signature = #attn.signature<[<query>, <key>, <value>, <grad_out>, <statistics>, <grad_key>, <grad_value>], [memref<
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast}}
// CHECK: nvvm.cp.async.shared.global
// CHECK: nvvm.mma.sync
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast}}
// UNALIGNED-NOT: nvvm.cp.async.shared.global
// UNALIGNED: llvm.func @layer_grad_query(
// UNALIGNED-NOT: nvvm.cp.async.shared.global
// UNALIGNED: llvm.func @layer_grad_key(
// UNALIGNED-NOT: nvvm.cp.async.shared.global
func.func @layer(%q: !t, %k: !t, %v: !t, %o: !t, %l: !l, %do: !t) -> (!t, !t, !t) {
  %r:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @capped : (!t, !t, !t, !t, !l, !t) -> (!t, !t, !t)
  return %r#0, %r#1, %r#2 : !t, !t, !t
}

// Wide heads have a kernel for each gradient.
// CHECK: llvm.func @wide_grad_query(
// CHECK: llvm.func @wide_grad_key(
// CHECK-SAME: <statistics>, <grad_key>], [memref<
// CHECK: llvm.func @wide_grad_value(
// CHECK-SAME: <statistics>, <grad_value>], [memref<
func.func @wide(%q: !w, %k: !w, %v: !w, %o: !w, %l: !l, %do: !w) -> (!w, !w, !w) {
  %r:3 = attn.attention_backward %q, %k, %v, %o, %l, %do : (!w, !w, !w, !w, !l, !w) -> (!w, !w, !w)
  return %r#0, %r#1, %r#2 : !w, !w, !w
}
