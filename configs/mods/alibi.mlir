// Attention with linear biases (Press et al., 2022), causal: the score falls
// with the distance, at a slope of 2^(-8(h+1)/heads) for head h.

attn.mod @alibi(%slopes: tensor<?xf32>
    {attn.shape = ["heads"], attn.data = @alibi_slopes})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %slope = attn.load %slopes[%h] : tensor<?xf32>
    %distance = arith.subi %kv, %q : i32
    %f = arith.sitofp %distance : i32 to f32
    %bias = arith.mulf %f, %slope : f32
    %t = arith.addf %s, %bias : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

func.func @alibi_slopes(%table: memref<?xf32>, %batch: index, %heads: index,
                        %kv_heads: index, %queries: index, %keys: index,
                        %sequences: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %minus_eight = arith.constant -8.0 : f32
  %count = arith.index_cast %heads : index to i32
  %total = arith.sitofp %count : i32 to f32
  scf.for %h = %c0 to %heads step %c1 {
    %next = arith.addi %h, %c1 : index
    %i = arith.index_cast %next : index to i32
    %f = arith.sitofp %i : i32 to f32
    %x = arith.mulf %f, %minus_eight : f32
    %exponent = arith.divf %x, %total : f32
    %slope = math.exp2 %exponent : f32
    memref.store %slope, %table[%h] : memref<?xf32>
  }
  return
}
