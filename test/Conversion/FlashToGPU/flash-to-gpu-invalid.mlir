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
    attributes {attn.kernel, attn.schedule = #attn.schedule<q = 64, kv = 64>} {
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
    attributes {attn.kernel, attn.schedule = #attn.schedule<q = 128, kv = 64, warps = 8, producers = 4, persistent = true>} {
  scf.forall (%b, %h, %t) in (%n, %n, %n) {
  }
  return
}

// -----

// expected-error @+1 {{'func.func' op expects no gradients of captures: no kernel for GPUs computes them yet}}
func.func @grad_sum(%sums: memref<?x?xf32> {attn.role = #attn.role<workspace>},
                    %gradient: memref<?xf32> {attn.role = #attn.role<grad_capture>}, %n: index)
    attributes {attn.kernel, attn.schedule = #attn.schedule<q = 64, kv = 64>} {
  scf.forall (%i) in (%n) {
  }
  return
}
