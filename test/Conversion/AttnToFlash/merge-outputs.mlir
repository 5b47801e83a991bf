// RUN: attn-opt %s --attn-to-flash | FileCheck %s

!o = tensor<?x?x?x32xbf16>
!l = tensor<?x?x?xf32>

// A thread for each row and 4 channels, which reads these in one piece where rows are aligned for that.
// CHECK-LABEL: func.func @merge(
// CHECK-SAME: %[[A:[^ ]*]]: memref<?x?x?x32xbf16, strided<[?, ?, ?, 1], offset: ?>> {attn.role = #attn.role<part_out>}
// CHECK-SAME: %[[B:[^ ]*]]: memref<?x?x?x32xbf16, {{[^{]*}}> {attn.role = #attn.role<part_out number 1>}
// CHECK-SAME: %[[X:[^ ]*]]: memref<?x?x?xf32> {attn.role = #attn.role<part_lse>}
// CHECK-SAME: %[[Y:[^ ]*]]: memref<?x?x?xf32> {attn.role = #attn.role<part_lse number 1>}
// CHECK-SAME: %[[N:[^ ]*]]: i32 {attn.role = #attn.role<part_count>}
// CHECK-SAME: %[[S:[^ ]*]]: memref<?xf32> {attn.role = #attn.role<sink>}
// CHECK-SAME: %[[O:[^ ]*]]: memref<?x?x?x32xbf16, {{[^{]*}}> {attn.role = #attn.role<out>}
// CHECK-SAME: %[[L:[^ ]*]]: memref<?x?x?xf32> {attn.role = #attn.role<lse>}
// CHECK-SAME: attn.kernel
// CHECK: %[[ALIGNED:.*]] = arith.cmpi eq, %{{.*}}, %c0
// CHECK: scf.forall
// A part that does not count has an LSE of -inf.
// CHECK:   %[[FIRST:.*]] = arith.cmpi slt, %c0_i32, %[[N]]
// CHECK:   scf.if %[[FIRST]] -> (f32) {
// CHECK:     memref.load %[[X]][%[[I:.*]], %[[H:.*]], %[[Q:.*]]]
// CHECK:   } else {
// CHECK:     scf.yield %cst{{.*}} : f32
// CHECK:   memref.load %[[Y]][%[[I]], %[[H]], %[[Q]]]
// CHECK:   memref.load %[[S]][%[[H]]]
// CHECK:   arith.maxnumf
// CHECK:   arith.maxnumf
// CHECK:   scf.if %[[ALIGNED]] -> (vector<4xbf16>) {
// CHECK:     vector.load %[[A]][{{.*}}] {alignment = 8 : i64}
// CHECK:   } else {
// CHECK-COUNT-4: memref.load %[[A]]
// CHECK:     vector.from_elements
// CHECK:   arith.extf %{{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK-COUNT-4: memref.store %{{.*}}, %[[O]]
// CHECK:   memref.store %{{.*}}, %[[L]][%[[I]], %[[H]], %[[Q]]]
// CHECK: } {mapping = [#gpu.thread<linear_dim_0>]}
func.func @merge(%a: !o, %b: !o, %x: !l, %y: !l, %n: i32, %s: tensor<?xf32>) -> (!o, !l) {
  %o, %l = attn.merge(%a, %b) lses(%x, %y) count(%n) sink(%s) : (!o, !o, !l, !l, i32, tensor<?xf32>) -> (!o, !l)
  return %o, %l : !o, !l
}

// Rows of which 4 channels are not a piece are read one by one, those behind the last as the last.
// CHECK-LABEL: func.func @odd(
// CHECK-NOT: vector.load
// CHECK: arith.minui %{{.*}}, %c5
// CHECK-NOT: attn.role<lse>
func.func @odd(%a: tensor<?x?x?x6xf32>, %x: !l) -> tensor<?x?x?x6xf32> {
  %o = attn.merge(%a) lses(%x) : (tensor<?x?x?x6xf32>, !l) -> tensor<?x?x?x6xf32>
  return %o : tensor<?x?x?x6xf32>
}
