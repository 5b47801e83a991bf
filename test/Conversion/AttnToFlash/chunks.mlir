// RUN: attn-opt %s --attn-inline-mods --attn-to-flash | FileCheck %s

!q = tensor<?x?x?x24xbf16>
!l = tensor<?x?x?xf32>

// A task for each slot, of which each query tile has as many. A part has the visits that the schedule says, or a 32nd.
// CHECK-LABEL: func.func @layer(
// CHECK-SAME: %[[PARTS:[^ ]*]]: memref<?x16x32xf32> {attn.role = #attn.role<partial_out>}
// CHECK-SAME: %[[SUMS:[^ ]*]]: memref<?x2x16xf32> {attn.role = #attn.role<partial_sums>}
// CHECK-SAME: %[[COUNTS:[^ ]*]]: memref<?x2xi32> {attn.role = #attn.role<partial_counts>}
// CHECK: %[[SLOTS:.*]] = memref.dim %[[SUMS]], %c0
// CHECK: %[[OF_EACH:.*]] = arith.divui %[[SLOTS]], %
// CHECK: scf.forall (%[[SLOT:.*]]) in (%[[SLOTS]]) {
// CHECK:   %[[TASK:.*]] = arith.divui %[[SLOT]], %[[OF_EACH]]
// CHECK:   %[[PART:.*]] = arith.remui %[[SLOT]], %[[OF_EACH]]
// CHECK:   %[[EVEN:.*]] = arith.ceildivui %[[VISITS:.*]], %c32
// CHECK:   %[[SIZE:.*]] = arith.maxui %[[EVEN]], %c5
// CHECK:   %[[FULL:.*]] = arith.ceildivui %{{.*}}, %[[SIZE]]
// CHECK:   %[[COUNT:.*]] = arith.maxui %[[FULL]], %c1
// CHECK:   %[[EXISTS:.*]] = arith.cmpi slt, %[[PART]], %[[COUNT]]
// CHECK:   scf.if %[[EXISTS]] {
// CHECK:     scf.for
// CHECK:     %[[WHOLE:.*]] = arith.cmpi eq, %[[COUNT]], %c1
// CHECK:     scf.if %[[WHOLE]] {
// CHECK:       tile.store
// CHECK:     } else {
// CHECK:       tile.store %{{.*}}, %[[PARTS]][%[[SLOT]], %
// CHECK:       tile.store %{{.*}}, %[[SUMS]][%[[SLOT]], %c0
// CHECK:       tile.store %{{.*}}, %[[SUMS]][%[[SLOT]], %c1
// Who merges is told how many parts follow the first.
// CHECK:     %[[FIRST:.*]] = arith.cmpi eq, %[[PART]], %c0
// CHECK:     scf.if %[[FIRST]] {
// CHECK:       %[[MORE:.*]] = arith.subi %[[COUNT]], %c1
// CHECK:       %[[NUMBER:.*]] = arith.index_cast %[[MORE]]
// CHECK:       memref.store %[[NUMBER]], %[[COUNTS]][%[[TASK]], %c0
// CHECK: } {mapping = [#gpu.block<linear_dim_0>]}

// Behind it a thread for each row of a query tile, which merges the parts if there are several.
// CHECK-LABEL: func.func @layer_merge(
// CHECK: scf.forall
// CHECK:   %[[MORE:.*]] = memref.load %{{.*}} : memref<?x2xi32>
// CHECK:   %[[LAST:.*]] = arith.index_castui %[[MORE]]
// CHECK:   %[[CUT:.*]] = arith.cmpi ugt, %[[LAST]], %c0
// CHECK:   scf.if %[[CUT]] {
// CHECK:     vector.load
// CHECK: } {mapping = [#gpu.thread<linear_dim_0>]}
func.func @layer(%q: !q, %k: !q, %v: !q) -> (!q, !l) {
  %o, %lse = attn.attention %q, %k, %v {schedule = #attn.schedule<tiling = <q = 16, kv = 32, pack, chunk = 5>>}
    : (!q, !q, !q) -> (!q, !l)
  return %o, %lse : !q, !l
}

// Of sequences one behind another, invariant results read no other's queries: those of a view that ends with the own.
// CHECK-LABEL: func.func @ragged(
// CHECK-SAME: %[[Q:[^ ]*]]: memref<?x?x?x24xbf16, {{[^{]*}}> {attn.role = #attn.role<query>}
// CHECK: scf.forall
// CHECK: %[[OWN:.*]] = memref.reinterpret_cast %[[Q]]
// CHECK: tile.load %[[OWN]]
func.func @ragged(%q: !q, %s: tensor<?xi32>) -> !q {
  %o = attn.attention %q, %q, %q cu_q(%s) cu_k(%s) {invariant, schedule = #attn.schedule<tiling = <q = 16, kv = 32>>}
    : (!q, !q, !q, tensor<?xi32>, tensor<?xi32>) -> !q
  return %o : !q
}
