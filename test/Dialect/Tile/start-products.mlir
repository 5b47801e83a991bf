// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-start-products)))" \
// RUN:   --verify-roundtrip | FileCheck %s
// RUN: sed 's/producers = 4/producers = 4, pingpong/' %s \
// RUN:   | attn-opt --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-start-products)))" \
// RUN:   | FileCheck %s --check-prefix=TURNS

#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>, pipeline = <stages = 2>>
#ik = affine_map<(i, j, k) -> (i, k)>
#jk = affine_map<(i, j, k) -> (j, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
#id = affine_map<(i, j) -> (i, j)>
#cols = affine_map<(i, j) -> (j)>
!rk = !tile.ring<1 x tensor<128x64xbf16>>
!rq = !tile.ring<2 x tensor<64x64xbf16>>
!k = tensor<128x64xbf16>
!ks = tensor<128x64xbf16, #tile.slot>
!q = tensor<64x64xbf16>
!qs = tensor<64x64xbf16, #tile.slot>
!rs = tensor<64xf32, #tile.slot>
!rr = !tile.ring<2 x tensor<64xf32>>
!f = tensor<128x64xf32>

// What needs tiles alone is started first, whatever stands between. A result is awaited before it is used, before a
// tile that its product reads is released or written, and before the step ends: with it all that was started before. The
// wait stands behind what was made last.
// CHECK-LABEL: gpu.func @step
// CHECK: scf.for
// CHECK-NEXT: tile.read %[[Q:.*]] at
// CHECK-NEXT: %[[S:.*]] = tile.start
// CHECK-NEXT: tile.read %[[DO:.*]] at
// CHECK-NEXT: %[[DP:.*]] = tile.start
// CHECK-NEXT: %[[S1:.*]] = tile.await %[[S]] pending 1
// CHECK-NEXT: %[[W:.*]] = linalg.generic {{.*}} ins(%[[S1]]
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%[[W]]
// CHECK: %[[DP1:.*]] = tile.await %[[DP]] pending 0 after %[[W]] :
// CHECK-NEXT: scf.if
// CHECK-NEXT:   tile.clear_nonfinite
// CHECK-NEXT: }
// CHECK-NEXT: %[[DV:.*]] = tile.start %[[P]],
// CHECK-NEXT: %[[DS:.*]] = linalg.generic {{.*}} ins(%[[DP1]]
// CHECK: %[[DK:.*]] = tile.start %[[DS]],
// CHECK-NEXT: %[[DV1:.*]] = tile.await %[[DV]] pending 1
// CHECK-NEXT: tile.release %[[DO]]
// CHECK-NEXT: %[[DK1:.*]] = tile.await %[[DK]] pending 0
// CHECK-NEXT: tile.release %[[Q]]
// CHECK-NEXT: scf.yield %[[DK1]], %[[DV1]]

// Groups take turns.
// TURNS: tile.pass_turn first
// TURNS: scf.for
// TURNS: tile.take_turn
// TURNS-NEXT: tile.start
// TURNS: tile.await %{{.*}} pending 1
// TURNS-NEXT: tile.pass_turn
// TURNS-NOT: _turn
// TURNS: gpu.return
gpu.module @kernels {
  gpu.func @step(%n: i32, %dirty: i1, %e: tensor<128x64xbf16>) kernel attributes {attn.schedule = #s} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %zero = arith.constant dense<0.0> : !f
    %kr = tile.ring readers 8 : !rk
    %vr = tile.ring readers 8 : !rk
    %qr = tile.ring readers 8 : !rq
    %or = tile.ring readers 8 : !rq
    %k = tile.read %kr at %c0 : !rk -> !ks
    %v = tile.read %vr at %c0 : !rk -> !ks
    %r:2 = scf.for %j = %c0 to %n step %c1 iter_args(%dk = %zero, %dv = %zero) -> (!f, !f) : i32 {
      %q = tile.read %qr at %j : !rq -> !qs
      %s = linalg.contract indexing_maps = [#ik, #jk, #ij] ins(%k, %q : !ks, !qs) outs(%zero : !f) -> !f
      %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%s : !f) outs(%zero : !f) {
      ^bb0(%x: f32, %y: f32):
        %t = arith.addf %x, %x : f32
        linalg.yield %t : f32
      } -> !f
      %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%w : !f) outs(%e : !k) {
      ^bb0(%x: f32, %y: bf16):
        %t = arith.truncf %x : f32 to bf16
        linalg.yield %t : bf16
      } -> !k
      %do = tile.read %or at %j : !rq -> !qs
      %dp = linalg.contract indexing_maps = [#ik, #jk, #ij] ins(%v, %do : !ks, !qs) outs(%zero : !f) -> !f
      scf.if %dirty {
        tile.clear_nonfinite %do : !qs
      }
      %dv1 = linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%p, %do : !k, !qs) outs(%dv : !f) -> !f
      %ds = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%dp : !f) outs(%e : !k) {
      ^bb0(%x: f32, %y: bf16):
        %t = arith.truncf %x : f32 to bf16
        linalg.yield %t : bf16
      } -> !k
      %dk1 = linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%ds, %q : !k, !qs) outs(%dk : !f) -> !f
      tile.release %or at %j : !rq
      tile.release %qr at %j : !rq
      scf.yield %dk1, %dv1 : !f, !f
    }
    gpu.return
  }

  // What products start with is made of rows in rings before the first of them runs; work on a result is no such thing.
  // CHECK-LABEL: gpu.func @starts
  // CHECK: scf.for
  // CHECK-NEXT: tile.read %[[Q:.*]] at
  // CHECK-NEXT: tile.read
  // CHECK-NEXT: linalg.generic
  // CHECK: tile.read %[[DO:.*]] at
  // CHECK-NEXT: tile.read
  // CHECK-NEXT: linalg.generic
  // CHECK: tile.start
  // CHECK-NEXT: tile.start
  // CHECK-NEXT: tile.await
  // CHECK-NEXT: tile.await
  // CHECK-NEXT: linalg.generic
  // CHECK: tile.start
  gpu.func @starts(%n: i32, %e: tensor<128x64xbf16>) kernel attributes {attn.schedule = #s} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %zero = arith.constant dense<0.0> : !f
    %kr = tile.ring readers 8 : !rk
    %vr = tile.ring readers 8 : !rk
    %qr = tile.ring readers 8 : !rq
    %or = tile.ring readers 8 : !rq
    %lr = tile.ring readers 8 : !rr
    %dr = tile.ring readers 8 : !rr
    %k = tile.read %kr at %c0 : !rk -> !ks
    %v = tile.read %vr at %c0 : !rk -> !ks
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%dv = %zero) -> (!f) : i32 {
      %q = tile.read %qr at %j : !rq -> !qs
      %l = tile.read %lr at %j : !rr -> !rs
      %sl = linalg.generic {indexing_maps = [#cols, #id], iterator_types = ["parallel", "parallel"]}
          ins(%l : !rs) outs(%zero : !f) {
      ^bb0(%x: f32, %y: f32):
        %t = arith.negf %x : f32
        linalg.yield %t : f32
      } -> !f
      %s = linalg.contract indexing_maps = [#ik, #jk, #ij] ins(%k, %q : !ks, !qs) outs(%sl : !f) -> !f
      %do = tile.read %or at %j : !rq -> !qs
      %d = tile.read %dr at %j : !rr -> !rs
      %sd = linalg.generic {indexing_maps = [#cols, #id], iterator_types = ["parallel", "parallel"]}
          ins(%d : !rs) outs(%zero : !f) {
      ^bb0(%x: f32, %y: f32):
        %t = arith.negf %x : f32
        linalg.yield %t : f32
      } -> !f
      %dp = linalg.contract indexing_maps = [#ik, #jk, #ij] ins(%v, %do : !ks, !qs) outs(%sd : !f) -> !f
      %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%s, %dp : !f, !f) outs(%e : !k) {
      ^bb0(%x: f32, %z: f32, %y: bf16):
        %m = arith.mulf %x, %z : f32
        %t = arith.truncf %m : f32 to bf16
        linalg.yield %t : bf16
      } -> !k
      %dv1 = linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%p, %do : !k, !qs) outs(%dv : !f) -> !f
      tile.release %or at %j : !rq
      tile.release %qr at %j : !rq
      scf.yield %dv1 : !f
    }
    gpu.return
  }

  // What is put at the end of a step is handed on beside the first products of the next one, and what the last step put
  // behind the loop.
  // CHECK-LABEL: gpu.func @hands_on
  // CHECK-SAME: %[[N:[^:]*]]: i32, %[[BASE:[^:]*]]: i32
  // CHECK: scf.for %[[J:.*]] = %[[LOW:.*]] to %[[N]]
  // CHECK: tile.start
  // CHECK: tile.start
  // CHECK-NEXT: %[[LATER:.*]] = arith.cmpi slt, %[[LOW]], %[[J]]
  // CHECK-NEXT: scf.if %[[LATER]] {
  // CHECK-NEXT:   %[[BEFORE:.*]] = arith.subi %[[J]], %c1
  // CHECK-NEXT:   %[[AT:.*]] = arith.addi %[[BEFORE]], %[[BASE]]
  // CHECK-NEXT:   tile.hand_on %[[SUMS:.*]] at %[[AT]]
  // CHECK-NEXT: }
  // CHECK: tile.await
  // CHECK-NOT: tile.hand_on
  // CHECK: tile.put %{{.*}} into %[[SUMS]]
  // CHECK-NOT: tile.hand_on
  // CHECK: scf.yield
  // CHECK-NEXT: }
  // CHECK-NEXT: %[[ANY:.*]] = arith.cmpi slt, %[[LOW]], %[[N]]
  // CHECK-NEXT: scf.if %[[ANY]] {
  // CHECK-NEXT:   %[[LAST:.*]] = arith.subi %[[N]], %c1
  // CHECK-NEXT:   %[[END:.*]] = arith.addi %[[LAST]], %[[BASE]]
  // CHECK-NEXT:   tile.hand_on %[[SUMS]] at %[[END]]
  // CHECK-NEXT: }
  gpu.func @hands_on(%n: i32, %base: i32, %e: tensor<128x64xbf16>) kernel attributes {attn.schedule = #s} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %zero = arith.constant dense<0.0> : !f
    %kr = tile.ring readers 8 : !rk
    %vr = tile.ring readers 8 : !rk
    %qr = tile.ring readers 8 : !rq
    %or = tile.ring readers 8 : !rq
    %sums = tile.ring readers 1 : !tile.ring<1 x tensor<128x64xf32>>
    %k = tile.read %kr at %c0 : !rk -> !ks
    %v = tile.read %vr at %c0 : !rk -> !ks
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%dv = %zero) -> (!f) : i32 {
      %at = arith.addi %j, %base : i32
      %q = tile.read %qr at %at : !rq -> !qs
      %do = tile.read %or at %at : !rq -> !qs
      %s = linalg.contract indexing_maps = [#ik, #jk, #ij] ins(%k, %q : !ks, !qs) outs(%zero : !f) -> !f
      %dp = linalg.contract indexing_maps = [#ik, #jk, #ij] ins(%v, %do : !ks, !qs) outs(%zero : !f) -> !f
      %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%s, %dp : !f, !f) outs(%e : !k) {
      ^bb0(%x: f32, %y: f32, %z: bf16):
        %m = arith.mulf %x, %y : f32
        %t = arith.truncf %m : f32 to bf16
        linalg.yield %t : bf16
      } -> !k
      %dv1 = linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%p, %do : !k, !qs) outs(%dv : !f) -> !f
      tile.put %dv1 into %sums at %at : !f, !tile.ring<1 x tensor<128x64xf32>>
      tile.hand_on %sums at %at : !tile.ring<1 x tensor<128x64xf32>>
      tile.release %or at %at : !rq
      tile.release %qr at %at : !rq
      scf.yield %dv1 : !f
    }
    gpu.return
  }

  // Which place it was, a step does not know of the one before if steps carry it: then it is handed on where it is put.
  // CHECK-LABEL: gpu.func @hands_on_at_once
  // CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[AT:.*]] = %{{.*}})
  // CHECK-NOT: tile.hand_on
  // CHECK: tile.put %{{.*}} into %[[SUMS:.*]] at %[[AT]]
  // CHECK-NEXT: tile.hand_on %[[SUMS]] at %[[AT]]
  // CHECK: scf.yield
  // CHECK-NOT: tile.hand_on
  // CHECK: gpu.return
  gpu.func @hands_on_at_once(%n: i32, %base: i32, %e: tensor<128x64xbf16>) kernel attributes {attn.schedule = #s} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %zero = arith.constant dense<0.0> : !f
    %kr = tile.ring readers 8 : !rk
    %vr = tile.ring readers 8 : !rk
    %qr = tile.ring readers 8 : !rq
    %or = tile.ring readers 8 : !rq
    %sums = tile.ring readers 1 : !tile.ring<1 x tensor<128x64xf32>>
    %k = tile.read %kr at %c0 : !rk -> !ks
    %v = tile.read %vr at %c0 : !rk -> !ks
    %r:2 = scf.for %j = %c0 to %n step %c1 iter_args(%dv = %zero, %at = %base) -> (!f, i32) : i32 {
      %q = tile.read %qr at %at : !rq -> !qs
      %do = tile.read %or at %at : !rq -> !qs
      %s = linalg.contract indexing_maps = [#ik, #jk, #ij] ins(%k, %q : !ks, !qs) outs(%zero : !f) -> !f
      %dp = linalg.contract indexing_maps = [#ik, #jk, #ij] ins(%v, %do : !ks, !qs) outs(%zero : !f) -> !f
      %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%s, %dp : !f, !f) outs(%e : !k) {
      ^bb0(%x: f32, %y: f32, %z: bf16):
        %m = arith.mulf %x, %y : f32
        %t = arith.truncf %m : f32 to bf16
        linalg.yield %t : bf16
      } -> !k
      %dv1 = linalg.contract indexing_maps = [#ik, #kj, #ij] ins(%p, %do : !k, !qs) outs(%dv : !f) -> !f
      tile.put %dv1 into %sums at %at : !f, !tile.ring<1 x tensor<128x64xf32>>
      tile.hand_on %sums at %at : !tile.ring<1 x tensor<128x64xf32>>
      tile.release %or at %at : !rq
      tile.release %qr at %at : !rq
      %next = arith.addi %at, %c1 : i32
      scf.yield %dv1, %next : !f, i32
    }
    gpu.return
  }
}
