// The relative positions of T5 (Raffel et al., 2020), causal: a bias from a table of 32 buckets for each head. Distances
// below 16 have a bucket each, longer ones share them by their logarithm, up to 128.

attn.mod @t5_table(%table: tensor<?x?xf32> {attn.shape = [32, "heads"], attn.data = @t5_biases})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %c0 = arith.constant 0 : i32
    %c16 = arith.constant 16 : i32
    %c31 = arith.constant 31 : i32
    %f16 = arith.constant 16.0 : f32
    %perDoubling = arith.constant 5.33333349 : f32
    %signed = arith.subi %q, %kv : i32
    %d = arith.maxsi %signed, %c0 : i32
    %isNear = arith.cmpi slt, %d, %c16 : i32
    %f = arith.sitofp %d : i32 to f32
    %x = arith.divf %f, %f16 : f32
    %l = math.log2 %x : f32
    %y = arith.mulf %l, %perDoubling : f32
    %i = arith.fptosi %y : f32 to i32
    %n = arith.maxsi %i, %c0 : i32
    %far = arith.addi %n, %c16 : i32
    %least = arith.minsi %far, %c31 : i32
    %bucket = arith.select %isNear, %d, %least : i32
    %bias = attn.load %table[%bucket, %h] : tensor<?x?xf32>
    %t = arith.addf %s, %bias : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

// table[i, h] = (h + 1) / (i + 1)
attn.fill @t5_biases(%i: i32, %h: i32) {
  %one = arith.constant 1 : i32
  %i1 = arith.addi %i, %one : i32
  %h1 = arith.addi %h, %one : i32
  %x = arith.sitofp %h1 : i32 to f32
  %y = arith.sitofp %i1 : i32 to f32
  %z = arith.divf %x, %y : f32
  attn.yield %z : f32
}
