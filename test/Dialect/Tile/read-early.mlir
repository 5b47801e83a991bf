// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-read-early)))" | FileCheck %s

#s = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <stages = 2>>
#id = affine_map<(i, j) -> (i, j)>
!f = tensor<128x64xf32>
!q = tensor<128x64xbf16, #tile.slot>
!k = tensor<64x64xbf16, #tile.slot>

gpu.module @kernels {
  // A tile of memory is asked for before the wait, in a branch too, with the numbers and the empty tile that it takes.
  // What is made of the product stays behind, and so does what reads at a place that follows from it.
  // CHECK-LABEL: gpu.func @bias
  // CHECK: %[[S:.*]] = tile.start
  // CHECK: %[[FIRST:.*]] = arith.muli
  // CHECK: %[[WHOLE:.*]] = arith.cmpi sle, %[[FIRST]]
  // CHECK: %[[BIAS:.*]] = scf.if %[[WHOLE]]
  // CHECK:   memref.load
  // CHECK: } else {
  // CHECK:   memref.load
  // CHECK: %[[SCORES:.*]] = tile.await %[[S]]
  // CHECK: linalg.generic {{.*}} ins(%[[SCORES]], %[[BIAS]] :
  // CHECK: memref.load
  // CHECK: gpu.return
  gpu.func @bias(%m: memref<?x?xf32>, %q: !q, %k: !k, %z: !f, %step: index, %n: index) kernel attributes {attn.schedule = #s} {
    %c64 = arith.constant 64 : index
    %s = tile.start %q, %k, %z {rhs_transposed} : !q, !k, !f
    %scores = tile.await %s pending 0 : <!f>
    %first = arith.muli %step, %c64 : index
    %whole = arith.cmpi sle, %first, %n : index
    %e = tensor.empty() : !f
    %bias = scf.if %whole -> (!f) {
      %x = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : !f) {
      ^bb0(%o: f32):
        %i = linalg.index 0 : index
        %j = linalg.index 1 : index
        %at = arith.addi %first, %j : index
        %v = memref.load %m[%i, %at] : memref<?x?xf32>
        linalg.yield %v : f32
      } -> !f
      scf.yield %x : !f
    } else {
      %x = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : !f) {
      ^bb0(%o: f32):
        %i = linalg.index 0 : index
        %v = memref.load %m[%i, %n] : memref<?x?xf32>
        linalg.yield %v : f32
      } -> !f
      scf.yield %x : !f
    }
    %sums = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%scores, %bias : !f, !f) outs(%e : !f) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %sum = arith.addf %a, %b : f32
      linalg.yield %sum : f32
    } -> !f
    %late = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%sums : !f) outs(%e : !f) {
    ^bb0(%a: f32, %o: f32):
      %number = arith.fptosi %a : f32 to i32
      %at = arith.index_cast %number : i32 to index
      %v = memref.load %m[%at, %at] : memref<?x?xf32>
      linalg.yield %v : f32
    } -> !f
    gpu.return
  }

  // What writes besides, or what reads what was written since, stays: shared memory is not captured memory.
  // CHECK-LABEL: gpu.func @writes
  // CHECK: tile.await
  // CHECK: linalg.generic
  // CHECK: memref.store
  // CHECK: gpu.return
  gpu.func @writes(%m: memref<?x?xf32>, %q: !q, %k: !k, %z: !f) kernel attributes {attn.schedule = #s} {
    %s = tile.start %q, %k, %z {rhs_transposed} : !q, !k, !f
    %scores = tile.await %s pending 0 : <!f>
    %e = tensor.empty() : !f
    %x = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : !f) {
    ^bb0(%o: f32):
      %i = linalg.index 0 : index
      %v = memref.load %m[%i, %i] : memref<?x?xf32>
      memref.store %v, %m[%i, %i] : memref<?x?xf32>
      linalg.yield %v : f32
    } -> !f
    gpu.return
  }
}
