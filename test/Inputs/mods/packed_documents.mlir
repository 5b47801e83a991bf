// Documents of 300 tokens, packed in any order: their numbers say nothing of their place.

attn.mod @packed_documents(%ids: tensor<?xi32> {attn.shape = ["keys"], attn.data = @ids})
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
    %length = arith.constant 300 : i32
    %document = arith.divui %position, %length : i32
    %mixed = arith.muli %document, %multiplier : i32
    %shift = arith.constant 16 : i32
    %id = arith.shrui %mixed, %shift : i32
    memref.store %id, %table[%t] : memref<?xi32>
  }
  return
}
