// RUN: attn-opt --attn-to-flash %s | FileCheck %s

// Tiles of sequences: as many tasks as whole tiles and sequences, the sequence
// by bisection, loads from where it begins, stores into its rows alone.
// CHECK-LABEL: func.func @both(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: memref<?x?x?x64xf32, {{[^>]*}}>> {attn.role = #attn.role<query>}
// CHECK-SAME: %[[O:[a-z0-9]+]]: memref<?x?x?x64xf32, {{[^>]*}}>> {attn.role = #attn.role<out>}
// CHECK-SAME: %[[LSE:[a-z0-9]+]]: memref<?x?x?xf32> {attn.role = #attn.role<lse>}
// CHECK-SAME: %[[CQ:[a-z0-9]+]]: memref<?xi32> {attn.role = #attn.role<query_starts>}
// CHECK-SAME: %[[CK:[a-z0-9]+]]: memref<?xi32> {attn.role = #attn.role<key_starts>}
// CHECK: %[[WHOLE:.*]] = arith.divui %{{.*}}, %c64
// CHECK: %[[TILES:.*]] = arith.addi %[[WHOLE]], %{{.*}} : index
// CHECK: %[[COUNT:.*]] = arith.select %{{.*}}, %[[TILES]], %{{.*}} : index
// CHECK: scf.forall (%{{.*}}, %[[H:.*]], %{{.*}}) in (%{{.*}}, %{{.*}}, %[[COUNT]])
// CHECK: scf.while
// CHECK: memref.load %[[CQ]]
// CHECK: memref.load %[[CK]]
// A task without rows visits nothing.
// CHECK: %[[ANY:.*]] = arith.cmpi slt, %[[ROW:.*]], %[[LENGTH:.*]] : index
// CHECK: arith.select %[[ANY]]
// CHECK: %[[PLACE:.*]] = arith.addi %[[FIRST:.*]], %[[ROW]] : index
// CHECK: tile.load %[[Q]][%{{.*}}, %[[H]], %[[PLACE]]]
// CHECK: %[[ROWS:.*]] = memref.reinterpret_cast %[[O]] to offset: [%{{.*}}], sizes: [%{{.*}}, %{{.*}}, %[[LENGTH]], 64]
// CHECK: tile.store %{{.*}}, %[[ROWS]][%{{.*}}, %[[H]], %[[ROW]]]
// CHECK: %[[LSES:.*]] = memref.reinterpret_cast %[[LSE]] to offset: [%{{.*}}], sizes: [%{{.*}}, %{{.*}}, %[[LENGTH]]]
// CHECK: tile.store %{{.*}}, %[[LSES]][%{{.*}}, %[[H]], %[[ROW]]]
!t = tensor<?x?x?x64xf32>
func.func @both(%q: !t, %k: !t, %v: !t, %cq: tensor<?xi32>, %ck: tensor<?xi32>) -> (!t, tensor<?x?x?xf32>) {
  %o, %l = attn.attention %q, %k, %v cu_q(%cq) cu_k(%ck)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>}
    : (!t, !t, !t, tensor<?xi32>, tensor<?xi32>) -> (!t, tensor<?x?x?xf32>)
  return %o, %l : !t, tensor<?x?x?xf32>
}

// Keys alone: a task for each tile of each batch, which has its sequence's
// number, and no bisection.
// CHECK-LABEL: func.func @keys(
// CHECK-SAME: %[[K:[a-z0-9]+]]: memref<?x?x?x64xf32, {{[^>]*}}>> {attn.role = #attn.role<key>}
// CHECK-SAME: %[[CK:[a-z0-9]+]]: memref<?xi32> {attn.role = #attn.role<key_starts>}
// CHECK: scf.forall (%[[B:.*]], %{{.*}}, %{{.*}}) in
// CHECK-NOT: scf.while
// CHECK: memref.load %[[CK]][%[[B]]]
// CHECK: scf.for
// CHECK: tile.load %[[K]][%c0{{[_0-9]*}},
func.func @keys(%q: !t, %k: !t, %v: !t, %ck: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v cu_k(%ck)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>}
    : (!t, !t, !t, tensor<?xi32>) -> !t
  return %o : !t
}

// No lists: what lies between the tiles that are kept is visited too.
// CHECK-LABEL: func.func @gaps(
// CHECK-NOT: list_
// CHECK: scf.forall
attn.mod @with_gaps mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %c96 = arith.constant 96 : i32
  %c32 = arith.constant 32 : i32
  %d = arith.subi %q, %kv : i32
  %r = arith.remsi %d, %c96 : i32
  %keep = arith.cmpi slt, %r, %c32 : i32
  attn.yield %keep : i1
}
func.func @gaps(%q: !t, %k: !t, %v: !t, %cq: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v mod @with_gaps cu_q(%cq)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>}
    : (!t, !t, !t, tensor<?xi32>) -> !t
  return %o : !t
}
