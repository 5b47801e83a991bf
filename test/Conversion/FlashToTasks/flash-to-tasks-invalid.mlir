// RUN: attn-opt %s --flash-to-tasks --split-input-file --verify-diagnostics

// expected-error @below {{expects a loop over tasks in a kernel, got none}}
func.func @none() attributes {attn.kernel} {
  return
}

// -----

func.func @two() attributes {attn.kernel} {
  scf.forall (%i) in (4) {
  }
  // expected-error @below {{expects one loop over tasks in a kernel, got two}}
  scf.forall (%i) in (4) {
  }
  return
}

// -----

func.func @step() attributes {attn.kernel} {
  // expected-error @below {{expects a loop over tasks that counts from 0 by 1 and returns nothing}}
  scf.forall (%i) = (0) to (8) step (2) {
  }
  return
}

// -----

func.func @warps() attributes {attn.kernel} {
  // expected-error @below {{expects tasks of one thread each, got a loop over warps in one ('key_warps' of the schedule is for GPUs)}}
  scf.forall (%i) in (4) {
    scf.forall (%w) in (2) {
    } {mapping = [#gpu.warp<linear_dim_0>]}
  }
  return
}
