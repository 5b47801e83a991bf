// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-keep-maximum)))" --allow-unregistered-dialect | FileCheck %s

#row = affine_map<(i) -> (i)>
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
!r = tensor<64xf32>
!s = tensor<64x32xf32>

gpu.module @kernels {
  // The reduction, the slack and what each row computes from them are in the branch for
  // warps in which a score exceeds the old maximum and the slack. In the others the old
  // maximum stands, factors are one, and tiles are not multiplied by them.
  // CHECK-LABEL: gpu.func @step
  // CHECK-SAME: %[[S:[^:]*]]: tensor<64x32xf32>, %[[O:[^:]*]]: tensor<64x32xf32>, %[[OLD:[^:]*]]: tensor<64xf32>, %[[L:[^:]*]]: tensor<64xf32>
  // CHECK: %[[BOUND:.*]] = linalg.generic {{.*}} ins(%[[OLD]]
  // CHECK: %[[SLACK:.*]] = arith.constant 5.5
  // CHECK: arith.addf %{{.*}}, %[[SLACK]] : f32
  // CHECK: %[[ANY:.*]] = tile.any_above %[[S]], %[[BOUND]]
  // CHECK: %[[R:.*]]:3 = scf.if %[[ANY]]
  // CHECK:   %[[MAX:.*]] = linalg.reduce { arith.maxnumf } ins(%[[S]] {{.*}} outs(%[[OLD]]
  // CHECK:   %[[NEW:.*]] = linalg.generic {{.*}} ins(%[[MAX]], %[[OLD]]
  // CHECK:   %[[DECAY:.*]] = linalg.generic {{.*}} ins(%[[OLD]], %[[NEW]]
  // CHECK:   %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[L]], %[[DECAY]]
  // CHECK:   scf.yield %[[NEW]], %[[DECAY]], %[[SUM]]
  // CHECK: } else {
  // CHECK-NOT: linalg.reduce
  // CHECK:   %[[ONES:.*]] = arith.constant dense<1.0
  // CHECK:   %[[SAME:.*]] = linalg.generic {{.*}} ins(%[[L]], %[[ONES]]
  // CHECK:   scf.yield %[[OLD]], %[[ONES]], %[[SAME]]
  // CHECK: %[[P:.*]] = scf.if %[[ANY]]
  // CHECK:   %[[TIMES:.*]] = linalg.generic {{.*}} ins(%[[O]], %[[R]]#1
  // CHECK:   scf.yield %[[TIMES]]
  // CHECK: } else {
  // CHECK:   scf.yield %[[O]]
  // CHECK: "test.use"(%[[R]]#0, %[[R]]#2, %[[P]])
  gpu.func @step(%s: !s, %o: !s, %old: !r, %l: !r) {
    %empty = tensor.empty() : !r
    %tile = tensor.empty() : !s
    %slack = arith.constant 5.5 : f32
    %max = linalg.reduce { arith.maxnumf } ins(%s : !s) outs(%old : !r) dimensions = [1]
    %new = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
        ins(%max, %old : !r, !r) outs(%empty : !r) attrs = {tile.slack = 5.5 : f32} {
    ^bb0(%x: f32, %y: f32, %e: f32):
      %most = arith.addf %y, %slack : f32
      %small = arith.cmpf ole, %x, %most : f32
      %z = arith.select %small, %y, %x : f32
      linalg.yield %z : f32
    } -> !r
    %decay = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
        ins(%old, %new : !r, !r) outs(%empty : !r) attrs = {tile.one_if_kept} {
    ^bb0(%x: f32, %y: f32, %e: f32):
      %d = arith.subf %x, %y : f32
      %z = math.exp2 %d : f32
      linalg.yield %z : f32
    } -> !r
    %sum = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
        ins(%l, %decay : !r, !r) outs(%empty : !r) {
    ^bb0(%x: f32, %y: f32, %e: f32):
      %z = arith.mulf %x, %y : f32
      linalg.yield %z : f32
    } -> !r
    %p = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%o, %decay : !s, !r) outs(%tile : !s) attrs = {tile.skip_ones} {
    ^bb0(%x: f32, %y: f32, %e: f32):
      %z = arith.mulf %x, %y : f32
      linalg.yield %z : f32
    } -> !s
    "test.use"(%new, %sum, %p) : (!r, !r, !s) -> ()
    gpu.return
  }

  // What needs another vector, made later, stays where it is.
  // CHECK-LABEL: gpu.func @later
  // CHECK: %[[NEW:.*]] = scf.if
  // CHECK: %[[LATER:.*]] = "test.later"() : () -> tensor<64xf32>
  // CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[LATER]], %[[NEW]]
  // CHECK: "test.use"(%[[SUM]])
  gpu.func @later(%s: !s, %old: !r) {
    %empty = tensor.empty() : !r
    %max = linalg.reduce { arith.maxnumf } ins(%s : !s) outs(%old : !r) dimensions = [1]
    %new = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
        ins(%max, %old : !r, !r) outs(%empty : !r) attrs = {tile.slack = 5.5 : f32} {
    ^bb0(%x: f32, %y: f32, %e: f32):
      linalg.yield %x : f32
    } -> !r
    %later = "test.later"() : () -> !r
    %sum = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
        ins(%later, %new : !r, !r) outs(%empty : !r) {
    ^bb0(%x: f32, %y: f32, %e: f32):
      %z = arith.mulf %x, %y : f32
      linalg.yield %z : f32
    } -> !r
    "test.use"(%sum) : (!r) -> ()
    gpu.return
  }

  // What follows from the maximum alone is carried by the loop, from its value for the first
  // maximum on. Rows far from zero always
  // take the branch (a bound below zero is exceeded by all), so that what is done for
  // them is in it, and in the other one they are not far.
  // CHECK-LABEL: gpu.func @far
  // CHECK-SAME: %[[S:[^:]*]]: tensor<64x32xf32>
  // CHECK: %[[FIRST:.*]] = linalg.generic
  // CHECK: scf.for {{.*}} iter_args(%[[OLD:[^ ]*]] = %{{[^ ]*}}, %{{[^ ]*}} = %{{[^ ]*}}, %[[FAR:[^ ]*]] = %{{[^ ]*}}, %[[SHIFT:[^ ]*]] = %[[FIRST]])
  // CHECK:   %[[LESS:.*]] = arith.constant -1.0
  // CHECK:   arith.select %[[FAR]], %[[LESS]], %{{.*}} : f32
  // CHECK:   tile.any_above
  // CHECK:   %[[R:.*]]:4 = scf.if
  // CHECK:     %[[NEW:.*]] = linalg.generic
  // CHECK:     %[[NOW:.*]] = tile.any_beyond %[[NEW]] or %[[FAR]]
  // CHECK:     %[[NEXT:.*]] = linalg.generic
  // CHECK:     %[[NEAR:.*]] = scf.if %[[NOW]]
  // CHECK:     scf.yield %[[NEW]], %[[NOW]], %[[NEXT]], %[[NEAR]]
  // CHECK:   } else {
  // CHECK-NEXT: %[[FALSE:.*]] = arith.constant false
  // CHECK-NEXT: scf.yield %[[OLD]], %[[FALSE]], %[[SHIFT]], %[[S]]
  // CHECK:   "test.use"(%[[R]]#3)
  // CHECK:   scf.yield %[[R]]#0, %[[R]]#2, %[[R]]#1, %[[R]]#2
  gpu.func @far(%s: !s, %first: !r, %far: i1, %low: index, %high: index, %step: index) {
    %r:3 = scf.for %i = %low to %high step %step iter_args(%old = %first, %shift = %first, %before = %far) -> (!r, !r, i1) {
      %empty = tensor.empty() : !r
      %tile = tensor.empty() : !s
      %max = linalg.reduce { arith.maxnumf } ins(%s : !s) outs(%old : !r) dimensions = [1]
      %new = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
          ins(%max, %old : !r, !r) outs(%empty : !r) attrs = {tile.slack = 5.5 : f32} {
      ^bb0(%x: f32, %y: f32, %e: f32):
        linalg.yield %x : f32
      } -> !r
      %now = tile.any_beyond %new or %before {bound = 1.0 : f32} : !r
      %next = linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel"]}
          ins(%new : !r) outs(%empty : !r) {
      ^bb0(%x: f32, %e: f32):
        %zero = arith.constant 0.0 : f32
        %z = arith.select %now, %zero, %x : f32
        linalg.yield %z : f32
      } -> !r
      %near = scf.if %now -> (!s) {
        %difference = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
            ins(%s, %new : !s, !r) outs(%tile : !s) {
        ^bb0(%x: f32, %y: f32, %e: f32):
          %z = arith.subf %x, %y : f32
          linalg.yield %z : f32
        } -> !s
        scf.yield %difference : !s
      } else {
        scf.yield %s : !s
      }
      "test.use"(%near) : (!s) -> ()
      scf.yield %new, %next, %now : !r, !r, i1
    }
    "test.use"(%r#0, %r#1, %r#2) : (!r, !r, i1) -> ()
    gpu.return
  }
}
