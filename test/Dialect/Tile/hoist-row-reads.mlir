// RUN: attn-opt %s --pass-pipeline='builtin.module(func.func(tile-hoist-row-reads))' | FileCheck %s
// RUN: attn-opt %s --pass-pipeline='builtin.module(func.func(tile-hoist-row-reads{packed=true}))' | FileCheck %s --check-prefix=PACKED

#ij = affine_map<(i, j) -> (i, j)>
!s = tensor<64x32xf32>

// Read at the row alone: once, before the loop, also where two tiles ask for it, in a branch or not. What the
// column has a part in stays.
// CHECK-LABEL: func.func @rows
// CHECK-SAME: %[[S:[^:]*]]: tensor<64x32xf32>, %[[IDS:[^:]*]]: memref<?xi32>, %[[FIRST:[^:]*]]: index
// CHECK: %[[ROWS:.*]] = linalg.generic {{.*}} iterator_types = ["parallel"]} outs(%{{.*}} : tensor<64xi32>) {
// CHECK:   %[[I:.*]] = linalg.index 0 : index
// CHECK:   %[[P:.*]] = arith.addi %[[I]], %[[FIRST]] : index
// CHECK:   %[[X:.*]] = memref.load %[[IDS]][%[[P]]]
// CHECK:   linalg.yield %[[X]] : i32
// CHECK-NOT: linalg.generic
// CHECK: scf.for
// CHECK:   scf.if
// CHECK:     linalg.generic {{.*}} ins(%{{.*}}, %[[ROWS]] : tensor<64x32xf32>, tensor<64xi32>)
// CHECK:     ^bb0(%{{.*}}: f32, %[[A:.*]]: i32, %{{.*}}: f32):
// CHECK:       %[[B:.*]] = memref.load %[[IDS]]
// CHECK-NOT:   memref.load
// CHECK:       arith.cmpi eq, %[[A]], %[[B]] : i32
// CHECK:   linalg.generic {{.*}} ins(%{{.*}}, %[[ROWS]] : tensor<64x32xf32>, tensor<64xi32>)
// CHECK-NOT: memref.load
// Where the schedule has one head for a tile, it stays if asked to.
// PACKED-LABEL: func.func @rows
// PACKED-NOT: tensor<64xi32>
// PACKED: return
func.func @rows(%s: !s, %ids: memref<?xi32>, %first: index, %n: index, %c: i1) -> !s {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %es = tensor.empty() : !s
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%t = %s) -> !s {
    %u = scf.if %c -> !s {
      %g = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%t : !s) outs(%es : !s) {
      ^bb0(%x: f32, %e: f32):
        %row = linalg.index 0 : index
        %column = linalg.index 1 : index
        %p = arith.addi %row, %first : index
        %a = memref.load %ids[%p] : memref<?xi32>
        %b = memref.load %ids[%column] : memref<?xi32>
        %same = arith.cmpi eq, %a, %b : i32
        %y = arith.select %same, %x, %zero : f32
        linalg.yield %y : f32
      } -> !s
      scf.yield %g : !s
    } else {
      scf.yield %t : !s
    }
    %v = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%u : !s) outs(%es : !s) {
    ^bb0(%x: f32, %e: f32):
      %row = linalg.index 0 : index
      %p = arith.addi %row, %first : index
      %a = memref.load %ids[%p] : memref<?xi32>
      %f = arith.sitofp %a : i32 to f32
      %y = arith.addf %x, %f : f32
      linalg.yield %y : f32
    } -> !s
    scf.yield %v : !s
  }
  return %r : !s
}

// A table that is read at what another holds for the row: both reads move.
// CHECK-LABEL: func.func @chain
// CHECK: %[[A:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<64xindex>)
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%[[A]] : tensor<64xindex>) outs(%{{.*}} : tensor<64xf32>)
// CHECK: scf.for
// CHECK-NOT: memref.load
// CHECK: return
func.func @chain(%s: !s, %ids: memref<?xindex>, %bias: memref<?xf32>, %n: index) -> !s {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %es = tensor.empty() : !s
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%t = %s) -> !s {
    %v = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%t : !s) outs(%es : !s) {
    ^bb0(%x: f32, %e: f32):
      %row = linalg.index 0 : index
      %a = memref.load %ids[%row] : memref<?xindex>
      %b = memref.load %bias[%a] : memref<?xf32>
      %y = arith.addf %x, %b : f32
      linalg.yield %y : f32
    } -> !s
    scf.yield %v : !s
  }
  return %r : !s
}

// What stays: a read that differs from round to round, one that a branch guards, one that is clamped to a table
// which may be empty, one that is the same for all rows, one after a division that may trap.
// CHECK-LABEL: func.func @stays
// CHECK-NOT: linalg.generic
// CHECK: scf.for
// CHECK-COUNT-5: memref.load
// CHECK: return
func.func @stays(%s: !s, %bias: memref<?xf32>, %n: index, %c: i1) -> !s {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %es = tensor.empty() : !s
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%t = %s) -> !s {
    %v = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%t : !s) outs(%es : !s) {
    ^bb0(%x: f32, %e: f32):
      %row = linalg.index 0 : index
      %round = arith.addi %row, %i : index
      %a1 = memref.load %bias[%round] : memref<?xf32>
      %a2 = scf.if %c -> f32 {
        %guarded = memref.load %bias[%row] : memref<?xf32>
        scf.yield %guarded : f32
      } else {
        scf.yield %zero : f32
      }
      %size = memref.dim %bias, %c0 : memref<?xf32>
      %clamped = arith.minsi %row, %size : index
      %a3 = memref.load %bias[%clamped] : memref<?xf32>
      %a4 = memref.load %bias[%c1] : memref<?xf32>
      %divided = arith.divsi %row, %n : index
      %a5 = memref.load %bias[%divided] : memref<?xf32>
      %y1 = arith.addf %x, %a1 : f32
      %y2 = arith.addf %y1, %a2 : f32
      %y3 = arith.addf %y2, %a3 : f32
      %y4 = arith.addf %y3, %a4 : f32
      %y5 = arith.addf %y4, %a5 : f32
      linalg.yield %y5 : f32
    } -> !s
    scf.yield %v : !s
  }
  return %r : !s
}

// A loop that writes memory may write what it reads.
// CHECK-LABEL: func.func @writes
// CHECK-NOT: linalg.generic
// CHECK: scf.for
// CHECK: memref.load
func.func @writes(%s: !s, %bias: memref<?xf32>, %n: index) -> !s {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %es = tensor.empty() : !s
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%t = %s) -> !s {
    %v = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%t : !s) outs(%es : !s) {
    ^bb0(%x: f32, %e: f32):
      %row = linalg.index 0 : index
      %a = memref.load %bias[%row] : memref<?xf32>
      %y = arith.addf %x, %a : f32
      linalg.yield %y : f32
    } -> !s
    memref.store %zero, %bias[%i] : memref<?xf32>
    scf.yield %v : !s
  }
  return %r : !s
}

// The row's own number of a vector: a table at the head of each row.
// CHECK-LABEL: func.func @heads
// CHECK-SAME: %[[HS:[^:]*]]: tensor<64xi32>
// CHECK: %[[ROWS:.*]] = linalg.generic {{.*}} ins(%[[HS]] : tensor<64xi32>) outs(%{{.*}} : tensor<64xf32>)
// CHECK: scf.for
// CHECK:   linalg.generic {{.*}} ins(%{{.*}}, %[[HS]], %[[ROWS]] : tensor<64x32xf32>, tensor<64xi32>, tensor<64xf32>)
// PACKED-LABEL: func.func @heads
// PACKED: linalg.generic {{.*}} outs(%{{.*}} : tensor<64xf32>)
// PACKED: scf.for
func.func @heads(%s: !s, %hs: tensor<64xi32>, %slopes: memref<?xf32>, %n: index) -> !s
    attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 32, pack>>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %es = tensor.empty() : !s
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%t = %s) -> !s {
    %v = linalg.generic {indexing_maps = [#ij, affine_map<(i, j) -> (i)>, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%t, %hs : !s, tensor<64xi32>) outs(%es : !s) {
    ^bb0(%x: f32, %h: i32, %e: f32):
      %at = arith.index_cast %h : i32 to index
      %a = memref.load %slopes[%at] : memref<?xf32>
      %y = arith.addf %x, %a : f32
      linalg.yield %y : f32
    } -> !s
    scf.yield %v : !s
  }
  return %r : !s
}
