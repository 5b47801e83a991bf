// RUN: attn-opt %s --attn-inline-mods --attn-to-flash | FileCheck %s

!q = tensor<?x?x?x24xbf16>
!l = tensor<?x?x?xf32>

// A task for each share, row that a query tile may have and 4 channels; it has work if a query tile begins in the share
// and goes on behind it.
// CHECK-LABEL: func.func @layer_merge(
// CHECK-SAME: %[[OUT:[^ ]*]]: memref<?x?x?x24xbf16, {{[^{]*}}> {attn.role = #attn.role<out>}
// CHECK-SAME: %[[LSE:[^ ]*]]: memref<?x?x?xf32> {attn.role = #attn.role<lse>}
// CHECK-SAME: %[[PARTS:[^ ]*]]: memref<?x16x32xf32> {attn.role = #attn.role<partial_out>}
// CHECK-SAME: %[[SUMS:[^ ]*]]: memref<?x2x16xf32> {attn.role = #attn.role<partial_sums>}
// CHECK: %[[MOST:.*]] = arith.minui %{{.*}}, %c16
// CHECK: %[[ROWS:.*]] = arith.maxui %[[MOST]], %c1
// CHECK: arith.muli %{{.*}}, %[[ROWS]]
// CHECK: arith.muli %{{.*}}, %c8
// CHECK: scf.forall
// CHECK: tile.find_task %c9223372036854775807 in
// CHECK: %{{.*}}, %[[START:.*]] = tile.find_task %[[END:.*]] in
// CHECK: %[[HERE:.*]] = arith.cmpi sge, %[[START]], %{{.*}}
// CHECK: %[[ON:.*]] = arith.cmpi slt, %[[START]], %[[END]]
// CHECK: %[[CUT:.*]] = arith.andi %[[HERE]], %[[ON]]
// CHECK: scf.if %[[CUT]] {
// Four parts at a time.
// CHECK:   %[[GREATEST:.*]] = scf.parallel {{.*}} step (%c4{{.*}}) init (%{{.*}}) -> f32 {
// CHECK-COUNT-4: memref.load %[[SUMS]]
// CHECK:     scf.reduce
// CHECK:       arith.maxnumf
// CHECK:   scf.parallel {{.*}} -> (f32, vector<4xf32>)
// CHECK-COUNT-8: memref.load %[[SUMS]]
// CHECK-COUNT-4: vector.load %[[PARTS]]
// CHECK:   math.exp2
// What has no weight does not count, be it NaN.
// CHECK:   %[[NONE:.*]] = arith.cmpf oeq, %[[W:.*]], %
// CHECK:   %[[READ:.*]] = arith.select %[[NONE]], %{{.*}}, %{{.*}} : vector<4xf32>
// CHECK:   %[[WS:.*]] = vector.broadcast %[[W]]
// CHECK:   arith.mulf %[[WS]], %[[READ]]
// CHECK:   memref.store %{{.*}}, %[[OUT]]
// CHECK:   memref.store %{{.*}}, %[[LSE]]
// CHECK: } {mapping = [#gpu.thread<linear_dim_0>]}
attn.mod @causal mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
func.func @layer(%q: !q, %k: !q, %v: !q) -> (!q, !l) {
  %o, %lse = attn.attention %q, %k, %v mod @causal {schedule = #attn.schedule<tiling = <q = 16, kv = 32, shares>>}
    : (!q, !q, !q) -> (!q, !l)
  return %o, %lse : !q, !l
}

// Rows of several heads go to the query and the head that they are of.
// CHECK-LABEL: func.func @packed_merge(
// CHECK-SAME: %[[OUT:[^ ]*]]: memref<?x?x?x24xbf16, {{[^{]*}}> {attn.role = #attn.role<out>}
// CHECK: scf.forall
// CHECK: scf.if
// CHECK: scf.if
// CHECK: arith.divui %[[ROW:.*]], %[[GROUP:.*]] : index
// CHECK: arith.remui %{{.*}}, %[[GROUP]] : index
// CHECK: memref.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}] : memref<?x?x?x?x24xbf16,
func.func @packed(%q: !q, %k: !q, %v: !q) -> !q {
  %o = attn.attention %q, %k, %v {schedule = #attn.schedule<tiling = <q = 16, kv = 32, pack, shares>>} : (!q, !q, !q) -> !q
  return %o : !q
}
