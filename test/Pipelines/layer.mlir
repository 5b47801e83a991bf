// On a GPU what stands around attentions stays host code that the program runs: it calls
// functions whose roles say what a launch of their kernels binds.
// RUN: attn-opt %s --attn-gpu-pipeline | FileCheck %s
// RUN: attn-opt %s --attn-gpu-pipeline=target=sm90a | FileCheck %s
// RUN: attn-opt %s --attn-gpu-pipeline=target=sm90a | attn-translate --attn-to-ptx | FileCheck %s --check-prefix=PTX
// The lists of tiles have the same names.
// RUN: attn-opt %s --attn-gpu-tile-lists-pipeline | FileCheck %s --check-prefix=LISTS
// So have a CPU's kernels, which an image has for whom the host code is not for.
// RUN: attn-opt %s --attn-cpu-pipeline | attn-translate --attn-to-image | FileCheck %s --check-prefix=IMAGE
// IMAGE: kernel layer_attention_forward
// IMAGE: parameter capture 0 memory 1
// IMAGE: kernel layer_attention_0_forward

!t = tensor<?x8x?x64xbf16>

attn.mod @document(%ids: tensor<?xi32>) mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %i = attn.load %ids[%q] : tensor<?xi32>
  %j = attn.load %ids[%kv] : tensor<?xi32>
  %keep = arith.cmpi eq, %i, %j : i32
  attn.yield %keep : i1
}

// CHECK:       llvm.func @layer_attention_forward(
// CHECK-SAME:    attn.signature = #attn.signature<[<query>, <key>, <value>, <capture>, <out>, <list_order>
// CHECK:       func.func private @layer_attention(
// CHECK-SAME:    tensor<?xi32> {attn.role = #attn.role<capture>})
// CHECK-SAME:    -> (tensor<?x8x?x64xbf16> {attn.role = #attn.role<out>}) attributes {attn.kernels = [@layer_attention_forward]}
// CHECK:       llvm.func @layer_attention_0_forward(
// CHECK-LABEL: func.func @layer(
// CHECK:         %[[O:.*]] = call @layer_attention(
// CHECK:         %[[SUM:.*]] = arith.addf %[[O]], %
// CHECK:         call @layer_attention_0(%[[SUM]]

// PTX: .entry layer_attention_forward
// PTX: .entry layer_attention_0_forward

// LISTS: call @layer_attention(
// LISTS: llvm.func @layer_attention_classify
// LISTS: llvm.func @layer_attention_0_classify
func.func @layer(%q: !t, %k: !t, %v: !t, %ids: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v mod @document(%ids) : (!t, !t, !t, tensor<?xi32>) -> !t
  %r = arith.addf %o, %q : !t
  %p = attn.attention %r, %k, %v {scale = 1.0 : f32} : (!t, !t, !t) -> !t
  return %p : !t
}
