// A bias for each head, query and key: the same in all batches.

attn.mod @full_bias(%bias: tensor<?x?x?xf32> {attn.shape = ["heads", "queries", "keys"], attn.data = @biases})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %bias[%h, %q, %kv] : tensor<?x?x?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }

// bias[h, q, kv] = sin(h + q * kv)
attn.fill @biases(%h: i32, %q: i32, %kv: i32) {
  %p = arith.muli %q, %kv : i32
  %n = arith.addi %p, %h : i32
  %f = arith.sitofp %n : i32 to f32
  %x = math.sin %f : f32
  attn.yield %x : f32
}
