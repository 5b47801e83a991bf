// RUN: attn-opt %s --attn-apply-positions --attn-to-flash --canonicalize --cse --verify-roundtrip | FileCheck %s

!q = tensor<?x?x?x64xbf16>

// Keys and values in pages: a sequence has room for as many keys as its entries have rows, and its end is its length,
// clamped to that. Tiles are loaded through the table. One whose keys have a page that is none is partial, and its mask
// leaves those keys out, of which it asks up to the end alone.
// CHECK-LABEL: func.func @layer(
// CHECK-SAME: %[[K:[a-z0-9]+]]: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>> {attn.role = #attn.role<key>},
// CHECK-SAME: %[[V:[a-z0-9]+]]: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>> {attn.role = #attn.role<value>},
// CHECK-SAME: %[[L:[a-z0-9]+]]: memref<?xi32> {attn.role = #attn.role<lengths>},
// CHECK-SAME: %[[T:[a-z0-9]+]]: memref<?x?xi32, strided<[?, 1], offset: ?>> {attn.role = #attn.role<pages>},
// CHECK-DAG: %[[MOST:.*]] = memref.dim %[[T]], %c1
// CHECK-DAG: %[[ROWS:.*]] = memref.dim %[[K]], %c2
// CHECK: %[[ROOM:.*]] = arith.muli %[[MOST]], %[[ROWS]]
// CHECK: scf.forall (%[[B:.*]], %{{.*}}, %{{.*}}) in
// CHECK:   %[[N:.*]] = memref.load %[[L]][%[[B]]]
// CHECK:   %[[LENGTH:.*]] = arith.index_cast %[[N]] : i32 to index
// CHECK:   %[[LESS:.*]] = arith.minsi %[[ROOM]], %[[LENGTH]]
// CHECK:   %[[END:.*]] = arith.maxsi %[[LESS]], %c0
// CHECK:   scf.for %[[J:.*]] = %{{.*}} to %{{.*}} step %c1 iter_args
// CHECK:     %[[KV0:.*]] = arith.muli %[[J]], %c16
// CHECK:     tile.load %[[K]][%[[B]], %{{.*}}, %[[KV0]]] through %[[T]] until %[[END]]
// CHECK:     %[[MISSING:.*]] = scf.for %[[E:.*]] = %{{.*}} to %{{.*}} step %c1 iter_args({{.*}}) -> (i1)
// CHECK:       memref.load %[[T]][%[[B]], %[[E]]]
// CHECK:     %[[PARTIAL:.*]] = arith.ori %{{.*}}, %[[MISSING]] : i1
// CHECK:     scf.if %[[PARTIAL]]
// CHECK:       linalg.generic
// CHECK:         arith.minsi
// CHECK:         arith.divui
// CHECK:         memref.load %[[T]][%[[B]], %{{.*}}]
// CHECK:         arith.cmpi ult
// CHECK:     tile.load %[[V]][%[[B]], %{{.*}}, %[[KV0]]] through %[[T]] until %[[END]]
func.func @layer(%q: !q, %k: !q, %v: !q, %l: tensor<?xi32>, %p: tensor<?x?xi32>) -> !q {
  %o = attn.attention %q, %k, %v lengths(%l) pages(%p) {schedule = #attn.schedule<tiling = <q = 32, kv = 16>>}
    : (!q, !q, !q, tensor<?xi32>, tensor<?x?xi32>) -> !q
  return %o : !q
}

// Without lengths all the room counts.
// CHECK-LABEL: func.func @whole(
// CHECK: %[[ROOM:.*]] = arith.muli
// CHECK: tile.load %{{.*}} through %{{.*}} until %[[ROOM]]
func.func @whole(%q: !q, %k: !q, %v: !q, %p: tensor<?x?xi32>) -> !q {
  %o = attn.attention %q, %k, %v pages(%p) {schedule = #attn.schedule<tiling = <q = 32, kv = 16>>}
    : (!q, !q, !q, tensor<?x?xi32>) -> !q
  return %o : !q
}
