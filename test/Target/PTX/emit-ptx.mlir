// RUN: attn-opt %s --attn-gpu-pipeline | attn-translate --attn-to-ptx | FileCheck %s
// RUN: attn-opt %s --attn-gpu-pipeline | attn-translate --attn-to-ptx --chip=sm_90 \
// RUN:   | FileCheck %s --check-prefix=SM90
// RUN: attn-opt %s --attn-gpu-pipeline=target=sm90a \
// RUN:   | attn-translate --attn-to-ptx | FileCheck %s --check-prefix=SM90A

// One text for sm_80 and every later GPU, with nothing to be linked in.
// CHECK: .target sm_80
// CHECK: .address_size 64
// CHECK-NOT: .extern .func
// CHECK: .visible .entry layer(
// CHECK-DAG: cp.async.cg.shared.global
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK-DAG: ex2.approx.ftz.f32
// CHECK-DAG: shfl.sync.bfly
// CHECK: ret;
// CHECK-NOT: .extern .func
// SM90: .target sm_90

// SM90A: .target sm_90a
// SM90A: .param .align 64 .b8 layer_param_46[128]
// SM90A: .minnctapersm 1
// SM90A-DAG: wgmma.mma_async.sync.aligned
// SM90A-DAG: cp.async.bulk.tensor.4d.shared
// SM90A-DAG: setmaxnreg.inc.sync.aligned.u32
// SM90A-DAG: setmaxnreg.dec.sync.aligned.u32
!t = tensor<?x?x?x64xbf16>
func.func @layer(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v : (!t, !t, !t) -> !t
  return %o : !t
}
