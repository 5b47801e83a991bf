// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-overlap-products,canonicalize)))" \
// RUN:   | FileCheck %s

#a = affine_map<(i, j, d) -> (i, d)>
#rows = affine_map<(i, j, d) -> (j, d)>
#columns = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
#ij = affine_map<(i, j) -> (i, j)>
!h = tensor<64x64xbf16>
!hs = tensor<64x64xbf16, #tile.slot>
!f = tensor<64x64xf32>
!r = !tile.ring<2 x tensor<64x64xbf16>>

// The first step's scores before the loop, the last step's output after it; between
// them the output of one step is started after the scores of the next. Keys
// are released when the scores are there, values when the output is, and only
// then are the weights rounded, into the registers that the product had read.
// A group has its turn until its scores are there; the products before and after the loop take turns too.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<64x64xbf16>, %[[K:[^:]*]]: !tile.ring{{[^%]*}}%[[V:[^:]*]]: !tile.ring{{[^%]*}}%[[N:[^:]*]]: index
// CHECK: tile.pass_turn first
// CHECK: %[[ANY:.*]] = arith.cmpi sgt, %[[N]], %c0 : index
// CHECK: scf.if %[[ANY]] -> (tensor<64x64xf32>) {
// CHECK:   %[[K0:.*]] = tile.read %[[K]] at %c0_i32
// CHECK:   tile.take_turn
// CHECK:   %[[S0:.*]] = tile.start %[[Q]], %[[K0]]
// CHECK:   %[[W0:.*]] = tile.await %[[S0]] pending 0
// CHECK:   tile.pass_turn
// CHECK:   tile.release %[[K]] at %c0_i32
// CHECK:   %[[D0:.*]] = linalg.generic
// CHECK:   %[[P0:.*]] = linalg.generic
// CHECK-NOT: tile.read
// CHECK:   %[[KA0:.*]] = tile.peek %[[K]] at %c1_i32
// CHECK:   %[[VA0:.*]] = tile.peek %[[V]] at %c0_i32
// CHECK:   %[[LOOP:.*]]:4 = scf.for %[[J:.*]] = %c1 to %[[N]] step %c1 iter_args(%[[D:.*]] = %[[D0]], %[[P:.*]] = %[[P0]], %[[KA:.*]] = %[[KA0]], %[[VA:.*]] = %[[VA0]])
// CHECK:     %[[BEFORE:.*]] = arith.subi %[[J]], %c1 : index
// CHECK:     %[[M:.*]] = arith.index_cast %[[BEFORE]] : index to i32
// CHECK:     %[[VT:.*]] = tile.read %[[V]] at %[[M]] unless %[[VA]]
// CHECK:     %[[DIRTY:.*]] = tile.has_nonfinite %[[VT]]
// CHECK:     %[[INIT:.*]] = scf.if %[[DIRTY]] -> (tensor<64x64xf32>) {
// CHECK:       tile.add_nonfinite %[[P]], %[[VT]], %[[D]]
// CHECK:     %[[KT:.*]] = tile.read %[[K]] at %[[NOW:.*]] unless %[[KA]]
// CHECK:     tile.take_turn
// CHECK:     %[[S:.*]] = tile.start %[[Q]], %[[KT]]
// CHECK:     %[[O:.*]] = tile.start %[[P]], %[[VT]], %[[INIT]]
// CHECK:     %[[SW:.*]] = tile.await %[[S]] pending 1
// CHECK:     tile.pass_turn
// CHECK:     tile.release %[[K]] at %[[NOW]]
// CHECK:     %[[OW:.*]] = tile.await %[[O]] pending 0
// CHECK:     tile.release %[[V]] at %[[M]]
// CHECK:     %[[NEXT:.*]] = arith.addi %[[J]], %c1 : index
// CHECK:     %[[NEXT32:.*]] = arith.index_cast %[[NEXT]] : index to i32
// CHECK:     %[[KN:.*]] = tile.peek %[[K]] at %[[NEXT32]]
// CHECK:     %[[VN:.*]] = tile.peek %[[V]] at %[[NOW]]
// CHECK:     %[[DN:.*]] = linalg.generic {{.*}}ins(%[[OW]]
// CHECK:     %[[PN:.*]] = linalg.generic {{.*}}ins(%[[SW]]
// CHECK:     scf.yield %[[DN]], %[[PN]], %[[KN]], %[[VN]]
// CHECK:   }
// CHECK:   %[[LAST:.*]] = tile.read %[[V]] at %{{.*}} unless %[[LOOP]]#3
// CHECK:   tile.has_nonfinite %[[LAST]]
// CHECK:   tile.take_turn
// CHECK:   %[[OL:.*]] = tile.start %[[LOOP]]#1, %[[LAST]]
// CHECK:   tile.await %[[OL]] pending 0
// CHECK:   tile.pass_turn
gpu.module @kernels {
  gpu.func @kernel(%q: !h, %k: !r, %v: !r, %n: index) -> !f
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4, pingpong>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    %o = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %position = arith.index_cast %j : index to i32
      %kt = tile.read %k at %position : !r -> !hs
      %s = linalg.contract indexing_maps = [#a, #rows, #c] ins(%q, %kt : !h, !hs) outs(%zero : !f) -> !f
      tile.release %k at %position : !r
      %vt = tile.read %v at %position : !r -> !hs
      %decayed = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%acc : !f) outs(%zero : !f) {
      ^bb0(%x: f32, %y: f32):
        %z = arith.addf %x, %x : f32
        linalg.yield %z : f32
      } -> !f
      %empty = arith.constant dense<0.0> : !h
      %p = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%s : !f) outs(%empty : !h) {
      ^bb0(%x: f32, %y: bf16):
        %z = arith.truncf %x : f32 to bf16
        linalg.yield %z : bf16
      } -> !h
      %dirty = tile.has_nonfinite %vt : !hs
      %init = scf.if %dirty -> !f {
        %added = tile.add_nonfinite %p, %vt, %decayed : !h, !hs, !f
        tile.clear_nonfinite %vt : !hs
        scf.yield %added : !f
      } else {
        scf.yield %decayed : !f
      }
      %next = linalg.contract indexing_maps = [#a, #columns, #c] ins(%p, %vt : !h, !hs) outs(%init : !f) -> !f
      tile.release %v at %position : !r
      scf.yield %next : !f
    }
    gpu.return %o : !f
  }

  // The output product is awaited behind the row vector that is made last.
  // CHECK-LABEL: gpu.func @sums(
  // CHECK: scf.for
  // CHECK: %[[S:.*]] = tile.await %{{.*}} pending 1
  // CHECK: %[[SUMS:.*]] = linalg.reduce ins(%[[S]]
  // CHECK: tile.await %{{.*}} pending 0 after %[[SUMS]] : tensor<64xf32>
  gpu.func @sums(%q: !h, %k: !r, %v: !r, %n: index) -> !f
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    %none = arith.constant dense<0.0> : tensor<64xf32>
    %empty = arith.constant dense<0.0> : !h
    %o, %l = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero, %sum = %none) -> (!f, tensor<64xf32>) {
      %position = arith.index_cast %j : index to i32
      %kt = tile.read %k at %position : !r -> !hs
      %s = linalg.contract indexing_maps = [#a, #rows, #c] ins(%q, %kt : !h, !hs) outs(%zero : !f) -> !f
      tile.release %k at %position : !r
      %sums = linalg.reduce ins(%s : !f) outs(%sum : tensor<64xf32>) dimensions = [1] (%x: f32, %y: f32) {
        %z = arith.addf %x, %y : f32
        linalg.yield %z : f32
      }
      %vt = tile.read %v at %position : !r -> !hs
      %p = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%s : !f) outs(%empty : !h) {
      ^bb0(%x: f32, %y: bf16):
        %z = arith.truncf %x : f32 to bf16
        linalg.yield %z : bf16
      } -> !h
      %next = linalg.contract indexing_maps = [#a, #columns, #c] ins(%p, %vt : !h, !hs) outs(%acc : !f) -> !f
      tile.release %v at %position : !r
      scf.yield %next, %sums : !f, tensor<64xf32>
    }
    gpu.return %o : !f
  }
}
