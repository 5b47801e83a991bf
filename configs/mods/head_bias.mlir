// A bias for each head, read from a table: score + 2h.

attn.mod @head_bias(%bias: tensor<?xf32>
    {attn.shape = ["heads"], attn.data = @head_bias_table})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %bias[%h] : tensor<?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }

// How the bench makes the table: bias[h] = 2h.
attn.fill @head_bias_table(%h: i32) {
  %two = arith.constant 2.0 : f32
  %f = arith.sitofp %h : i32 to f32
  %x = arith.mulf %f, %two : f32
  attn.yield %x : f32
}
