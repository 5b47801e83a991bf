// RUN: attn-opt %s --attn-gpu-pipeline | FileCheck %s
// RUN: attn-opt %s --attn-gpu-pipeline="aligned=false" | FileCheck %s --check-prefix=UNALIGNED
// RUN: attn-opt %s --attn-gpu-pipeline="target=sm90a" | FileCheck %s --check-prefix=SM90A

// All the way: a mod that applies another, to a kernel of llvm and nvvm.
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
attn.mod @capped
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = math.tanh %s : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = attn.apply_mask @causal[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }

!t = tensor<?x?x?x64xbf16>

// CHECK: module attributes {gpu.container_module}
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.}}
// CHECK: gpu.module @layer_module
// CHECK: llvm.func @layer(
// CHECK-SAME: attn.shared_bytes
// CHECK-SAME: attn.signature = #attn.signature<[<query>, <key>, <value>, <out>], [memref<
// CHECK-SAME: gpu.kernel
// CHECK-SAME: gpu.known_block_size = array<i32: 128, 1, 1>
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast}}
// CHECK: nvvm.cp.async.shared.global
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast}}
// CHECK: nvvm.ldmatrix
// CHECK: nvvm.mma.sync
// CHECK: tanh.approx.f32
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: llvm.return
// CHECK-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast}}
// UNALIGNED-NOT: nvvm.cp.async.shared.global
// UNALIGNED: nvvm.mma.sync
// UNALIGNED-NOT: nvvm.cp.async.shared.global
func.func @layer(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @capped : (!t, !t, !t) -> !t
  return %o : !t
}

// SM90A-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast}}
// SM90A: llvm.func @layer(
// SM90A-SAME: nvvm.grid_constant
// SM90A-SAME: attn.signature = #attn.signature<[<query>, <key>, <value>, <out>, <counter>, <tensor_map of <query> rows {{[0-9]+}}>, <tensor_map of <key> rows {{[0-9]+}}>, <tensor_map of <value> rows {{[0-9]+}}>, <tensor_map of <out> rows 16>]
// SM90A-NOT: {{func\.func|attn\.mod|tile\.[a-z_]+ |linalg\.|scf\.|memref\.|math\.|unrealized_conversion_cast}}
// SM90A: nvvm.setmaxregister increase
// SM90A: wgmma.mma_async
// SM90A: cp.async.bulk.tensor
