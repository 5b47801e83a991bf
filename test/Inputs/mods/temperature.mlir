// Scores times one number that is learned.

attn.mod @temperature(%temperature: f32 {attn.data = 0.8 : f32})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = arith.mulf %s, %temperature : f32
    attn.yield %t : f32
  }
