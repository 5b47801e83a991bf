// A mod that applies another one is no program of its own.
// RUN: not attn-opt %s --attn-print-mask-analysis="queries=8 keys=8 q=0" 2>&1 | FileCheck %s --check-prefix=TILE
// RUN: not attn-opt %s --attn-print-mask-analysis="queries=-8 keys=8" 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not attn-opt %s --attn-print-mask-analysis="queries=1000000 keys=1000000 q=1" 2>&1 | FileCheck %s --check-prefix=TILES

// TILE: error: expects tiles of at least 1 position
// SIZE: error: expects sizes from 0 to 2147483647, got -8
// TILES: error: expects at most 1048576 tiles
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
