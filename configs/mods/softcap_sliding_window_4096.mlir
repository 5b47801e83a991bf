// Scores bent into (-50, 50) by tanh, in a window of 4096 keys: a local layer of
// Gemma 2.

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

attn.mod @softcap_sliding_window_4096
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %cap = arith.constant 50.0 : f32
    %x = arith.divf %s, %cap : f32
    %y = math.tanh %x : f32
    %t = arith.mulf %y, %cap : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %window = arith.constant 4096 : i32
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %distance = arith.subi %q, %kv : i32
    %near = arith.cmpi slt, %distance, %window : i32
    %keep = arith.andi %causal, %near : i1
    attn.yield %keep : i1
  }
