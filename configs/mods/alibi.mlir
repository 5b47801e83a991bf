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

attn.fill @alibi_slopes(%h: i32) {
  %heads = attn.size "heads" : i32
  %one = arith.constant 1 : i32
  %minus_eight = arith.constant -8.0 : f32
  %next = arith.addi %h, %one : i32
  %f = arith.sitofp %next : i32 to f32
  %x = arith.mulf %f, %minus_eight : f32
  %n = arith.sitofp %heads : i32 to f32
  %exponent = arith.divf %x, %n : f32
  %slope = math.exp2 %exponent : f32
  attn.yield %slope : f32
}
