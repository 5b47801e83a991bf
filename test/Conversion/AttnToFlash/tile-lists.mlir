// A mask whose visited tiles are not one run: the kernel takes lists after its
// other arguments, the row that comes next in order, and the listed tiles, the
// first of which are partial.
//
// RUN: attn-opt %s --attn-to-flash --canonicalize --cse | FileCheck %s

!t = tensor<?x?x?x16xf32>

// CHECK-LABEL: func.func @documents(
// CHECK-SAME: %[[IDS:[a-z0-9]+]]: memref<?xi32> {attn.role = #attn.role<capture>}
// CHECK-SAME: %[[ORDER:[a-z0-9]+]]: memref<?x?x?xi32> {attn.role = #attn.role<list_order>}
// CHECK-SAME: %[[FIRSTS:[a-z0-9]+]]: memref<?x?x?xi64> {attn.role = #attn.role<list_firsts>}
// CHECK-SAME: %[[COUNTS:[a-z0-9]+]]: memref<?x?x?x2xi32> {attn.role = #attn.role<list_counts>}
// CHECK-SAME: %[[TILES:[a-z0-9]+]]: memref<?xi32> {attn.role = #attn.role<list_tiles>}
// CHECK: %[[KEYS:.*]] = memref.dim %{{.*}}, %c2
// CHECK: scf.forall (%{{.*}}, %[[H:.*]], %[[TASK:.*]]) in
// The mask reads the head, not the batch.
// CHECK:   %[[T32:.*]] = memref.load %[[ORDER]][%c0, %[[H]], %[[TASK]]]
// CHECK:   %[[T:.*]] = arith.index_cast %[[T32]] : i32 to index
// CHECK:   arith.muli %[[T]], %c64
// CHECK:   %[[FIRST64:.*]] = memref.load %[[FIRSTS]][%c0, %[[H]], %[[T]]]
// CHECK:   %[[FIRST:.*]] = arith.index_cast %[[FIRST64]] : i64 to index
// CHECK:   memref.load %[[COUNTS]][%c0, %[[H]], %[[T]], %c0]
// CHECK:   %[[PARTIAL:.*]] = arith.addi %[[FIRST]], %{{.*}} : index
// CHECK:   memref.load %[[COUNTS]][%c0, %[[H]], %[[T]], %c1]
// CHECK:   %[[END:.*]] = arith.addi %[[PARTIAL]], %{{.*}} : index
// Of full tiles only the last one may stick out over the end.
// CHECK:   %[[FULL:.*]] = arith.cmpi slt, %[[PARTIAL]], %[[END]] : index
// CHECK:   %[[OUT:.*]] = scf.if %[[FULL]] -> (index) {
// CHECK:     %[[LAST:.*]] = arith.subi %[[END]], %c1
// CHECK:     memref.load %[[TILES]][%[[LAST]]]
// CHECK:     arith.cmpi sgt
// CHECK:   %[[WHOLE:.*]] = arith.subi %[[END]], %[[OUT]] : index
// CHECK:   scf.for %[[VISIT:.*]] = %[[FIRST]] to %[[END]] step %c1
// CHECK:     %[[J:.*]] = memref.load %[[TILES]][%[[VISIT]]]
// CHECK-DAG: arith.cmpi slt, %[[VISIT]], %[[PARTIAL]] : index
// CHECK-DAG: arith.cmpi sge, %[[VISIT]], %[[WHOLE]] : index
attn.mod @documents_mod(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = arith.addi %q, %h : i32
    %i = attn.load %ids[%x] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
func.func @documents(%q: !t, %k: !t, %v: !t, %ids: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v mod @documents_mod(%ids)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>>} : (!t, !t, !t, tensor<?xi32>) -> !t
  return %o : !t
}
