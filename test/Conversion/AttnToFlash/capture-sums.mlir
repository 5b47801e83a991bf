// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=cpu --attn-to-flash=round-probabilities=false \
// RUN:   --canonicalize --cse --split-input-file --verify-diagnostics | FileCheck %s

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

// What goes to an element for a head: the kernel that owns keys sums over queries, before its products; the last one
// over the rest, a task for each head.
// CHECK-LABEL: func.func @slope_grad_query(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @slope_grad_key(
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>}
// CHECK: scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64xf32>) : i32 {
// What a distance is multiplied by is zero for pairs that are left out: nothing else says so.
// CHECK-COUNT-2: arith.cmpf oeq
// CHECK-NOT: arith.cmpf
// CHECK:   linalg.reduce
// CHECK: tile.store %{{.*}}, %[[SUMS]][%{{.*}}, %{{.*}}, %{{.*}}] : tensor<64xf32>
// CHECK-LABEL: func.func @slope_grad_sum_0(
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>}
// CHECK-SAME: %[[GRAD:[^:]*]]: memref<?xf32> {attn.role = #attn.role<grad_capture>}
// CHECK: %[[HEADS:.*]] = memref.dim %[[SUMS]], %c1
// CHECK: scf.forall (%[[H:.*]]) in (%[[HEADS]]) {
// CHECK:   scf.for
// CHECK:     scf.for
// CHECK:       %[[ROWS:.*]] = tile.load %[[SUMS]][%{{.*}}, %[[H]], %{{.*}}] : memref<?x?x?xf32> -> tensor<256xf32>
// CHECK:       tile.scatter_add %[[ROWS]] at %{{.*}}, %[[GRAD]][] : tensor<256xf32>, tensor<256xi64>
// CHECK-NOT: func.func
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

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

// An element for a key: the kernel that owns keys, for each head of its group.
// CHECK-LABEL: func.func @keys_grad_query(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @keys_grad_key(
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>}
// CHECK: scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64x64xf32>) : i32 {
// CHECK:   %[[R:.*]]:3 = scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64xf32>) : i32 {
// CHECK:   tile.store %[[R]]#2, %[[SUMS]]
// CHECK-LABEL: func.func @keys_grad_sum_0(
attn.mod @by_key(%t: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%kv] : tensor<?xf32>
    %y = arith.addf %s, %x : f32
    attn.yield %y : f32
  }
func.func @keys(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %m: tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>) {
  %r:4 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @by_key(%m) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, tensor<?xf32>
}

// -----

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

// An element for a query, of a derivative that depends on the score: the kernel that owns queries.
// Where a gradient is zero a score that may be infinite does not count.
// CHECK-LABEL: func.func @queries_grad_query(
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>}
// CHECK: scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64xf32>) : i32 {
// CHECK-COUNT-4: arith.cmpf oeq
// CHECK-NOT: arith.cmpf
// CHECK:   linalg.reduce
// CHECK: tile.store %{{.*}}, %[[SUMS]][%{{.*}}, %{{.*}}, %{{.*}}] : tensor<64xf32>
// CHECK-LABEL: func.func @queries_grad_key(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @queries_grad_sum_0(
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

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

// Of three kernels the one that has gradients of scores.
// CHECK-LABEL: func.func @three_grad_key(
// CHECK-SAME: {attn.role = #attn.role<grad_key>}
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>}
// CHECK: %[[R:.*]]:2 = scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64xf32>)
// CHECK: tile.store %[[R]]#1, %[[SUMS]]
// CHECK-LABEL: func.func @three_grad_value(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @three_grad_sum_0(
attn.mod @by_key(%t: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%kv] : tensor<?xf32>
    %y = arith.addf %s, %x : f32
    attn.yield %y : f32
  }
func.func @three(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %m: tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>) {
  %r:4 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @by_key(%m)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>, key_schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>,
     value_schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>, wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, tensor<?xf32>
}

// -----

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>
!t = tensor<?x?xf32>

// An element for a distance, read in a branch: all pairs once more. Slots share what is not owned, here batches and
// query tiles. Behind the branch the place is clamped, and zero is added where it is not taken.
// CHECK-LABEL: func.func @toeplitz_grad_pairs_0(
// CHECK-SAME: {attn.role = #attn.role<statistics>}
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?xf32> {attn.role = #attn.role<workspace>}
// CHECK: %[[HEADS:.*]] = memref.dim %arg0, %c1
// CHECK: %[[SLOTS:.*]] = memref.dim %[[SUMS]], %c0
// CHECK: scf.forall (%[[SLOT:.*]], %{{.*}}) in (%[[SLOTS]], %[[HEADS]]) {
// CHECK:   scf.for %[[UNIT:.*]] = %[[SLOT]] to %{{.*}} step %[[SLOTS]] {
// CHECK:     scf.for
// CHECK:       scf.if %{{.*}} -> (f32) {
// CHECK:       arith.minsi
// CHECK:       arith.maxsi
// CHECK:       tile.scatter_add %{{.*}} at %{{.*}}, %[[SUMS]][%[[SLOT]]] : tensor<64x64xf32>, tensor<64x64xi64>
// CHECK-LABEL: func.func @toeplitz_grad_sum_0(
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x?xf32> {attn.role = #attn.role<workspace>}
// CHECK-SAME: %[[GRAD:[^:]*]]: memref<?xf32> {attn.role = #attn.role<grad_capture number 1>}
// CHECK: scf.forall
// CHECK:   tile.load %[[GRAD]]
// CHECK:   scf.for
// CHECK:     tile.load %[[SUMS]]
// CHECK:   tile.store %{{.*}}, %[[GRAD]]
attn.mod @by_distance(%n: i32, %t: !t)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %later = arith.cmpi sge, %q, %kv : i32
    %y = scf.if %later -> f32 {
      %d = arith.subi %q, %kv : i32
      %x = attn.load %t[%h, %d] : !t
      %z = arith.addf %s, %x : f32
      scf.yield %z : f32
    } else {
      scf.yield %s : f32
    }
    attn.yield %y : f32
  }
func.func @toeplitz(%q: !q, %k: !q, %v: !q, %o: !q, %l: !l, %do: !q, %n: i32, %t: !t) -> (!q, !q, !q, !t) {
  // expected-remark @+1 {{the gradient of "t" takes a pass over all pairs of its own: where they add to it depends on both query and key}}
  %r:4 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @by_distance(%n, %t) {wrt = array<i64: 1>}
    : (!q, !q, !q, !q, !l, !q, i32, !t) -> (!q, !q, !q, !t)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, !t
}

// -----

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>
!t = tensor<?x?x?xf32>

// A table that is read both ways: tasks of different queries would meet, those of different heads do not.
// CHECK-LABEL: func.func @both_ways_grad_pairs_0(
// CHECK: %[[HEADS:.*]] = memref.dim %arg0, %c1
// CHECK: %[[SLOTS:.*]] = memref.dim %{{.*}}, %c0 : memref<?x?xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%[[SLOTS]], %[[HEADS]]) {
// CHECK: tile.scatter_add
// CHECK: tile.scatter_add
attn.mod @symmetric(%t: !t)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%h, %q, %kv] : !t
    %y = attn.load %t[%h, %kv, %q] : !t
    %z = arith.addf %x, %y : f32
    %r = arith.addf %s, %z : f32
    attn.yield %r : f32
  }
func.func @both_ways(%q: !q, %l: !l, %t: !t) -> (!q, !q, !q, !t) {
  // expected-remark @+1 {{the gradient of "t" takes a pass over all pairs of its own}}
  %r:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @symmetric(%t) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, !t) -> (!q, !q, !q, !t)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, !t
}

// -----

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

// Zero: what all scores of a query have in common, and what only the mask reads.
// CHECK-LABEL: func.func @nothing_grad_query(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @nothing_grad_key(
// CHECK-NOT: row_sums
// CHECK-NOT: func.func
attn.mod @in_common(%a: tensor<?xf32>, %m: tensor<?xf32>, %c: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %a[%h] : tensor<?xf32>
    %y = arith.mulf %x, %c : f32
    %t = arith.addf %s, %y : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %m[%q] : tensor<?xf32>
    %zero = arith.constant 0.0 : f32
    %keep = arith.cmpf ogt, %x, %zero : f32
    attn.yield %keep : i1
  }
func.func @nothing(%q: !q, %l: !l, %a: tensor<?xf32>, %m: tensor<?xf32>, %c: f32) -> (!q, !q, !q, tensor<?xf32>, tensor<?xf32>) {
  // expected-remark @+2 {{the gradient of "a" is zero: it only adds to all scores of a query alike}}
  // expected-remark @+1 {{the gradient of "m" is zero: it has no part in the scores}}
  %r:5 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @in_common(%a, %m, %c) {wrt = array<i64: 0, 1>}
    : (!q, !q, !q, !q, !l, !q, tensor<?xf32>, tensor<?xf32>, f32) -> (!q, !q, !q, tensor<?xf32>, tensor<?xf32>)
  return %r#0, %r#1, %r#2, %r#3, %r#4 : !q, !q, !q, tensor<?xf32>, tensor<?xf32>
}

// -----

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

// With a gradient of the LSE it is that, summed.
// CHECK-LABEL: func.func @lse_grad_query(
// CHECK-NOT: row_sums
// CHECK-LABEL: func.func @lse_grad_key(
// CHECK-SAME: {attn.role = #attn.role<row_sums>}
// CHECK-LABEL: func.func @lse_grad_sum_0(
attn.mod @head_bias(%a: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %a[%h] : tensor<?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @lse(%q: !q, %l: !l, %a: tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>) {
  %r:4 = attn.attention_backward %q, %q, %q, %q, %l, %q grad_lse(%l) mod @head_bias(%a) {wrt = array<i64: 0>}
    : (!q, !q, !q, !q, !l, !q, !l, tensor<?xf32>) -> (!q, !q, !q, tensor<?xf32>)
  return %r#0, %r#1, %r#2, %r#3 : !q, !q, !q, tensor<?xf32>
}
