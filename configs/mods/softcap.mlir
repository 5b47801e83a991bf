// Scores bent into (-50, 50) by tanh (as in Gemma 2), causal.

attn.mod @softcap
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %cap = arith.constant 50.0 : f32
    %x = arith.divf %s, %cap : f32
    %y = math.tanh %x : f32
    %t = arith.mulf %y, %cap : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
