// RUN: attn-opt %s --pass-pipeline='builtin.module(func.func(tile-lag-maximum))' | FileCheck %s

#row = affine_map<(i) -> (i)>
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
!r = tensor<64xf32>
!s = tensor<64x32xf32>

// Weights that double with every 0.25 reach 2^8 before the maximum follows. Whoever asked for it gets the one
// that lags, and the tile that is multiplied by the decay is mostly multiplied by one; the row vector is not marked.
// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[S:[^:]*]]: tensor<64x32xf32>, %[[O:[^:]*]]: tensor<64x32xf32>, %[[OLD:[^:]*]]: tensor<64xf32>, %[[L:[^:]*]]: tensor<64xf32>
// CHECK: %[[MAX:.*]] = linalg.reduce { arith.maxnumf } ins(%[[S]] : tensor<64x32xf32>) outs(%[[OLD]] : tensor<64xf32>) dimensions = [1]
// CHECK-NOT: tile.running_maximum
// CHECK: %[[NEW:.*]] = linalg.generic {{.*}} ins(%[[MAX]], %[[OLD]] : {{.*}} attrs = {tile.slack = 2.000000e+00 : f32}
// CHECK: ^bb0(%[[X:[^:]*]]: f32, %[[Y:[^:]*]]: f32,
// CHECK:   %[[MOST:.*]] = arith.addf %[[Y]], %{{.*}} : f32
// CHECK:   %[[SMALL:.*]] = arith.cmpf ole, %[[X]], %[[MOST]] : f32
// CHECK:   arith.select %[[SMALL]], %[[Y]], %[[X]] : f32
// CHECK: %[[DECAY:.*]] = linalg.generic {{.*}} ins(%[[OLD]], %[[NEW]] : {{.*}} attrs = {tile.one_if_kept}
// CHECK: linalg.generic {{.*}} ins(%[[L]], %[[DECAY]]
// CHECK-NOT: skip_ones
// CHECK: linalg.generic {{.*}} ins(%[[O]], %[[DECAY]] : {{.*}} attrs = {tile.skip_ones}
// CHECK: return %[[NEW]]
func.func @step(%s: !s, %o: !s, %old: !r, %l: !r) -> (!r, !r, !s) {
  %max = linalg.reduce {arith.maxnumf} ins(%s : !s) outs(%old : !r) dimensions = [1] {tile.running_maximum = 0.25 : f32}
  %er = tensor.empty() : !r
  %decay = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
      ins(%old, %max : !r, !r) outs(%er : !r) attrs = {tile.one_if_kept} {
  ^bb0(%x: f32, %y: f32, %e: f32):
    %d = arith.subf %x, %y : f32
    %p = math.exp2 %d : f32
    linalg.yield %p : f32
  } -> !r
  %sum = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
      ins(%l, %decay : !r, !r) outs(%er : !r) {
  ^bb0(%x: f32, %y: f32, %e: f32):
    %p = arith.mulf %x, %y : f32
    linalg.yield %p : f32
  } -> !r
  %es = tensor.empty() : !s
  %out = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%o, %decay : !s, !r) outs(%es : !s) {
  ^bb0(%x: f32, %y: f32, %e: f32):
    %p = arith.mulf %x, %y : f32
    linalg.yield %p : f32
  } -> !s
  return %max, %sum, %out : !r, !r, !s
}

// A maximum that nobody calls the running one stays.
// CHECK-LABEL: func.func @plain
// CHECK-NEXT: linalg.reduce
// CHECK-NEXT: return
func.func @plain(%s: !s, %old: !r) -> !r {
  %max = linalg.reduce {arith.maxnumf} ins(%s : !s) outs(%old : !r) dimensions = [1]
  return %max : !r
}
