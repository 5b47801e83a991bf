// RUN: attn-opt %s --attn-to-flash --split-input-file | FileCheck %s

!t = tensor<?x?x?x64xbf16>

// What is compared are the positions as they are, whatever the loads do: those are clamped for each element, but
// for the keys of a tile that is whole. (tile-hoist-row-reads takes the query's out of the loop.)
// CHECK-LABEL: func.func @documents(
// CHECK: scf.for
// CHECK:   %[[WHOLE:.*]] = arith.cmpi sle
// CHECK:   scf.if %[[WHOLE]]
// CHECK:     linalg.generic {{.*}} ins(%{{.*}} : tensor<128x64xf32>)
// CHECK:       arith.minsi
// CHECK:       memref.load
// CHECK-NOT:   arith.minsi
// CHECK:       memref.load
// CHECK:   } else {
// CHECK:     linalg.generic {{.*}} ins(%{{.*}} : tensor<128x64xf32>)
// CHECK:       arith.minsi
// CHECK:       memref.load
// CHECK:       arith.minsi
// CHECK:       memref.load
attn.mod @same(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
func.func @documents(%q: !t, %k: !t, %v: !t, %ids: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v mod @same(%ids)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!t, !t, !t, tensor<?xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xbf16>

// A division may trap outside the tensors: its positions are clamped, tables or not.
// CHECK-LABEL: func.func @divides(
// CHECK: scf.for
// CHECK: arith.minsi
// CHECK: arith.minsi
// CHECK: arith.divsi
attn.mod @ratio(%n: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = arith.divsi %q, %n : i32
    %y = arith.divsi %kv, %n : i32
    %keep = arith.cmpi sge, %x, %y : i32
    attn.yield %keep : i1
  }
func.func @divides(%q: !t, %k: !t, %v: !t, %n: i32) -> !t {
  %o = attn.attention %q, %k, %v mod @ratio(%n)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!t, !t, !t, i32) -> !t
  return %o : !t
}
