// RUN: attn-opt %s --attn-differentiate --attn-select-schedule=target=cpu --attn-to-flash=round-probabilities=false --split-input-file | FileCheck %s

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

// Two kernels, neither of which adds up in memory. The first owns queries: it makes their statistics, the LSE at place 1
// and delta at place 0, which it stores, and visits keys up to its last query.
// CHECK-LABEL: func.func @layer_grad_query(
// CHECK-SAME: {attn.role = #attn.role<query>}
// CHECK-SAME: %[[DO:[^:]*]]: {{[^%]*}}{attn.role = #attn.role<grad_out>}
// CHECK-SAME: %[[STATISTICS:[^:]*]]: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>}
// CHECK-SAME: %[[OUT:[^:]*]]: {{[^%]*}}{attn.role = #attn.role<out>}
// CHECK-SAME: %[[LSE:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<lse>}
// CHECK-SAME: %[[DLSE:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<grad_lse>}
// CHECK-SAME: %[[DQ:[^:]*]]: {{[^%]*}}{attn.role = #attn.role<grad_query>}
// CHECK-SAME: attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>
// CHECK: scf.forall
// CHECK:   tile.load %[[DO]]
// CHECK:   tile.load %[[LSE]]
// CHECK:   %[[PLACE1:.*]] = arith.constant 1 : index
// CHECK:   tile.store %{{.*}}, %[[STATISTICS]][%{{.*}}, %{{.*}}, %[[PLACE1]], %{{.*}}]
// CHECK:   tile.load %[[OUT]]
// CHECK:   linalg.reduce
// CHECK:   tile.load %[[DLSE]]
// CHECK:   %[[PLACE0:.*]] = arith.constant 0 : index
// CHECK:   tile.store %{{.*}}, %[[STATISTICS]][%{{.*}}, %{{.*}}, %[[PLACE0]], %{{.*}}]
// CHECK:   scf.for {{.*}} -> (tensor<64x64xf32>) : i32 {
// CHECK:     linalg.contract
// CHECK:     linalg.contract
// CHECK:     math.tanh
// CHECK:     linalg.contract
// CHECK:   tile.store %{{.*}}, %[[DQ]]
//
// The second owns keys and visits queries of all heads of its group; statistics of queries lie along the columns.
// CHECK-LABEL: func.func @layer_grad_key(
// CHECK-SAME: %[[STATISTICS:[^:]*]]: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>}
// CHECK-NOT: #attn.role<lse>
// CHECK-SAME: %[[DK:[^:]*]]: {{[^%]*}}{attn.role = #attn.role<grad_key>}
// CHECK-SAME: %[[DV:[^:]*]]: {{[^%]*}}{attn.role = #attn.role<grad_value>}
// CHECK-SAME: attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>
// CHECK: scf.forall
// CHECK:   scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64x64xf32>) : i32 {
// CHECK:     scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64x64xf32>) : i32 {
// CHECK:       tile.load %[[STATISTICS]]
// CHECK:       linalg.generic {indexing_maps = [#[[ALL:.*]], #[[COLUMNS:.*]], #[[ALL]]],
// CHECK:         math.exp2
// CHECK:       tile.load %[[STATISTICS]]
// CHECK:   tile.store %{{.*}}, %[[DK]]
// CHECK:   tile.store %{{.*}}, %[[DV]]
// CHECK-NOT: func.func
attn.mod @m
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = math.tanh %s : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @layer(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %dl: !l) -> (!q, !q, !q) {
  %r:3 = attn.attention_backward %q, %k, %v, %o, %l, %do grad_lse(%dl) mod @m : (!q, !q, !q, !q, !l, !q, !l) -> (!q, !q, !q)
  return %r#0, %r#1, %r#2 : !q, !q, !q
}

// -----

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

// Tiles that are not one run are listed for both: by queries, and by keys.
// CHECK-LABEL: func.func @lists_grad_query(
// CHECK-SAME: {attn.role = #attn.role<list_order>}
// CHECK-LABEL: func.func @lists_grad_key(
// CHECK-SAME: {attn.role = #attn.role<list_order>}
attn.mod @stripes
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 256 : i32
    %d = arith.subi %q, %kv : i32
    %r = arith.remui %d, %c : i32
    %keep = arith.cmpi slt, %r, %q : i32
    attn.yield %keep : i1
  }
func.func @lists(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %r:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @stripes : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %r#0, %r#1, %r#2 : !q, !q, !q
}

// -----

!q = tensor<?x?x?x32xbf16>
!l = tensor<?x?x?xf32>

// With a schedule for it, gradients of values are a kernel's of their own, which needs no value and no delta. Each kernel
// has the tiles of its schedule.
// CHECK-LABEL: func.func @three_grad_query(
// CHECK-SAME: attn.schedule = #attn.schedule<tiling = <q = 64, kv = 16>>
// CHECK-LABEL: func.func @three_grad_key(
// CHECK-SAME: #attn.role<grad_key>
// CHECK-NOT: #attn.role<grad_value>
// CHECK-SAME: attn.schedule = #attn.schedule<tiling = <q = 32, kv = 48, owns_keys>>
// CHECK: scf.for {{.*}} -> (tensor<48x32xf32>) : i32 {
// CHECK:   scf.for {{.*}} -> (tensor<48x32xf32>) : i32 {
// CHECK-COUNT-3: linalg.contract
// CHECK-LABEL: func.func @three_grad_value(
// CHECK-SAME: %[[V:[^:]*]]: {{[^%]*}}{attn.role = #attn.role<value>}
// CHECK-SAME: %[[STATISTICS:[^:]*]]: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>}
// CHECK-NOT: #attn.role<grad_key>
// CHECK-SAME: %[[DV:[^:]*]]: {{[^%]*}}{attn.role = #attn.role<grad_value>}
// CHECK-SAME: attn.schedule = #attn.schedule<tiling = <q = 16, kv = 96, owns_keys>>
// CHECK-NOT: tile.load %[[V]]
// CHECK: scf.for {{.*}} -> (tensor<96x32xf32>) : i32 {
// CHECK:   tile.load %[[STATISTICS]]
// CHECK-NOT: tile.load %[[STATISTICS]]
// CHECK-NOT: tile.load
// CHECK:   tile.store %{{.*}}, %[[DV]]
func.func @three(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q) -> (!q, !q, !q) {
  %r:3 = attn.attention_backward %q, %k, %v, %o, %l, %do
      {schedule = #attn.schedule<tiling = <q = 64, kv = 16>>,
       key_schedule = #attn.schedule<tiling = <q = 32, kv = 48, owns_keys>>,
       value_schedule = #attn.schedule<tiling = <q = 16, kv = 96, owns_keys>>}
    : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %r#0, %r#1, %r#2 : !q, !q, !q
}
