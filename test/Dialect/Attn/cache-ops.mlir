// RUN: attn-opt %s --verify-roundtrip | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt --verify-roundtrip | FileCheck %s
// RUN: attn-opt %s --canonicalize | FileCheck %s --check-prefix=CANON

!o = tensor<2x8x?x64xbf16>
!l = tensor<2x8x?xf32>

// CHECK-LABEL: func.func @merge
// CHECK: attn.merge(%{{.*}}, %{{.*}}) lses(%{{.*}}, %{{.*}}) : (tensor<2x8x?x64xbf16>, tensor<2x8x?x64xbf16>, tensor<2x8x?xf32>, tensor<2x8x?xf32>) -> (tensor<2x8x?x64xbf16>, tensor<2x8x?xf32>)
// CHECK: attn.merge(%{{.*}}) lses(%{{.*}}) count(%{{.*}}) sink(%{{.*}}) : (tensor<2x8x?x64xbf16>, tensor<2x8x?xf32>, i32, tensor<8xf32>) -> tensor<2x8x?x64xbf16>
func.func @merge(%a: !o, %b: !o, %x: !l, %y: !l, %n: i32, %s: tensor<8xf32>) -> (!o, !l, !o) {
  %o, %l = attn.merge(%a, %b) lses(%x, %y) : (!o, !o, !l, !l) -> (!o, !l)
  %p = attn.merge(%a) lses(%x) count(%n) sink(%s) : (!o, !l, i32, tensor<8xf32>) -> !o
  return %o, %l, %p : !o, !l, !o
}

// CHECK-LABEL: func.func @append
// CHECK: attn.append %{{.*}}, %{{.*}} to %{{.*}}, %{{.*}} lengths(%{{.*}}) : (
// CHECK: attn.append %{{.*}}, %{{.*}} to %{{.*}}, %{{.*}} lengths(%{{.*}}) starts(%{{.*}}) pages(%{{.*}}) : (
func.func @append(%k: tensor<3x2x1x64xf16>, %v: tensor<3x2x1x32xf16>, %keys: tensor<3x2x99x64xf16>,
                  %values: tensor<3x2x99x32xf16>, %n: tensor<3xi32>,
                  %r: tensor<1x2x?x64xf16>, %heap: tensor<?x2x16x64xf16>, %starts: tensor<4xi32>, %p: tensor<3x?xi32>)
    -> (tensor<3x2x99x64xf16>, tensor<3x2x99x32xf16>, tensor<?x2x16x64xf16>, tensor<?x2x16x64xf16>) {
  %a:2 = attn.append %k, %v to %keys, %values lengths(%n)
    : (tensor<3x2x1x64xf16>, tensor<3x2x1x32xf16>, tensor<3x2x99x64xf16>, tensor<3x2x99x32xf16>, tensor<3xi32>)
    -> (tensor<3x2x99x64xf16>, tensor<3x2x99x32xf16>)
  %b:2 = attn.append %r, %r to %heap, %heap lengths(%n) starts(%starts) pages(%p)
    : (tensor<1x2x?x64xf16>, tensor<1x2x?x64xf16>, tensor<?x2x16x64xf16>, tensor<?x2x16x64xf16>, tensor<3xi32>,
       tensor<4xi32>, tensor<3x?xi32>)
    -> (tensor<?x2x16x64xf16>, tensor<?x2x16x64xf16>)
  return %a#0, %a#1, %b#0, %b#1
    : tensor<3x2x99x64xf16>, tensor<3x2x99x32xf16>, tensor<?x2x16x64xf16>, tensor<?x2x16x64xf16>
}

// One part of an attention is the whole.
// CANON-LABEL: func.func @one
// CANON: %[[O:.*]], %[[L:.*]] = attn.attention
// CANON-NOT: attn.merge
// CANON: return %[[O]], %[[L]], %[[O]]
func.func @one(%q: !o) -> (!o, !l, !o) {
  %a, %x = attn.attention %q, %q, %q : (!o, !o, !o) -> (!o, !l)
  %o, %l = attn.merge(%a) lses(%x) : (!o, !l) -> (!o, !l)
  %p = attn.merge(%a) lses(%x) : (!o, !l) -> !o
  return %o, %l, %p : !o, !l, !o
}

// But one that comes from elsewhere may hold anything where it has no keys; what is beside the part counts; and an
// out with the LSE of another attention is none.
// CANON-LABEL: func.func @no_whole
// CANON-COUNT-4: attn.merge
func.func @no_whole(%a: !o, %x: !l, %s: tensor<8xf32>, %n: i32) -> (!o, !o, !o, !o) {
  %o = attn.merge(%a) lses(%x) : (!o, !l) -> !o
  %b, %y = attn.attention %a, %a, %a : (!o, !o, !o) -> (!o, !l)
  %p = attn.merge(%b) lses(%y) sink(%s) : (!o, !l, tensor<8xf32>) -> !o
  %q = attn.merge(%b) lses(%y) count(%n) : (!o, !l, i32) -> !o
  %r = attn.merge(%b) lses(%x) : (!o, !l) -> !o
  return %o, %p, %q, %r : !o, !o, !o, !o
}
