// A query sees itself and the 4095 keys before it: a window of 4096 keys, as in
// Mistral 7B.

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

attn.mod @sliding_window_4096
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %window = arith.constant 4096 : i32
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %distance = arith.subi %q, %kv : i32
    %near = arith.cmpi slt, %distance, %window : i32
    %keep = arith.andi %causal, %near : i1
    attn.yield %keep : i1
  }
