// The functions that find the tiles of a mask: for threads of a CPU and for warps.
//
// RUN: attn-opt %s --attn-to-tile-lists --canonicalize | FileCheck %s
// RUN: attn-opt %s --attn-to-tile-lists="warps=1" --canonicalize | FileCheck %s --check-prefix=WARP
// RUN: attn-opt %s --attn-to-tile-lists="functions=transposed" | FileCheck %s --check-prefix=TRANSPOSED
// RUN: attn-opt %s --attn-to-tile-lists="functions=pairs" | FileCheck %s --check-prefix=PAIRS
// RUN: not attn-opt %s --attn-to-tile-lists="functions=all" 2>&1 | FileCheck %s --check-prefix=ALL
// Down to code for each target.
// RUN: attn-opt %s --attn-cpu-tile-lists-pipeline | FileCheck %s --check-prefix=CPU
// RUN: attn-opt %s --attn-gpu-tile-lists-pipeline | FileCheck %s --check-prefix=GPU
//
// ALL: error: expects 'functions' lists, transposed or pairs, got 'all'
// CPU-DAG: llvm.func @_mlir_ciface_layer_classify(
// CPU-DAG: llvm.func @_mlir_ciface_layer_fill(
// GPU: gpu.module @tile_lists
// GPU-DAG: llvm.func @layer_query_parts({{.*}}nvvm.kernel
// GPU-DAG: llvm.func @layer_fill({{.*}}nvvm.kernel

!t = tensor<?x?x?x16xf32>

attn.mod @documents(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %same = arith.cmpi eq, %i, %j : i32
    %causal = arith.cmpi sge, %q, %kv : i32
    %keep = arith.andi %same, %causal : i1
    attn.yield %keep : i1
  }
func.func @layer(%q: !t, %k: !t, %v: !t, %ids: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v mod @documents(%ids)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 32>>} : (!t, !t, !t, tensor<?xi32>) -> !t
  return %o : !t
}

// What the mask reads at the query, once for each tile of 64.
// CHECK-LABEL: func.func @layer_query_parts(
// CHECK-SAME:    %[[IDS:[a-z0-9]+]]: memref<?xi32, strided<[?]>> {attn.role = #attn.role<capture>}
// CHECK-SAME:    %[[QUERIES:[a-z0-9]+]]: index {attn.role = #attn.role<query_count>}, %[[KEYS:[a-z0-9]+]]: index {attn.role = #attn.role<key_count>}
// CHECK-SAME:    %[[QP:[a-z0-9]+]]: memref<?x?x?x?x2xi32> {attn.role = #attn.role<query_parts>}
// CHECK-SAME:    %[[QL:[a-z0-9]+]]: memref<?x?x?x?xi32> {attn.role = #attn.role<query_leaders>}
// CHECK-SAME:    attributes {attn.kernel}
// CHECK:   scf.forall (%[[B:.*]], %[[H:.*]], %[[T:.*]]) in
// CHECK:     %[[FIRST:.*]] = arith.muli %[[T]], %c64
// CHECK:     scf.for %[[Q:.*]] = %[[FIRST]] to
// CHECK:       memref.load %[[IDS]][%[[Q]]]
// CHECK:       arith.minsi
// CHECK:       arith.maxsi
// CHECK:     memref.store %{{.*}}, %[[QP]][%c0, %[[B]], %[[H]], %[[T]], %c0]
// CHECK:     memref.store %{{.*}}, %[[QP]][%c0, %[[B]], %[[H]], %[[T]], %c1]
// The first query of each document in a tile, as bits of two words.
// CHECK:     scf.while
// CHECK:       llvm.intr.cttz
// CHECK:       arith.cmpi eq
// CHECK:     memref.store %{{.*}}, %[[QL]][%[[B]], %[[H]], %[[T]], %c0]
// CHECK:     memref.store %{{.*}}, %[[QL]][%[[B]], %[[H]], %[[T]], %c1]
// CHECK-LABEL: func.func @layer_key_parts(
// CHECK:     arith.muli %{{.*}}, %c32
//
// Tiles in words of 32; of one that is not decided, pairs are evaluated: those of the first of each document, or all
// where the inequality is mixed.
// CHECK-LABEL: func.func @layer_classify(
// CHECK:   scf.forall
// CHECK:     scf.for %{{.*}} = %c0 to %c32 step %c1
// CHECK:     llvm.intr.cttz
// CHECK:     scf.while
// CHECK:     memref.atomic_rmw ori
// CHECK-LABEL: func.func @layer_count(
// CHECK:     llvm.intr.ctpop
// CHECK:     memref.atomic_rmw addi
// CHECK-LABEL: func.func @layer_fill(
// CHECK-NOT: attn.load

// WARP-LABEL: gpu.module @tile_lists
// WARP: gpu.func @layer_query_parts({{.*}}) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// WARP:   nvvm.shfl.sync bfly
// WARP: gpu.func @layer_classify(
// WARP:   nvvm.vote.sync ballot
// WARP:   nvvm.vote.sync any
// WARP-NOT: attn.load

// TRANSPOSED-NOT: func.func @layer_classify
// TRANSPOSED: func.func @layer_count_transposed(
// TRANSPOSED: func.func @layer_fill_transposed(
// PAIRS-NOT: func.func @layer_classify
// PAIRS: func.func @layer_count_pairs(
