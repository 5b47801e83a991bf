// Text with images: text is causal, the tokens of one image see each other. 64 to
// 319 tokens of text alternate with 256 to 511 of an image; text has number 0.

attn.mod @image_span(%spans: tensor<?xi32> {attn.shape = ["keys"], attn.data = @span_ids})
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %i = attn.load %spans[%q] : tensor<?xi32>
    %j = attn.load %spans[%kv] : tensor<?xi32>
    %same = arith.cmpi eq, %i, %j : i32
    %isImage = arith.cmpi sgt, %i, %zero : i32
    %image = arith.andi %same, %isImage : i1
    %causal = arith.cmpi sge, %q, %kv : i32
    %keep = arith.ori %causal, %image : i1
    attn.yield %keep : i1
  }

func.func @span_ids(%table: memref<?xi32>, %batch: index, %heads: index, %kv_heads: index, %queries: index,
                    %keys: index, %sequences: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %seed = arith.constant 1 : i32
  %multiplier = arith.constant 1664525 : i32
  %increment = arith.constant 1013904223 : i32
  %byte = arith.constant 255 : i32
  %shift = arith.constant 16 : i32
  %leastText = arith.constant 64 : i32
  %leastImage = arith.constant 256 : i32
  %true = arith.constant true
  // How many tokens are left of what, which image it is, the random numbers.
  %end:4 = scf.for %t = %c0 to %keys step %c1
      iter_args(%left = %zero, %isText = %true, %image = %zero, %x = %seed) -> (i32, i1, i32, i32) {
    %done = arith.cmpi eq, %left, %zero : i32
    %next:4 = scf.if %done -> (i32, i1, i32, i32) {
      %y = arith.muli %x, %multiplier : i32
      %z = arith.addi %y, %increment : i32
      %high = arith.shrui %z, %shift : i32
      %random = arith.andi %high, %byte : i32
      %wasText = arith.xori %isText, %true : i1
      %least = arith.select %wasText, %leastText, %leastImage : i32
      %length = arith.addi %least, %random : i32
      %more = arith.addi %image, %one : i32
      %number = arith.select %wasText, %image, %more : i32
      scf.yield %length, %wasText, %number, %z : i32, i1, i32, i32
    } else {
      scf.yield %left, %isText, %image, %x : i32, i1, i32, i32
    }
    %id = arith.select %next#1, %zero, %next#2 : i32
    memref.store %id, %table[%t] : memref<?xi32>
    %rest = arith.subi %next#0, %one : i32
    scf.yield %rest, %next#1, %next#2, %next#3 : i32, i1, i32, i32
  }
  return
}
