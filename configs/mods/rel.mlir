// Relative position: the distance from key to query is added to the score.

attn.mod @rel
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %distance = arith.subi %q, %kv : i32
    %bias = arith.sitofp %distance : i32 to f32
    %t = arith.addf %s, %bias : f32
    attn.yield %t : f32
  }
