// Dialogues of 500 tokens in which two speakers alternate: the numbers of a tile are few, but change from token to token.

attn.mod @two_speakers(%ids: tensor<?xi32> {attn.shape = ["keys"], attn.data = @ids})
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }

func.func @ids(%table: memref<?xi32>, %batch: index, %heads: index, %kv_heads: index, %queries: index, %keys: index,
               %sequences: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %t = %c0 to %keys step %c1 {
    %position = arith.index_cast %t : index to i32
    %multiplier = arith.constant -1640531535 : i32
    %length = arith.constant 500 : i32
    %one = arith.constant 1 : i32
    %dialogue = arith.divui %position, %length : i32
    %mixed = arith.muli %dialogue, %multiplier : i32
    %shift = arith.constant 12 : i32
    %high = arith.shrui %mixed, %shift : i32
    %speaker = arith.andi %position, %one : i32
    %id = arith.addi %high, %speaker : i32
    memref.store %id, %table[%t] : memref<?xi32>
  }
  return
}
