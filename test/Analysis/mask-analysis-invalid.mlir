// A mod that applies another one is no program of its own.
//
// RUN: attn-opt %s --attn-print-mask-analysis --verify-diagnostics -o /dev/null

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
// expected-error@+1 {{expects a mod that stands alone: run attn-inline-mods first}}
attn.mod @applied
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = attn.apply_mask @causal[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }
