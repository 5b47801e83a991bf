// Near, global or random: a window of 192 to both sides, the first 128 queries and keys, and a random quarter of the blocks of 64.

attn.mod @big_bird(%blocks: tensor<?x?xi32> {attn.shape = [2048, 2048], attn.data = @random_blocks})
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %size = arith.constant 64 : i32
    %i = arith.divui %q, %size : i32
    %j = arith.divui %kv, %size : i32
    %entry = attn.load %blocks[%i, %j] : tensor<?x?xi32>
    %random = arith.cmpi ne, %entry, %zero : i32
    %global = arith.constant 128 : i32
    %window = arith.constant 192 : i32
    %seesAll = arith.cmpi slt, %q, %global : i32
    %seenByAll = arith.cmpi slt, %kv, %global : i32
    %d = arith.subi %q, %kv : i32
    %dBack = arith.subi %zero, %d : i32
    %distance = arith.maxsi %d, %dBack : i32
    %near = arith.cmpi sle, %distance, %window : i32
    %all = arith.ori %seesAll, %seenByAll : i1
    %some = arith.ori %all, %near : i1
    %keep = arith.ori %some, %random : i1
    attn.yield %keep : i1
  }

// A quarter is 1, the rest 0.
func.func @random_blocks(%table: memref<?x?xi32>, %batch: index, %heads: index, %kv_heads: index, %queries: index,
                         %keys: index, %sequences: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = memref.dim %table, %c0 : memref<?x?xi32>
  %columns = memref.dim %table, %c1 : memref<?x?xi32>
  %zero = arith.constant 0 : i32
  %three = arith.constant 3 : i32
  %shift = arith.constant 16 : i32
  %seed = arith.constant 1 : i32
  %multiplier = arith.constant 1664525 : i32
  %increment = arith.constant 1013904223 : i32
  %end = scf.for %i = %c0 to %rows step %c1 iter_args(%x = %seed) -> (i32) {
    %last = scf.for %j = %c0 to %columns step %c1 iter_args(%y = %x) -> (i32) {
      %z = arith.muli %y, %multiplier : i32
      %next = arith.addi %z, %increment : i32
      %high = arith.shrui %next, %shift : i32
      %two = arith.andi %high, %three : i32
      %isOne = arith.cmpi eq, %two, %zero : i32
      %entry = arith.extui %isOne : i1 to i32
      memref.store %entry, %table[%i, %j] : memref<?x?xi32>
      scf.yield %next : i32
    }
    scf.yield %last : i32
  }
  return
}
