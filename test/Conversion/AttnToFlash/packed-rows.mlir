// RUN: attn-opt %s --attn-to-flash --canonicalize --cse --split-input-file | FileCheck %s

!q = tensor<?x?x?x64xbf16>
!v = tensor<?x?x?x80xbf16>

// Rows are (query, head) pairs of the heads that share keys: a task for each batch, key head and tile of those. Without
// a mod nobody asks which they are.
// CHECK-LABEL: func.func @plain(
// CHECK-DAG: memref.reinterpret_cast {{.*}} to memref<?x?x?x?x64xbf16, strided<[?, ?, ?, ?, 1], offset: ?>>
// CHECK-DAG: memref.reinterpret_cast {{.*}} to memref<?x?x?x?x80xbf16, strided<[?, ?, ?, ?, 1], offset: ?>>
// CHECK-DAG: memref.reinterpret_cast {{.*}} to memref<?x?x?x?xf32, strided<[?, ?, 1, ?]>>
// CHECK: scf.forall (%[[B:.*]], %[[HK:.*]], %{{.*}}) in
// CHECK: %[[R0:.*]] = arith.muli %{{.*}}, %c16 : index
// CHECK: tile.load %{{.*}}[%[[B]], %[[HK]], %[[R0]]] packed : memref<?x?x?x?x64xbf16, {{.*}}> -> tensor<16x64xbf16>
// CHECK: scf.for
// CHECK:   tile.load %{{.*}}[%[[B]], %[[HK]], %{{.*}}] : memref<?x?x?x64xbf16, {{.*}}> -> tensor<32x64xbf16>
// CHECK:   tile.load %{{.*}}[%[[B]], %[[HK]], %{{.*}}] : memref<?x?x?x80xbf16, {{.*}}> -> tensor<32x80xbf16>
// CHECK: tile.store %{{.*}}, %{{.*}}[%[[B]], %[[HK]], %[[R0]]] packed : tensor<16x80xbf16>, memref<?x?x?x?x80xbf16, {{.*}}>
// CHECK: tile.store %{{.*}}, %{{.*}}[%[[B]], %[[HK]], %[[R0]]] packed : tensor<16xf32>, memref<?x?x?x?xf32, {{.*}}>
func.func @plain(%q: !q, %k: !q, %v: !v) -> (!v, tensor<?x?x?xf32>) {
  %o, %lse = attn.attention %q, %k, %v {schedule = #attn.schedule<tiling = <q = 16, kv = 32, pack>>}
    : (!q, !q, !v) -> (!v, tensor<?x?x?xf32>)
  return %o, %lse : !v, tensor<?x?x?xf32>
}

// -----

!q = tensor<?x?x?x64xbf16>

// Which query and which head a row is are vectors, made once; rows behind the last are like it. A table at the head is
// read at the row's.
// CHECK-LABEL: func.func @score(
// CHECK: scf.forall
// CHECK: %[[QS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<16xi32>)
// CHECK:   linalg.index 0
// CHECK:   %[[ROW:.*]] = arith.minsi
// CHECK:   arith.divui %[[ROW]]
// CHECK: %[[HS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<16xi32>)
// CHECK:   arith.remui
// CHECK: scf.for
// CHECK:   linalg.generic {{.*}} ins(%{{.*}}, %[[QS]], %[[HS]] : tensor<16x32xf32>, tensor<16xi32>, tensor<16xi32>)
// CHECK:   ^bb0(%{{.*}}: f32, %[[Q:.*]]: i32, %[[H:.*]]: i32, %{{.*}}: f32):
// CHECK-NOT: linalg.index 0
// CHECK:     %[[AT:.*]] = arith.index_cast %[[H]] : i32 to index
// CHECK:     memref.load %{{.*}}[%[[AT]]]
// CHECK:     arith.subi %{{.*}}, %[[Q]] : i32
attn.mod @alibi(%slopes: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %slope = attn.load %slopes[%h] : tensor<?xf32>
    %d = arith.subi %kv, %q : i32
    %f = arith.sitofp %d : i32 to f32
    %x = arith.mulf %f, %slope : f32
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @score(%q: !q, %slopes: tensor<?xf32>) -> !q {
  %o = attn.attention %q, %q, %q mod @alibi(%slopes) {schedule = #attn.schedule<tiling = <q = 16, kv = 32, pack>>}
    : (!q, !q, !q, tensor<?xf32>) -> !q
  return %o : !q
}

// -----

!q = tensor<?x?x?x64xbf16>

// The queries of a tile are those of its first and last row, whatever the heads are.
// CHECK-LABEL: func.func @causal(
// CHECK: scf.forall
// CHECK: %[[LAST:.*]] = arith.minsi
// CHECK: arith.divui %{{.*}}, %[[G:.*]] : index
// CHECK: arith.divui %[[LAST]], %[[G]] : index
// CHECK: scf.for
// CHECK:   tile.load
attn.mod @late
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @causal(%q: !q) -> !q {
  %o = attn.attention %q, %q, %q mod @late {schedule = #attn.schedule<tiling = <q = 16, kv = 32, pack>>} : (!q, !q, !q) -> !q
  return %o : !q
}

// -----

!q = tensor<?x?x?x64xbf16>

// Where the mask reads the head: all heads of the tile, for what they may see together and must all see.
// CHECK-LABEL: func.func @windows(
// CHECK: scf.forall
// CHECK: %[[BOUNDS:.*]]:4 = scf.for %[[H:.*]] = %{{.*}} to %{{.*}} step %c1 iter_args({{.*}}) -> (index, index, index, index) {
// CHECK:   arith.addi %{{.*}}, %[[H]] : index
// CHECK:   memref.load
// CHECK:   arith.minsi
// CHECK:   arith.maxsi
// CHECK:   scf.yield
// CHECK: scf.for
// CHECK:   tile.load
attn.mod @near(%widths: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %width = attn.load %widths[%h] : tensor<?xi32>
    %d = arith.subi %q, %kv : i32
    %keep = arith.cmpi slt, %d, %width : i32
    attn.yield %keep : i1
  }
func.func @windows(%q: !q, %widths: tensor<?xi32>) -> !q {
  %o = attn.attention %q, %q, %q mod @near(%widths) {schedule = #attn.schedule<tiling = <q = 16, kv = 32, pack>>}
    : (!q, !q, !q, tensor<?xi32>) -> !q
  return %o : !q
}

// -----

!q = tensor<?x?x?x64xbf16>

// No lists: all tiles are visited.
// CHECK-LABEL: func.func @documents(
// CHECK-NOT: attn.role<list
// CHECK: scf.forall
// CHECK: scf.for
// CHECK:   tile.load {{.*}} -> tensor<32x64xbf16>
// CHECK:   tile.has_nonfinite
attn.mod @same(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
func.func @documents(%q: !q, %ids: tensor<?xi32>) -> !q {
  %o = attn.attention %q, %q, %q mod @same(%ids) {schedule = #attn.schedule<tiling = <q = 16, kv = 32, pack>>}
    : (!q, !q, !q, tensor<?xi32>) -> !q
  return %o : !q
}
