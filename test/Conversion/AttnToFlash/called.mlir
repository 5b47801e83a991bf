// Functions that host code calls become declarations that say what a call is of.
// RUN: attn-opt %s --attn-to-flash --verify-diagnostics | FileCheck %s --check-prefixes=CHECK,LISTS
// RUN: attn-opt %s --attn-to-flash=lists-for-calls=false 2>&1 | FileCheck %s --check-prefixes=CHECK,BOUNDS

!t = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

attn.mod @document(%ids: tensor<?xi32>) mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %i = attn.load %ids[%q] : tensor<?xi32>
  %j = attn.load %ids[%kv] : tensor<?xi32>
  %keep = arith.cmpi eq, %i, %j : i32
  attn.yield %keep : i1
}

// Without lists kernels take what a call has: the first and the last tile bound the visits.
// BOUNDS:       remark: all tiles between the first and the last that the mask keeps are visited
// CHECK-LABEL:  func.func @attention_forward(
// CHECK-SAME:     attn.role = #attn.role<query>
// LISTS-SAME:     attn.role = #attn.role<list_order>
// BOUNDS-NOT:     list_order
// CHECK:        func.func private @attention(
// CHECK-SAME:     tensor<?xi32> {attn.role = #attn.role<capture>},
// CHECK-SAME:     tensor<?x?x?x64xf32> {attn.role = #attn.role<value>},
// CHECK-SAME:     tensor<?x?x?x64xf32> {attn.role = #attn.role<query>},
// CHECK-SAME:     tensor<?x?x?x64xf32> {attn.role = #attn.role<key>})
// CHECK-SAME:     -> (tensor<?x?x?x64xf32> {attn.role = #attn.role<out>}, tensor<?x?x?xf32> {attn.role = #attn.role<lse>})
// CHECK-SAME:     attributes {attn.kernels = [@attention_forward]}
func.func private @attention(%ids: tensor<?xi32>, %v: !t, %q: !t, %k: !t) -> (!t, !l) {
  %o, %l = attn.attention %q, %k, %v mod @document(%ids) {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>}
    : (!t, !t, !t, tensor<?xi32>) -> (!t, !l)
  return %o, %l : !t, !l
}

// CHECK-LABEL:  func.func @gradients_grad_query(
// LISTS-SAME:     attn.role = #attn.role<list_order>
// CHECK-LABEL:  func.func @gradients_grad_key(
// CHECK:        func.func private @gradients(
// CHECK-SAME:     {attn.role = #attn.role<out>}, tensor<?x?x?xf32> {attn.role = #attn.role<lse>}, tensor<?x?x?x64xf32> {attn.role = #attn.role<grad_out>}
// CHECK-SAME:     -> (tensor<?x?x?x64xf32> {attn.role = #attn.role<grad_query>}
// CHECK-SAME:     attributes {attn.kernels = [@gradients_grad_query, @gradients_grad_key]}
func.func private @gradients(%q: !t, %k: !t, %v: !t, %o: !t, %l: !l, %do: !t, %ids: tensor<?xi32>) -> (!t, !t, !t) {
  %r:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @document(%ids)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>, key_schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>}
    : (!t, !t, !t, !t, !l, !t, tensor<?xi32>) -> (!t, !t, !t)
  return %r#0, %r#1, %r#2 : !t, !t, !t
}

// CHECK-LABEL:  func.func @layer(
// CHECK:          call @attention(
// CHECK:          call @gradients(
func.func @layer(%q: !t, %ids: tensor<?xi32>) -> !t {
  %o, %l = call @attention(%ids, %q, %q, %q) : (tensor<?xi32>, !t, !t, !t) -> (!t, !l)
  %d:3 = call @gradients(%q, %q, %q, %o, %l, %q, %ids) : (!t, !t, !t, !t, !l, !t, tensor<?xi32>) -> (!t, !t, !t)
  return %d#1 : !t
}
