// RUN: attn-opt %s --attn-inline-mods --attn-to-flash | FileCheck %s

!q = tensor<?x?x?x24xbf16>
!l = tensor<?x?x?xf32>

// A task for each query tile, or share where these are fewer, row that a query tile may have and 4 channels. There is
// something to be merged where parts follow the first.
// CHECK-LABEL: func.func @layer_merge(
// CHECK-SAME: %[[OUT:[^ ]*]]: memref<?x?x?x24xbf16, {{[^{]*}}> {attn.role = #attn.role<out>}
// CHECK-SAME: %[[LSE:[^ ]*]]: memref<?x?x?xf32> {attn.role = #attn.role<lse>}
// CHECK-SAME: %[[PARTS:[^ ]*]]: memref<?x16x32xf32> {attn.role = #attn.role<partial_out>}
// CHECK-SAME: %[[SUMS:[^ ]*]]: memref<?x2x16xf32> {attn.role = #attn.role<partial_sums>}
// CHECK-SAME: %[[COUNTS:[^ ]*]]: memref<?x2xi32> {attn.role = #attn.role<partial_counts>}
// CHECK: arith.minui %{{.*}}, %[[SHARES:.*]] : index
// CHECK: %[[MOST:.*]] = arith.minui %{{.*}}, %c16
// CHECK: %[[ROWS:.*]] = arith.maxui %[[MOST]], %c1
// CHECK: arith.muli %{{.*}}, %[[ROWS]]
// CHECK: arith.muli %{{.*}}, %c8
// CHECK: scf.forall
// CHECK-NOT: tile.await_prerequisites
// CHECK: %[[MORE:.*]] = memref.load %[[COUNTS]][%[[NUMBER:.*]], %c0
// CHECK: %[[LAST:.*]] = arith.index_castui %[[MORE]]
// CHECK: %[[CUT:.*]] = arith.cmpi ugt, %[[LAST]], %c0
// CHECK: scf.if %[[CUT]] {
// CHECK:   %[[OF_SHARES:.*]] = arith.cmpi ult
// CHECK:   memref.load %[[COUNTS]][%[[NUMBER]], %c1
// CHECK:   arith.select %[[OF_SHARES]], %[[NUMBER]], %[[OTHER:.*]] : index
// CHECK:   arith.select %[[OF_SHARES]], %[[OTHER]], %[[NUMBER]] : index
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

// Kernels that depend on the one before: that lets them begin, and they wait before they read what it makes.
// CHECK-LABEL: func.func @dependent(
// CHECK: scf.forall
// CHECK: tile.launch_dependents
// CHECK-LABEL: func.func @dependent_merge(
// CHECK: scf.forall
// CHECK: tile.await_prerequisites
// CHECK: memref.load %{{.*}} : memref<?x2xi32>
func.func @dependent(%q: !q, %k: !q, %v: !q) -> !q {
  %o = attn.attention %q, %k, %v {schedule = #attn.schedule<tiling = <q = 16, kv = 32, shares>, pipeline = <dependent>>} : (!q, !q, !q) -> !q
  return %o : !q
}
