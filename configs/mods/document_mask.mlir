// Several documents in one sequence: a query sees the keys of its own document,
// up to itself. The bench folds its batch into one sequence and makes one
// document for each sequence of the batch.

attn.mod @document_mask(%documents: tensor<?xi32>
    {attn.shape = ["keys"], attn.data = @document_ids})
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %document_q = attn.load %documents[%q] : tensor<?xi32>
    %document_kv = attn.load %documents[%kv] : tensor<?xi32>
    %same = arith.cmpi eq, %document_q, %document_kv : i32
    // Inside one document, order by position is order in the document.
    %causal = arith.cmpi sge, %q, %kv : i32
    %keep = arith.andi %same, %causal : i1
    attn.yield %keep : i1
  } attributes {attn.fold_batch}

// An element depends on all draws, so that this is no attn.fill but a function,
// which takes the table and the sizes.
// Documents have one token each, and every further token goes to a random one;
// fewer tokens than documents: the last documents are empty. Random numbers are
// those of x = x * 1664525 + 1013904223 mod 2^32, so that every run has the same
// documents.
func.func @document_ids(%table: memref<?xi32>, %batch: index, %heads: index,
                        %kv_heads: index, %queries: index, %keys: index,
                        %sequences: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1 : i32
  %documents = arith.minsi %sequences, %keys : index
  %lengths = memref.alloc(%documents) : memref<?xi32>
  scf.for %d = %c0 to %documents step %c1 {
    memref.store %one, %lengths[%d] : memref<?xi32>
  }

  %seed = arith.constant 0 : i64
  %multiplier = arith.constant 1664525 : i64
  %increment = arith.constant 1013904223 : i64
  %low32 = arith.constant 0xFFFFFFFF : i64
  %c32 = arith.constant 32 : i64
  %count = arith.index_cast %documents : index to i64
  %last = scf.for %i = %documents to %keys step %c1 iter_args(%x = %seed) -> (i64) {
    %y = arith.muli %x, %multiplier : i64
    %z = arith.addi %y, %increment : i64
    %next = arith.andi %z, %low32 : i64
    // next / 2^32 * count
    %scaled = arith.muli %next, %count : i64
    %document = arith.shrui %scaled, %c32 : i64
    %d = arith.index_cast %document : i64 to index
    %old = memref.load %lengths[%d] : memref<?xi32>
    %new = arith.addi %old, %one : i32
    memref.store %new, %lengths[%d] : memref<?xi32>
    scf.yield %next : i64
  }

  %end = scf.for %d = %c0 to %documents step %c1 iter_args(%start = %c0) -> (index) {
    %id = arith.index_cast %d : index to i32
    %tokens = memref.load %lengths[%d] : memref<?xi32>
    %n = arith.index_cast %tokens : i32 to index
    %next = arith.addi %start, %n : index
    scf.for %i = %start to %next step %c1 {
      memref.store %id, %table[%i] : memref<?xi32>
    }
    scf.yield %next : index
  }
  memref.dealloc %lengths : memref<?xi32>
  return
}
