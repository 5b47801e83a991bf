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
!q = tensor<?x?x?x64xbf16>
func.func @layer(%q: !q, %k: !q, %v: !q) -> !q {
  %o = attn.attention %q, %k, %v
    {schedule = #attn.schedule<tiling = <q = 16, kv = 64, pack, shares>, pipeline = <stages = 2, dependent>>}
    : (!q, !q, !q) -> !q
  return %o : !q
}
