// RUN: attn-opt %s --flash-to-gpu --split-input-file --verify-diagnostics

// expected-error @+1 {{'func.func' op expects a kernel in flash form with a schedule, and what persistent blocks visit by its roles}}
func.func @no_schedule(%n: index) attributes {attn.kernel} {
  scf.forall (%i) in (%n) {
  }
  return
}

// -----

// expected-error @+1 {{'func.func' op expects a kernel in flash form with a schedule, and what persistent blocks visit by its roles}}
func.func @two_loops(%n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} {
  scf.forall (%i) in (%n) {
  }
  scf.forall (%i) in (%n) {
  }
  return
}

// -----

// Blocks that draw tasks want to know how much these read.
// expected-error @+1 {{'func.func' op expects a kernel in flash form with a schedule, and what persistent blocks visit by its roles}}
func.func @no_memory(%n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>} {
  scf.forall (%b, %h, %t) in (%n, %n, %n) {
  }
  return
}

// -----

// Tasks of threads have one number.
// expected-error @+1 {{'func.func' op expects a kernel in flash form with a schedule, and what persistent blocks visit by its roles}}
func.func @threads_of_two_dimensions(%n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} {
  scf.forall (%i, %j) in (%n, %n) {
  } {mapping = [#gpu.thread<linear_dim_1>, #gpu.thread<linear_dim_0>]}
  return
}

// -----

func.func @unknown_reduction(%n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  scf.forall (%i) in (%n) {
    // expected-error @+1 {{'scf.parallel' op expects one dimension, and sums or maxima, in a task that several threads do}}
    %product = scf.parallel (%j) = (%c0) to (%n) step (%c1) init (%one) -> f32 {
      scf.reduce(%one : f32) {
      ^bb0(%a: f32, %b: f32):
        %p = arith.mulf %a, %b : f32
        scf.reduce.return %p : f32
      }
    }
  } {mapping = [#gpu.thread<linear_dim_0>]}
  return
}

// -----

func.func @more_warps(%n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 16, kv = 64, shares>, roles = <key_warps = 2>>} {
  scf.forall (%i) in (%n) {
    // expected-error @+1 {{'scf.forall' op expects a loop over the 2 key warps of the schedule}}
    scf.forall (%w) in (4) {
    } {mapping = [#gpu.warp<linear_dim_0>]}
  } {mapping = [#gpu.block<linear_dim_0>]}
  return
}
