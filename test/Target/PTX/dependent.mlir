// What LLVM makes of kernels one of which depends on the other: the merge reads nothing before it has waited.
// RUN: attn-opt %s --attn-gpu-pipeline=target=sm90a -o %t && attn-translate --attn-to-ptx %t | FileCheck %s

// CHECK: .target sm_90a
// CHECK: .entry layer(
// CHECK-NOT: {{ld.global|cp.async}}
// CHECK: griddepcontrol.launch_dependents;
// Copies fetch whole lines.
// CHECK-NOT: cp.async.cg.shared.global [
// CHECK: cp.async.cg.shared.global.L2::128B [
// CHECK-NOT: cp.async.cg.shared.global [
// CHECK: .entry layer_merge(
// CHECK-NOT: {{ld.global|ld.weak|ld.v4}}
// CHECK: griddepcontrol.wait;
// CHECK: ld.global
// CHECK: st.global
// Of gradients each kernel but the first waits before it reads or writes.
// CHECK: .entry gradients_grad_start(
// CHECK-NOT: griddepcontrol.wait
// CHECK: griddepcontrol.launch_dependents;
// CHECK: st.global
// CHECK-NOT: griddepcontrol.wait
// CHECK: .entry gradients_grad_key(
// CHECK-NOT: {{(ld|st|atom|red)\.global|cp\.async}}
// CHECK: griddepcontrol.wait;
// CHECK-NEXT: griddepcontrol.launch_dependents;
// CHECK: .entry gradients_grad_query(
// CHECK-NOT: {{ld.global|st.global}}
// CHECK: griddepcontrol.wait;
// CHECK-NOT: griddepcontrol.launch_dependents
// CHECK: ld.global
!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>
func.func @layer(%q: !q, %k: !q, %v: !q) -> !q {
  %o = attn.attention %q, %k, %v
    {schedule = #attn.schedule<tiling = <q = 16, kv = 64, pack, shares>, pipeline = <stages = 2, dependent>>}
    : (!q, !q, !q) -> !q
  return %o : !q
}
func.func @gradients(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %dq, %dk, %dv = attn.attention_backward %q, %k, %v, %o, %l, %do : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %dq, %dk, %dv : !q, !q, !q
}
