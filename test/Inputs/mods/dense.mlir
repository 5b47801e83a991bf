// A table with an entry for each pair, as the ancestors of a tree of drafts or an arbitrary mask have; here a
// quarter of blocks of 100. Up to 4096 positions.

attn.mod @dense(%table: tensor<?x?xi32> {attn.shape = ["queries", "keys"], attn.data = @entries})
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %entry = attn.load %table[%q, %kv] : tensor<?x?xi32>
    %keep = arith.cmpi ne, %entry, %zero : i32
    attn.yield %keep : i1
  }

func.func @entries(%table: memref<?x?xi32>, %batch: index, %heads: index, %kv_heads: index, %queries: index,
                   %keys: index, %sequences: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %row = arith.constant 977 : index
  %multiplier = arith.constant -1640531535 : i32
  %shift = arith.constant 17 : i32
  %three = arith.constant 3 : i32
  %zero = arith.constant 0 : i32
  scf.for %q = %c0 to %queries step %c1 {
    scf.for %kv = %c0 to %keys step %c1 {
      %i = arith.divui %q, %c100 : index
      %j = arith.divui %kv, %c100 : index
      %k = arith.muli %i, %row : index
      %l = arith.addi %k, %j : index
      %n = arith.index_cast %l : index to i32
      %mixed = arith.muli %n, %multiplier : i32
      %high = arith.shrui %mixed, %shift : i32
      %two = arith.andi %high, %three : i32
      %isOne = arith.cmpi eq, %two, %zero : i32
      %entry = arith.extui %isOne : i1 to i32
      memref.store %entry, %table[%q, %kv] : memref<?x?xi32>
    }
  }
  return
}
