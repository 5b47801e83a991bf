// Every query sees the first 512 keys, and is causal behind them.

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

attn.mod @prefix_lm
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %length = arith.constant 512 : i32
    %prefix = arith.cmpi slt, %kv, %length : i32
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %keep = arith.ori %prefix, %causal : i1
    attn.yield %keep : i1
  }
