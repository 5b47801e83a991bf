// With a capture_schedule sums end in slots, of kernels of their own.
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=sm80 --attn-to-flash --canonicalize --cse \
// RUN:   --split-input-file --verify-diagnostics | FileCheck %s

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

// A number for each head: the kernel that owns keys carries a sum for each row, and another kernel adds what rows have
// to slots, of which each warp has a copy. A thread for each element adds up the slots, some of which it reads ahead.
// CHECK-LABEL: func.func @slope_grad_query(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @slope_grad_key(
// CHECK-SAME: %[[ROWS:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>}
// CHECK: %[[R:.*]]:3 = scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64xf32>) : i32 {
// CHECK:   linalg.reduce
// CHECK: tile.store %[[R]]#2, %[[ROWS]]
// CHECK-LABEL: func.func @slope_grad_rows_0(
// CHECK-NOT: list_order
// CHECK-SAME: %[[ROWS:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>}
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?xf32> {attn.role = #attn.role<workspace>}
// CHECK-SAME: attn.schedule = #attn.schedule<tiling = <q = 32, kv = 64, owns_keys>, roles = <warps = 4>, pipeline = <stages = 2>>
// CHECK: %[[HEADS:.*]] = memref.dim %[[ROWS]], %c1
// CHECK: %[[COPIES:.*]] = memref.dim %[[SUMS]], %c0
// CHECK: %[[SLOTS:.*]] = arith.divui %[[COPIES]], %c4
// CHECK: scf.forall (%[[SLOT:.*]], %{{.*}}, %{{.*}}, %{{.*}}) in (%[[SLOTS]], 1, %[[HEADS]], 1) {
// CHECK:   scf.for %{{.*}} = %[[SLOT]] to %{{.*}} step %[[SLOTS]] {
// CHECK:     %[[FIRST:.*]] = arith.muli %[[SLOT]], %c4
// CHECK:     %[[R:.*]] = tile.load %[[ROWS]][%{{.*}}, %{{.*}}, %{{.*}}] : memref<?x?x?xf32> -> tensor<64xf32>
// CHECK:     tile.scatter_add %[[R]] at %{{.*}}, %[[SUMS]][%[[FIRST]]] {per_warp} : tensor<64xf32>, tensor<64xi64>
// CHECK: } {mapping = [#gpu.block<linear_dim_0>, #gpu.block<linear_dim_1>, #gpu.block<linear_dim_2>, #gpu.block<linear_dim_3>]}
// CHECK-LABEL: func.func @slope_grad_sum_0(
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?xf32> {attn.role = #attn.role<workspace>}
// CHECK-SAME: %[[GRAD:[^:]*]]: memref<?xf32> {attn.role = #attn.role<grad_capture>}
// CHECK: scf.forall (%[[E:.*]]) in
// CHECK:   memref.load %[[GRAD]][%[[E]]]
// CHECK:   scf.for {{.*}} step %c16
// CHECK-COUNT-16: memref.load %[[SUMS]][%{{.*}}, %[[E]]]
// CHECK-COUNT-16: arith.addf
// CHECK:   scf.for
// CHECK:     memref.load %[[SUMS]]
// CHECK:   memref.store %{{.*}}, %[[GRAD]][%[[E]]]
// CHECK: } {mapping = [#gpu.thread<linear_dim_0>]}
attn.mod @alibi(%slopes: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %m = attn.load %slopes[%h] : tensor<?xf32>
    %d = arith.subi %kv, %q : i32
    %f = arith.sitofp %d : i32 to f32
    %x = arith.mulf %f, %m : f32
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @slope(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %m: tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>) {
  %r:4 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @alibi(%m) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, tensor<?xf32>
}

// -----

!q = tensor<?x?x?x128xbf16>
!l = tensor<?x?x?xf32>

// A number for each key: rows have an element each, and so no copies.
// CHECK-LABEL: func.func @keys_grad_rows_0(
// CHECK-SAME: attn.schedule = #attn.schedule<tiling = <q = 32, kv = 64, owns_keys>, roles = <warps = 4>, pipeline = <stages = 2>>
// CHECK: scf.forall (%[[SLOT:.*]], %{{.*}}, %{{.*}}, %{{.*}}) in (%{{.*}}, 1, 1, %{{.*}}) {
// CHECK:   scf.for
// CHECK:     tile.scatter_add %{{.*}} at %{{.*}}, %{{.*}}[%[[SLOT]]] {distinct} : tensor<64xf32>, tensor<64xi64>
attn.mod @by_key(%t: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%kv] : tensor<?xf32>
    %y = arith.addf %s, %x : f32
    attn.yield %y : f32
  }
func.func @keys(%q: !q, %l: !l, %m: tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>) {
  %r:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @by_key(%m) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, tensor<?xf32>
}

// -----

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>

// An element for a query, of a derivative that depends on the score: not every pass over the pairs owns
// queries, so a kernel of its own carries a sum for each row, and adds the sums to its slot. What rows outside of the
// tensor have summed does not count.
// CHECK-LABEL: func.func @queries_grad_query(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @queries_grad_key(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @queries_grad_pairs_0(
// CHECK-SAME: {attn.role = #attn.role<statistics>}
// CHECK-SAME: attn.schedule = #attn.schedule<tiling = <q = 64, kv = 32>, roles = <warps = 4>, pipeline = <stages = 2>>
// CHECK:   scf.for
// CHECK:     %[[R:.*]] = scf.for {{.*}} -> (tensor<64xf32>) : i32 {
// CHECK:       linalg.reduce
// CHECK:     }
// CHECK:     %[[ROWS:.*]] = linalg.generic {{.*}} ins(%[[R]] :
// CHECK:       arith.select
// CHECK:     tile.scatter_add %[[ROWS]] at %{{.*}}, %{{.*}}[%{{.*}}] {distinct} : tensor<64xf32>, tensor<64xi64>
attn.mod @by_query(%t: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%q] : tensor<?xf32>
    %y = arith.mulf %s, %x : f32
    attn.yield %y : f32
  }
func.func @queries(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %m: tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>) {
  %r:4 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @by_query(%m) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, tensor<?xf32>
}

// -----

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>
!t = tensor<?x?x?xf32>

// An element for each pair of a head.
// CHECK-LABEL: func.func @bias_grad_pairs_0(
// CHECK: scf.forall (%[[SLOT:.*]], %{{.*}}, %{{.*}}, %{{.*}}) in (%{{.*}}, 1, %{{.*}}, %{{.*}}) {
// CHECK: tile.scatter_add %{{.*}} at %{{.*}}, %{{.*}}[%[[SLOT]]] {distinct} : tensor<64x32xf32>, tensor<64x32xi64>
attn.mod @full_bias(%t: !t)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%h, %q, %kv] : !t
    %y = arith.addf %s, %x : f32
    attn.yield %y : f32
  }
func.func @bias(%q: !q, %l: !l, %t: !t) -> (!q, !q, !q, !t) {
  // expected-remark @+1 {{the gradient of "t" takes a pass over all pairs of its own}}
  %r:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @full_bias(%t) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, !t) -> (!q, !q, !q, !t)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, !t
}

// -----

!q = tensor<?x?x?x64xbf16>
!l = tensor<?x?x?xf32>
!t = tensor<?x?xf32>

// Where the key alone is an index itself, tasks own keys: rows of the tile go to different elements, columns may not.
// CHECK-LABEL: func.func @moved_grad_pairs_0(
// CHECK-SAME: owns_keys>
// CHECK: tile.scatter_add %{{.*}} at %{{.*}}, %{{.*}}[%{{.*}}] : tensor<64x32xf32>, tensor<64x32xi64>
attn.mod @moved_bias(%t: !t)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %c3 = arith.constant 3 : i32
    %i = arith.addi %q, %c3 : i32
    %x = attn.load %t[%i, %kv] : !t
    %y = arith.addf %s, %x : f32
    attn.yield %y : f32
  }
func.func @moved(%q: !q, %l: !l, %t: !t) -> (!q, !q, !q, !t) {
  // expected-remark @+1 {{the gradient of "t" takes a pass over all pairs of its own}}
  %r:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @moved_bias(%t) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, !t) -> (!q, !q, !q, !t)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, !t
}
