// A bias for each head, read from a table: score + 2h.

attn.mod @head_bias(%bias: tensor<?xf32>
    {attn.shape = ["heads"], attn.data = @head_bias_table})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %bias[%h] : tensor<?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }

// How the bench makes the table: bias[h] = 2h.
func.func @head_bias_table(%table: memref<?xf32>, %batch: index, %heads: index,
                           %kv_heads: index, %queries: index, %keys: index,
                           %sequences: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %two = arith.constant 2.0 : f32
  scf.for %h = %c0 to %heads step %c1 {
    %i = arith.index_cast %h : index to i32
    %f = arith.sitofp %i : i32 to f32
    %x = arith.mulf %f, %two : f32
    memref.store %x, %table[%h] : memref<?xf32>
  }
  return
}
