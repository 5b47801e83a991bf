// The oracle against results worked out by hand.
// RUN: attn-opt %s --attn-inline-mods --attn-to-linalg %linalg_to_llvm | %run_main | FileCheck %s
// RUN: attn-opt %s --attn-inline-mods --attn-to-linalg="precision=f32" %linalg_to_llvm | %run_main | FileCheck %s

func.func private @printMemrefF32(%t: tensor<*xf32>)

func.func @show(%t: tensor<?x?x?x?xf32>) {
  %u = tensor.cast %t : tensor<?x?x?x?xf32> to tensor<*xf32>
  call @printMemrefF32(%u) : (tensor<*xf32>) -> ()
  return
}
func.func @show_lse(%t: tensor<?x?x?xf32>) {
  %u = tensor.cast %t : tensor<?x?x?xf32> to tensor<*xf32>
  call @printMemrefF32(%u) : (tensor<*xf32>) -> ()
  return
}

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

// Scores q * kv for q, kv = 0, 1, 2: row 1 is (1 + 2e) / (1 + e).
func.func @test_causal() {
  %q = arith.constant dense<[[[[0.0], [1.0], [2.0]]]]> : tensor<1x1x3x1xf32>
  %v = arith.constant dense<[[[[1.0], [2.0], [4.0]]]]> : tensor<1x1x3x1xf32>
  %o, %l = attn.attention %q, %q, %v mod @causal
    : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>)
      -> (tensor<?x?x?x1xf32>, tensor<?x?x?xf32>)
  %p = tensor.cast %o : tensor<?x?x?x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  call @show_lse(%l) : (tensor<?x?x?xf32>) -> ()
  return
}
// CHECK:      sizes = [1, 1, 3, 1]
// CHECK-NEXT: {{\[+}}1],
// CHECK-NEXT:    [1.73106],
// CHECK-NEXT:    [3.71775]]]]
// CHECK:      {{\[+}}0, 1.31326, 4.14293]]]

// Only later keys: nobody sees key 0, whose NaN must not leak; the last row sees
// nothing. Query and key lengths differ: row 3 has no key of its own.
attn.mod @later
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi slt, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @test_empty_rows() {
  %q = arith.constant dense<[[[[0.0], [0.0], [0.0], [0.0]]]]> : tensor<1x1x4x1xf16>
  %k = arith.constant dense<[[[[0x7E00], [1.0], [1.0]]]]> : tensor<1x1x3x1xf16>
  %v = arith.constant dense<[[[[0x7E00, 0x7E00], [1.0, 2.0], [3.0, -2.0]]]]> : tensor<1x1x3x2xf16>
  %o, %l = attn.attention %q, %k, %v mod @later
    : (tensor<1x1x4x1xf16>, tensor<1x1x3x1xf16>, tensor<1x1x3x2xf16>)
      -> (tensor<1x1x4x2xf16>, tensor<?x?x?xf32>)
  %x = arith.extf %o : tensor<1x1x4x2xf16> to tensor<1x1x4x2xf32>
  %p = tensor.cast %x : tensor<1x1x4x2xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  call @show_lse(%l) : (tensor<?x?x?xf32>) -> ()
  return
}
// CHECK:      {{\[+}}2, 0],
// CHECK-NEXT:    [3, -2],
// CHECK-NEXT:    [0, 0],
// CHECK-NEXT:    [0, 0]]]]
// CHECK:      {{\[+}}0.693147, 0, -inf, -inf]]]

// A score of -inf drops a pair as a mask does.
attn.mod @minus_infinity
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %minus_infinity = arith.constant 0xFF800000 : f32
    attn.yield %minus_infinity : f32
  }
func.func @test_minus_infinity() {
  %q = arith.constant dense<1.0> : tensor<1x1x1x1xf32>
  %o, %l = attn.attention %q, %q, %q mod @minus_infinity
    : (tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>)
      -> (tensor<1x1x1x1xf32>, tensor<?x?x?xf32>)
  %p = tensor.cast %o : tensor<1x1x1x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  call @show_lse(%l) : (tensor<?x?x?xf32>) -> ()
  return
}
// CHECK: {{\[+}}0]]]]
// CHECK: {{\[+}}-inf]]]

// No keys at all, at run time.
func.func @test_no_keys() {
  %q = arith.constant dense<1.0> : tensor<1x1x2x1xf32>
  %k = tensor.empty() : tensor<1x1x0x1xf32>
  %kd = tensor.cast %k : tensor<1x1x0x1xf32> to tensor<?x?x?x1xf32>
  %o, %l = attn.attention %q, %kd, %kd
    : (tensor<1x1x2x1xf32>, tensor<?x?x?x1xf32>, tensor<?x?x?x1xf32>)
      -> (tensor<1x1x2x1xf32>, tensor<?x?x?xf32>)
  %p = tensor.cast %o : tensor<1x1x2x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  call @show_lse(%l) : (tensor<?x?x?xf32>) -> ()
  return
}
// CHECK: {{\[+}}0],
// CHECK:    [0]]]]
// CHECK: {{\[+}}-inf, -inf]]]

// Grouped heads: 0 and 1 read the values of head 0, 2 and 3 those of head 1.
// The bias is looked up by query head, in a branch: log 3 for the last key gives
// weights 1/4 and 3/4. Batch 1 has other values. All sizes are dynamic.
attn.mod @branch(%table: tensor<?x?xf32>, %last: i32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %is_last = arith.cmpi eq, %kv, %last : i32
    %t = scf.if %is_last -> f32 {
      %x = attn.load %table[%b, %h] : tensor<?x?xf32>
      %y = arith.addf %s, %x : f32
      scf.yield %y : f32
    } else {
      scf.yield %s : f32
    }
    attn.yield %t : f32
  }
func.func @test_grouped() {
  %q = arith.constant dense<0.0> : tensor<2x4x1x1xbf16>
  %k = arith.constant dense<1.0> : tensor<2x2x2x1xbf16>
  %v = arith.constant dense<[[[[0.0], [4.0]], [[8.0], [16.0]]],
                             [[[1.0], [1.0]], [[-4.0], [4.0]]]]> : tensor<2x2x2x1xbf16>
  // Batch 1 has no bias.
  %table = arith.constant dense<[[0.0, 1.0986123, 0.0, 1.0986123],
                                 [0.0, 0.0, 0.0, 0.0]]> : tensor<2x4xf32>
  %last = arith.constant 1 : i32
  %qd = tensor.cast %q : tensor<2x4x1x1xbf16> to tensor<?x?x?x1xbf16>
  %kd = tensor.cast %k : tensor<2x2x2x1xbf16> to tensor<?x?x?x1xbf16>
  %vd = tensor.cast %v : tensor<2x2x2x1xbf16> to tensor<?x?x?x1xbf16>
  %o = attn.attention %qd, %kd, %vd mod @branch(%table, %last)
    : (tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>,
       tensor<2x4xf32>, i32) -> tensor<?x?x?x1xbf16>
  %x = arith.extf %o : tensor<?x?x?x1xbf16> to tensor<?x?x?x1xf32>
  %p = tensor.cast %x : tensor<?x?x?x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  return
}
// CHECK:      sizes = [2, 4, 1, 1]
// CHECK-NEXT: {{\[+}}2]],
// CHECK:        {{\[+}}3]],
// CHECK:        {{\[+}}12]],
// CHECK:        {{\[+}}14]]],
// CHECK:       {{\[+}}1]],
// CHECK:        {{\[+}}1]],
// CHECK:        {{\[+}}0]],
// CHECK:        {{\[+}}0]]]]

// Captures of every type: the last of two keys gets log 3, a sum of one half of it
// from each side; the others cancel or decide.
attn.mod @types(%a: tensor<?xf16>, %b16: bf16, %c: tensor<?xi64>, %d: i64, %e: tensor<?xi8>,
                %f: i8, %g: tensor<?xi1>, %i: i1, %j: tensor<?xi16>, %k: i16, %one: tensor<f32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %a[%kv] : tensor<?xf16>
    %y = arith.extf %x : f16 to f32
    %z = arith.extf %b16 : bf16 to f32
    %w = arith.mulf %y, %z : f32
    %o = attn.load %one[] : tensor<f32>
    %v = arith.mulf %w, %o : f32
    %t = arith.addf %s, %v : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    // Keys 0 and 1 of three: 2^40 is too large, 200 is so without a sign.
    %x64 = attn.load %c[%kv] : tensor<?xi64>
    %x = arith.cmpi slt, %x64, %d : i64
    %y8 = attn.load %e[%kv] : tensor<?xi8>
    %y = arith.cmpi uge, %y8, %f : i8
    %z1 = attn.load %g[%kv] : tensor<?xi1>
    %z = arith.andi %z1, %i : i1
    %w16 = attn.load %j[%kv] : tensor<?xi16>
    %w = arith.cmpi sle, %w16, %k : i16
    %xy = arith.andi %x, %y : i1
    %zw = arith.andi %z, %w : i1
    %keep = arith.andi %xy, %zw : i1
    attn.yield %keep : i1
  }
func.func @test_types() {
  %q = arith.constant dense<0.0> : tensor<1x1x1x1xf32>
  %k = arith.constant dense<1.0> : tensor<1x1x6x1xf32>
  %v = arith.constant dense<[[[[0.0], [4.0], [100.0], [100.0], [100.0], [100.0]]]]> : tensor<1x1x6x1xf32>
  %a = arith.constant dense<[0.0, 0.5493, 0.0, 0.0, 0.0, 0.0]> : tensor<6xf16>
  %b16 = arith.constant 2.0 : bf16
  %c = arith.constant dense<[-5, 1099511627775, 1099511627776, 0, 0, 0]> : tensor<6xi64>
  %d = arith.constant 1099511627776 : i64
  %e = arith.constant dense<[200, 255, 200, 127, 200, 200]> : tensor<6xi8>
  %f = arith.constant 128 : i8
  %g = arith.constant dense<[true, true, true, true, false, true]> : tensor<6xi1>
  %i = arith.constant true
  %j = arith.constant dense<[-32768, 300, 0, 0, 0, 301]> : tensor<6xi16>
  %l = arith.constant 300 : i16
  %one = arith.constant dense<1.0> : tensor<f32>
  %o = attn.attention %q, %k, %v mod @types(%a, %b16, %c, %d, %e, %f, %g, %i, %j, %l, %one)
    : (tensor<1x1x1x1xf32>, tensor<1x1x6x1xf32>, tensor<1x1x6x1xf32>, tensor<6xf16>, bf16,
       tensor<6xi64>, i64, tensor<6xi8>, i8, tensor<6xi1>, i1, tensor<6xi16>, i16, tensor<f32>)
      -> tensor<1x1x1x1xf32>
  %p = tensor.cast %o : tensor<1x1x1x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  return
}
// Weights 1/4 and 3/4, of values 0 and 4.
// CHECK: {{\[+}}3.0000

// With the queries of the first batch one later, and of the second at their places.
func.func @test_offsets() {
  %q = arith.constant dense<[[[[0.0], [1.0]]], [[[0.0], [1.0]]]]> : tensor<2x1x2x1xf32>
  %v = arith.constant dense<[[[[1.0], [2.0]]], [[[1.0], [2.0]]]]> : tensor<2x1x2x1xf32>
  %n = arith.constant dense<[1, 0]> : tensor<2xi32>
  %o = attn.attention %q, %q, %v mod @causal query_offset(%n)
    : (tensor<2x1x2x1xf32>, tensor<2x1x2x1xf32>, tensor<2x1x2x1xf32>, tensor<2xi32>) -> tensor<2x1x2x1xf32>
  %p = tensor.cast %o : tensor<2x1x2x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  %m1 = arith.constant -1 : i32
  %r = attn.attention %q, %q, %v mod @causal query_offset(%m1)
    : (tensor<2x1x2x1xf32>, tensor<2x1x2x1xf32>, tensor<2x1x2x1xf32>, i32) -> tensor<2x1x2x1xf32>
  %s = tensor.cast %r : tensor<2x1x2x1xf32> to tensor<?x?x?x?xf32>
  call @show(%s) : (tensor<?x?x?x?xf32>) -> ()
  return
}
// CHECK:      sizes = [2, 1, 2, 1]
// CHECK-NEXT: {{\[+}}1.5],
// CHECK-NEXT:    [1.73106]]],
// CHECK-NEXT: {{\[+}}1],
// CHECK-NEXT:    [1.73106]]]]
// CHECK:      sizes = [2, 1, 2, 1]
// CHECK-NEXT: {{\[+}}0],
// CHECK-NEXT:    [1]]],
// CHECK-NEXT: {{\[+}}0],
// CHECK-NEXT:    [1]]]]

// Two sequences, of one and two queries, and of two and three keys, of which
// causal rows see the first: 1; 4; the mean of 4 and 8. Then the same queries,
// with a batch of two keys for each sequence: 1; 4; 6. The row behind the last
// sequence is empty.
func.func @test_sequences() {
  %q = arith.constant dense<0.0> : tensor<1x1x4x1xf32>
  %v = arith.constant dense<[[[[1.0], [2.0], [4.0], [8.0], [16.0]]]]> : tensor<1x1x5x1xf32>
  %cq = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
  %ck = arith.constant dense<[0, 2, 5]> : tensor<3xi32>
  %o, %l = attn.attention %q, %v, %v mod @causal cu_q(%cq) cu_k(%ck)
    : (tensor<1x1x4x1xf32>, tensor<1x1x5x1xf32>, tensor<1x1x5x1xf32>, tensor<3xi32>, tensor<3xi32>)
      -> (tensor<?x?x?x1xf32>, tensor<?x?x?xf32>)
  %p = tensor.cast %o : tensor<?x?x?x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  call @show_lse(%l) : (tensor<?x?x?xf32>) -> ()
  %b = arith.constant dense<[[[[1.0], [2.0]]], [[[4.0], [8.0]]]]> : tensor<2x1x2x1xf32>
  %x = attn.attention %q, %b, %b mod @causal cu_q(%cq)
    : (tensor<1x1x4x1xf32>, tensor<2x1x2x1xf32>, tensor<2x1x2x1xf32>, tensor<3xi32>)
      -> tensor<?x?x?x1xf32>
  %y = tensor.cast %x : tensor<?x?x?x1xf32> to tensor<?x?x?x?xf32>
  call @show(%y) : (tensor<?x?x?x?xf32>) -> ()
  return
}
// CHECK:      sizes = [1, 1, 4, 1]
// CHECK-NEXT: {{\[+}}1],
// CHECK-NEXT:    [4],
// CHECK-NEXT:    [6],
// CHECK-NEXT:    [0]]]]
// CHECK:      {{\[+}}0, 0, 0.693147, -inf]]]
// CHECK:      sizes = [1, 1, 4, 1]
// CHECK-NEXT: {{\[+}}1],
// CHECK-NEXT:    [4],
// CHECK-NEXT:    [6],
// CHECK-NEXT:    [0]]]]

// Keys behind a length are not there, and what they hold is without effect; with a mod and without. Lengths below zero
// are none, and beyond the keys all of them.
func.func @test_lengths() {
  %q = arith.constant dense<0.0> : tensor<3x1x2x1xf32>
  %k = arith.constant dense<[[[[0.0], [0x7FC00000]]], [[[0x7FC00000], [0x7FC00000]]], [[[0.0], [0.0]]]]> : tensor<3x1x2x1xf32>
  %v = arith.constant dense<[[[[1.0], [0x7FC00000]]], [[[0x7FC00000], [0x7FC00000]]], [[[1.0], [2.0]]]]> : tensor<3x1x2x1xf32>
  %n = arith.constant dense<[1, -1, 3]> : tensor<3xi32>
  %o, %lse = attn.attention %q, %k, %v lengths(%n)
    : (tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<3xi32>) -> (tensor<3x1x2x1xf32>, tensor<3x1x2xf32>)
  %p = tensor.cast %o : tensor<3x1x2x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  %r = tensor.expand_shape %lse [[0], [1], [2, 3]] output_shape [3, 1, 2, 1] : tensor<3x1x2xf32> into tensor<3x1x2x1xf32>
  %s = tensor.cast %r : tensor<3x1x2x1xf32> to tensor<?x?x?x?xf32>
  call @show(%s) : (tensor<?x?x?x?xf32>) -> ()
  %c = attn.attention %q, %k, %v mod @causal lengths(%n)
    : (tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<3xi32>) -> tensor<3x1x2x1xf32>
  %d = tensor.cast %c : tensor<3x1x2x1xf32> to tensor<?x?x?x?xf32>
  call @show(%d) : (tensor<?x?x?x?xf32>) -> ()
  return
}
// CHECK:      sizes = [3, 1, 2, 1]
// CHECK-NEXT: {{\[+}}1],
// CHECK-NEXT:    [1]]],
// CHECK-NEXT: {{\[+}}0],
// CHECK-NEXT:    [0]]],
// CHECK-NEXT: {{\[+}}1.5],
// CHECK-NEXT:    [1.5]]]]
// CHECK:      sizes = [3, 1, 2, 1]
// CHECK-NEXT: {{\[+}}0],
// CHECK-NEXT:    [0]]],
// CHECK-NEXT: {{\[+}}-inf],
// CHECK-NEXT:    [-inf]]],
// CHECK-NEXT: {{\[+}}0.693147],
// CHECK-NEXT:    [0.693147]]]]
// CHECK:      sizes = [3, 1, 2, 1]
// CHECK-NEXT: {{\[+}}1],
// CHECK-NEXT:    [1]]],
// CHECK-NEXT: {{\[+}}0],
// CHECK-NEXT:    [0]]],
// CHECK-NEXT: {{\[+}}1],
// CHECK-NEXT:    [1.5]]]]

// Three pages of two rows, of which two sequences have one in common. An entry that numbers no page has no keys, and
// those behind a length are not looked at.
func.func @test_pages() {
  %q = arith.constant dense<0.0> : tensor<4x1x1x1xf32>
  %k = arith.constant dense<0.0> : tensor<3x1x2x1xf32>
  %v = arith.constant dense<[[[[1.0], [2.0]]], [[[3.0], [0x7FC00000]]], [[[5.0], [6.0]]]]> : tensor<3x1x2x1xf32>
  %n = arith.constant dense<[3, 4, 4, 0]> : tensor<4xi32>
  %t = arith.constant dense<[[2, 1, 7], [2, 0, 7], [-1, 2, 7], [3, 3, 3]]> : tensor<4x3xi32>
  %o = attn.attention %q, %k, %v lengths(%n) pages(%t)
    : (tensor<4x1x1x1xf32>, tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<4xi32>, tensor<4x3xi32>) -> tensor<4x1x1x1xf32>
  %p = tensor.cast %o : tensor<4x1x1x1xf32> to tensor<?x?x?x?xf32>
  call @show(%p) : (tensor<?x?x?x?xf32>) -> ()
  // The same queries, one behind another.
  %r = arith.constant dense<0.0> : tensor<1x1x4x1xf32>
  %c = arith.constant dense<[0, 1, 2, 3, 4]> : tensor<5xi32>
  %x = attn.attention %r, %k, %v cu_q(%c) lengths(%n) pages(%t)
    : (tensor<1x1x4x1xf32>, tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<5xi32>, tensor<4xi32>, tensor<4x3xi32>)
      -> tensor<?x?x?x1xf32>
  %y = tensor.cast %x : tensor<?x?x?x1xf32> to tensor<?x?x?x?xf32>
  call @show(%y) : (tensor<?x?x?x?xf32>) -> ()
  return
}
// CHECK:      sizes = [4, 1, 1, 1]
// CHECK-NEXT: {{\[+}}4.66667]]],
// CHECK-NEXT: {{\[+}}3.5]]],
// CHECK-NEXT: {{\[+}}5.5]]],
// CHECK-NEXT: {{\[+}}0]]]]
// CHECK:      sizes = [1, 1, 4, 1]
// CHECK-NEXT: {{\[+}}4.66667],
// CHECK-NEXT:    [3.5],
// CHECK-NEXT:    [5.5],
// CHECK-NEXT:    [0]]]]

func.func @main() {
  call @test_causal() : () -> ()
  call @test_empty_rows() : () -> ()
  call @test_minus_infinity() : () -> ()
  call @test_no_keys() : () -> ()
  call @test_grouped() : () -> ()
  call @test_types() : () -> ()
  call @test_offsets() : () -> ()
  call @test_sequences() : () -> ()
  call @test_lengths() : () -> ()
  call @test_pages() : () -> ()
  return
}
