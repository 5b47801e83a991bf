// A query sees itself and the 512 keys before it: causal, and near.

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

attn.mod @sliding_window
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %window = arith.constant 512 : i32
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %distance = arith.subi %q, %kv : i32
    %near = arith.cmpi sle, %distance, %window : i32
    %keep = arith.andi %causal, %near : i1
    attn.yield %keep : i1
  }
