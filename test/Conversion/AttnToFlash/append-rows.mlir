// RUN: attn-opt %s --attn-to-flash | FileCheck %s

!r = tensor<?x?x?x64xbf16>
!w = tensor<?x?x?x40xbf16>

// A thread for each new row, head and 16 bytes. It writes to the cache itself.
// CHECK-LABEL: func.func @dense(
// CHECK-SAME: %[[K:[^ ]*]]: memref<?x?x?x64xbf16, {{[^{]*}}> {attn.role = #attn.role<new_key>}
// CHECK-SAME: %[[V:[^ ]*]]: memref<?x?x?x40xbf16, {{[^{]*}}> {attn.role = #attn.role<new_value>}
// CHECK-SAME: %[[KEYS:[^ ]*]]: memref<?x?x?x64xbf16, {{[^{]*}}> {attn.role = #attn.role<key>}
// CHECK-SAME: %[[VALUES:[^ ]*]]: memref<?x?x?x40xbf16, {{[^{]*}}> {attn.role = #attn.role<value>}
// CHECK-SAME: %[[N:[^ ]*]]: memref<?xi32> {attn.role = #attn.role<lengths>}
// CHECK: scf.forall
// CHECK:   %[[LENGTH:.*]] = memref.load %[[N]][%[[B:.*]]]
// CHECK:   %[[AT:.*]] = arith.index_cast %[[LENGTH]]
// CHECK:   %[[SOME:.*]] = arith.maxsi %[[AT]], %c0
// CHECK:   %[[ROW:.*]] = arith.addi %[[SOME]], %[[I:.*]] : index
// CHECK:   %[[IN:.*]] = arith.cmpi slt, %[[ROW]], %{{.*}}
// CHECK:   scf.if %[[IN]] {
// CHECK:       %[[PIECE:.*]] = vector.load %[[K]][%[[B]], %[[H:.*]], %[[I]], %{{.*}}] {alignment = 16 : i64} : {{.*}}, vector<8xbf16>
// CHECK:       vector.store %[[PIECE]], %[[KEYS]][%[[B]], %[[H]], %[[ROW]], %{{.*}}] {alignment = 16 : i64}
// CHECK:     } else {
// CHECK:       memref.load %[[K]]
// CHECK:       memref.store %{{.*}}, %[[KEYS]]
// CHECK:   vector.store %{{.*}}, %[[VALUES]]
// CHECK: } {mapping = [#gpu.thread<linear_dim_0>]}
func.func @dense(%k: !r, %v: !w, %keys: !r, %values: !w, %n: tensor<?xi32>) -> (!r, !w) {
  %a:2 = attn.append %k, %v to %keys, %values lengths(%n) : (!r, !w, !r, !w, tensor<?xi32>) -> (!r, !w)
  return %a#0, %a#1 : !r, !w
}

// Which sequence a row is of is found by bisection, and its page by the table.
// CHECK-LABEL: func.func @ragged_pages(
// CHECK: %[[STARTS:[^ ]*]]: memref<?xi32> {attn.role = #attn.role<key_starts>}
// CHECK-SAME: %[[TABLE:[^ ]*]]: memref<?x?xi32, strided<[?, 1], offset: ?>> {attn.role = #attn.role<pages>}
// CHECK: scf.forall
// CHECK:   %[[FOUND:.*]]:2 = scf.while
// CHECK:   memref.load %[[STARTS]]
// CHECK:   arith.divui %[[ROW:.*]], %[[ROWS:.*]] : index
// CHECK:   memref.load %[[TABLE]][%[[FOUND]]#0, %
// CHECK:   %[[IS:.*]] = arith.cmpi ult, %[[PAGE:.*]], %{{.*}} : index
// CHECK:   scf.if %[[IS]] {
// CHECK:     %[[IN:.*]] = arith.remui %[[ROW]], %[[ROWS]]
// CHECK:     vector.store %{{.*}}, %{{.*}}[%[[PAGE]], %{{.*}}, %[[IN]], %
func.func @ragged_pages(%k: !r, %v: !r, %keys: !r, %values: !r, %n: tensor<?xi32>, %s: tensor<?xi32>, %p: tensor<?x?xi32>) -> (!r, !r) {
  %a:2 = attn.append %k, %v to %keys, %values lengths(%n) starts(%s) pages(%p)
    : (!r, !r, !r, !r, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> (!r, !r)
  return %a#0, %a#1 : !r, !r
}
