// RUN: attn-opt %s --attn-inline-mods --attn-to-flash | FileCheck %s

!q = tensor<?x?x?x24xbf16>
!l = tensor<?x?x?xf32>

// Even shares of all visits: as many as the memory has slots for two parts each.
// CHECK-LABEL: func.func @layer(
// CHECK-SAME: %[[OUT:[^ ]*]]: memref<?x?x?x24xbf16, {{[^{]*}}> {attn.role = #attn.role<out>}
// CHECK-SAME: %[[LSE:[^ ]*]]: memref<?x?x?xf32> {attn.role = #attn.role<lse>}
// CHECK-SAME: %[[PARTS:[^ ]*]]: memref<?x16x32xf32> {attn.role = #attn.role<partial_out>}
// CHECK-SAME: %[[SUMS:[^ ]*]]: memref<?x2x16xf32> {attn.role = #attn.role<partial_sums>}
// CHECK-SAME: %[[COUNTS:[^ ]*]]: memref<?x2xi32> {attn.role = #attn.role<partial_counts>}
// CHECK: %[[SLOTS:.*]] = memref.dim %[[SUMS]], %c0
// CHECK: %[[SHARES:.*]] = arith.divui %[[SLOTS]], %c2
// CHECK: scf.forall (%[[I:.*]]) in (%[[SHARES]]) {
// The line's end is where the task behind the last begins. A mask that reads neither batch nor head is asked once
// for each query tile.
// CHECK: %{{.*}}, %[[TOTAL:.*]] = tile.find_task %c9223372036854775807 in %[[TILES:.*]] by %{{.*}} {
// Of a short line there are fewer; no two differ by more than one position.
// CHECK: %[[MOST:.*]] = arith.divui %[[TOTAL]], %c2
// CHECK: %[[SOME:.*]] = arith.maxui %[[MOST]], %c1
// CHECK: %[[NUMBER:.*]] = arith.minui %[[SHARES]], %[[SOME]]
// CHECK: %[[PLACE:.*]] = arith.minui %[[I]], %[[NUMBER]]
// CHECK: %[[BEFORE:.*]] = arith.muli %[[PLACE]], %[[TOTAL]]
// CHECK: %[[BEGIN:.*]] = arith.divui %[[BEFORE]], %[[NUMBER]]
// CHECK: %[[END:.*]] = arith.divui %{{.*}}, %[[NUMBER]]
// CHECK: %[[TASK:.*]], %[[START:.*]] = tile.find_task %[[BEGIN]] in %[[TILES]] by
// CHECK: %[[LOOP:.*]]:3 = scf.while (%{{.*}} = %[[TASK]], %[[AT:.*]] = %[[START]], %{{.*}} = %c0{{.*}}) : (index, index, index) -> (index, index, index) {
// CHECK:   %[[ON:.*]] = arith.cmpi slt, %[[AT]], %[[END]]
// CHECK:   scf.condition(%[[ON]])
// CHECK: } do {
// CHECK: ^bb0(%[[T:.*]]: index, %[[S:.*]]: index, %{{.*}}: index):
// The head is innermost, then the batch.
// CHECK:   arith.remui %[[T]], %{{.*}}
// The visits of the task that are the share's.
// CHECK:   %[[BEHIND:.*]] = arith.addi %[[S]], %{{.*}}
// CHECK:   %[[FIRST:.*]] = arith.addi %[[S]], %c1
// CHECK:   %[[LOW:.*]] = arith.maxsi %[[BEGIN]], %[[FIRST]]
// CHECK:   %[[HIGH:.*]] = arith.minsi %[[END]], %[[BEHIND]]
// CHECK:   scf.for
// Whole, or a part: the second slot of a share is for the task that it begins and does not end.
// CHECK:   %[[BEGINS:.*]] = arith.cmpi sle, %[[BEGIN]], %[[S]]
// CHECK:   %[[ENDS:.*]] = arith.cmpi sle, %[[BEHIND]], %[[END]]
// CHECK:   %[[WHOLE:.*]] = arith.andi %[[BEGINS]], %[[ENDS]]
// CHECK:   scf.if %[[WHOLE]] {
// CHECK:     tile.store %{{.*}}, %[[OUT]]
// CHECK:     tile.store %{{.*}}, %[[LSE]]
// CHECK:   } else {
// CHECK:     %[[BIT:.*]] = arith.index_castui %[[BEGINS]]
// CHECK:     %[[TWICE:.*]] = arith.muli %[[I]], %c2
// CHECK:     %[[SLOT:.*]] = arith.addi %[[TWICE]], %[[BIT]]
// CHECK:     tile.store %{{.*}}, %[[PARTS]][%[[SLOT]], %c0{{.*}}] : tensor<16x32xf32>
// CHECK:     tile.store %{{.*}}, %[[SUMS]][%[[SLOT]], %c0{{.*}}, %c0{{.*}}] : tensor<16xf32>
// CHECK:     tile.store %{{.*}}, %[[SUMS]][%[[SLOT]], %c1{{.*}}, %c0{{.*}}] : tensor<16xf32>
// CHECK:   }
// Who merges is told of what begins here how many parts follow, by query tile; where these are more than shares, by
// share, of the last one.
// CHECK:   %[[LAST:.*]] = arith.divui %{{.*}}, %[[TOTAL]]
// CHECK:   %[[MORE:.*]] = arith.subi %[[LAST]], %[[I]]
// CHECK:   scf.if %[[BEGINS]] {
// CHECK:     %[[FEWER:.*]] = arith.cmpi ult, %{{.*}}, %{{.*}}
// CHECK:     %[[ENOUGH:.*]] = arith.xori %[[FEWER]], %true
// CHECK:     scf.if %[[ENOUGH]] {
// CHECK:       memref.store %{{.*}}, %[[COUNTS]][%[[T]], %c0
// CHECK:       memref.store %{{.*}}, %[[COUNTS]][%[[T]], %c1
// CHECK:   %[[COUNT:.*]] = arith.select %[[BEGINS]], %[[MORE]], %c0
// CHECK:   %[[NEXT:.*]] = arith.addi %[[T]], %c1
// CHECK:   scf.yield %[[NEXT]], %[[BEHIND]], %[[COUNT]]
// CHECK: }
// CHECK: %[[LAST_TASK:.*]] = arith.subi %[[LOOP]]#0, %c1
// CHECK: memref.store %{{.*}}, %[[COUNTS]][%[[I]], %c0
// CHECK: memref.store %{{.*}}, %[[COUNTS]][%[[I]], %c1
// CHECK: } {mapping = [#gpu.block<linear_dim_0>]}

attn.mod @causal mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
func.func @layer(%q: !q, %k: !q, %v: !q) -> (!q, !l) {
  %o, %lse = attn.attention %q, %k, %v mod @causal {schedule = #attn.schedule<tiling = <q = 16, kv = 32, shares>>}
    : (!q, !q, !q) -> (!q, !l)
  return %o, %lse : !q, !l
}

// What a mask reads at the batch is asked once for all heads of it, but at the head for each.
// CHECK-LABEL: func.func @per_batch(
// CHECK: %[[HEADS:.*]] = memref.dim %{{.*}}, %c1
// CHECK: tile.find_task %c9223372036854775807 in %{{.*}} by %[[BY:.*]] {
// CHECK: memref.load
// CHECK: tile.yield
attn.mod @lengths(%lengths: tensor<?xi32>) mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %n = attn.load %lengths[%b] : tensor<?xi32>
  %keep = arith.cmpi slt, %kv, %n : i32
  attn.yield %keep : i1
}
func.func @per_batch(%q: !q, %k: !q, %v: !q, %n: tensor<?xi32>) -> !q {
  %o = attn.attention %q, %k, %v mod @lengths(%n) {schedule = #attn.schedule<tiling = <q = 16, kv = 32, shares>>}
    : (!q, !q, !q, tensor<?xi32>) -> !q
  return %o : !q
}

// Warps that deal the keys of a step: each visits all of the task's tiles, and 32 keys of each. What they have made
// they add up, relative to the greatest maximum, and one of them stores it.
// CHECK-LABEL: func.func @key_warps(
// CHECK: scf.forall (%[[I:.*]]) in (%{{.*}}) {
// CHECK: scf.forall (%[[W:.*]]) in (4) {
// CHECK:   %[[STATE:.*]]:4 = scf.for %[[VISIT:.*]] = {{.*}} -> (tensor<16xf32>, tensor<16xf32>, i1, tensor<16x32xf32>) {
// CHECK:     %[[STEP:.*]] = arith.muli %{{.*}}, %c128
// CHECK:     %[[OWN:.*]] = arith.muli %[[W]], %c32
// CHECK:     %[[KEY:.*]] = arith.addi %[[STEP]], %[[OWN]]
// CHECK:     tile.load %{{.*}}[%{{.*}}, %{{.*}}, %[[KEY]]] : memref<{{.*}}> -> tensor<32x32xbf16>
// CHECK:   }
// CHECK:   %[[MAXIMUM:.*]] = tile.combine_warps greatest %[[STATE]]#0 : tensor<16xf32>
// CHECK:   %[[FACTOR:.*]] = linalg.generic {{.*}} ins(%[[STATE]]#0, %[[MAXIMUM]]
// CHECK:   linalg.generic {{.*}} ins(%[[STATE]]#1, %[[FACTOR]]
// CHECK:   tile.combine_warps %{{.*}} : tensor<16xf32>
// CHECK:   linalg.generic {{.*}} ins(%[[STATE]]#3, %[[FACTOR]]
// CHECK:   tile.combine_warps %{{.*}} : tensor<16x32xf32>
// CHECK:   %[[IS_FIRST:.*]] = arith.cmpi eq, %[[W]], %c0
// CHECK:   scf.if %[[IS_FIRST]] {
// CHECK-NEXT: scf.if
// CHECK:   tile.store
// CHECK: } {mapping = [#gpu.warp<linear_dim_0>]}
// CHECK: } {mapping = [#gpu.block<linear_dim_0>]}
func.func @key_warps(%q: !q, %k: !q, %v: !q) -> !q {
  %o = attn.attention %q, %k, %v
    {schedule = #attn.schedule<tiling = <q = 16, kv = 128, shares>, roles = <key_warps = 4>>} : (!q, !q, !q) -> !q
  return %o : !q
}
