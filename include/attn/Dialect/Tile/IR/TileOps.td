#ifndef TILE_OPS_TD
#define TILE_OPS_TD

include "attn/Dialect/Tile/IR/TileTypes.td"
include "mlir/Dialect/LLVMIR/LLVMOpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

def Tile_StaticTile : Type<And<[RankedTensorOf<[AnyType]>.predicate,
    CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).hasStaticShape()">]>,
    "tensor of static shape", "::mlir::RankedTensorType">;

class Tile_Placed<string predicate, string summary>
    : Type<And<[Tile_StaticTile.predicate,
        CPred<"::mlir::attn::tile::" # predicate #
              "(::llvm::cast<::mlir::RankedTensorType>($_self))">]>,
        summary, "::mlir::RankedTensorType">;

def Tile_InRegisters : Tile_Placed<"isInRegisters", "tile of static shape in registers">;
def Tile_OfRows : Tile_Placed<"isOfRows", "tile of static shape in registers, dealt by rows">;
def Tile_InShared : Tile_Placed<"isInShared", "tile of static shape in shared memory">;
def Tile_OfDiagonals : Tile_Placed<"isOfDiagonals", "vector with an element for each diagonal of a tile">;
def Tile_Scattered : Type<Or<[Tile_OfRows.predicate,
    And<[Tile_StaticTile.predicate,
        CPred<"::mlir::attn::tile::isInLanes(::llvm::cast<::mlir::RankedTensorType>($_self))">]>]>,
    "tile of static shape in registers, dealt by rows, or diagonals in lanes", "::mlir::RankedTensorType">;
def Tile_InSlot : Tile_Placed<"isInSlot", "tile of static shape in a slot of a ring">;

/// Which page of memory has which rows of which sequence.
def Tile_Table : MemRefRankOf<[I32], [2]>;

def Tile_Number : AnyTypeOf<[AnySignlessInteger, AnyFloat, Index],
    "integer, index or floating-point number of at most 64 bits">;

def Tile_LoadOp : Tile_Op<"load", [AttrSizedOperandSegments]> {
  let summary = "a tile of memory as a tensor, zero outside the memory";
  let description = [{
    Reads rows `offsets.back()` and following of the innermost matrix (or vector)
    that the other offsets name: offsets name all dimensions but the channel.
    Rows at or after the size of the memory, and channels at or after its last
    size, read as zero. With `packed`, rows are those of two dimensions, the inner
    one fastest, and their last offset counts them all.

    Example: rows q0.. of query[b, h], and (query, head) pairs r0.. of heads that share
    keys, of which the memory has four dimensions: batch, key head, query, head

    ```mlir
    %t = tile.load %query[%b, %h, %q0]
      : memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>> -> tensor<64x96xbf16>
    %u = tile.load %pairs[%b, %k, %r0] packed
      : memref<?x?x?x?x80xbf16, strided<[?, ?, ?, ?, 1], offset: ?>> -> tensor<16x96xbf16>
    ```

    `through` a table memory is pages (page, head, row, channel), and the offsets are
    those of a sequence: its number, the head, and the first row. Row r of sequence b is
    row r % size of the page `table[b, r / size]`, size being that of memory's third
    dimension. Rows at or after `until` read as zero, and nothing is asked of the table
    about them; so do those in a page that memory has not.

    Example: rows kv0.. of sequence b, which has as many as %length:

    ```mlir
    %t = tile.load %key[%b, %hk, %kv0] through %table until %length
      : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>>, memref<?x?xi32> -> tensor<64x64xbf16>
    ```

    Constraints:
    - C1: a tile of rank 1 or 2, and one offset for each dimension of the memory but
      the channel's; a rank 1 tile has no channel, and one offset for each dimension.
      `packed`: one offset less.
    - C2: the same element type.
    - C3: the tile is at least as wide as the channel dimension.
    - C4: with `held`, see `tile.reduce_add`, instead of C1 and C3, and not `packed`.
    - C5: through a table, memory of rank 4, a tile of rank 2, no `held` and not `packed`.
  }];
  let arguments = (ins Arg<AnyStridedMemRef, "", [MemRead]>:$source, Variadic<Index>:$offsets,
                       Arg<Optional<Tile_Table>, "", [MemRead]>:$table, Optional<Index>:$end,
                       UnitAttr:$held, UnitAttr:$packed);
  let results = (outs Tile_InRegisters:$result);
  let builders = [
    OpBuilder<(ins "Type":$result, "Value":$source, "ValueRange":$offsets,
                   CArg<"bool", "false">:$held), [{
      build($_builder, $_state, result, source, offsets, Value(), Value(), held);
    }]>
  ];
  let assemblyFormat = [{
    $source `[` $offsets `]` (`through` $table^ `until` $end)? (`held` $held^)? (`packed` $packed^)?
    attr-dict `:` type($source) (`,` type($table)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store"> {
  let summary = "writes a tile to memory, clipped at the end of the memory";
  let description = [{
    The inverse of `tile.load`, with its constraints: what sticks out is dropped.

    Example:
    `tile.store %t, %out[%b, %h, %q0] : tensor<64x96xbf16>, memref<?x?x?x80xbf16, strided<[?, ?, ?, 1]>>`
  }];
  let arguments = (ins Tile_OfRows:$tile, Arg<AnyStridedMemRef, "", [MemWrite]>:$dest,
                       Variadic<Index>:$offsets, UnitAttr:$held, UnitAttr:$packed);
  let assemblyFormat = [{
    $tile `,` $dest `[` $offsets `]` (`held` $held^)? (`packed` $packed^)? attr-dict
    `:` type($tile) `,` type($dest)
  }];
  let hasVerifier = 1;
}

def Tile_ReduceAddOp : Tile_Op<"reduce_add"> {
  let summary = "adds a tile to memory that has it as threads hold it";
  let description = [{
    Each number is added at once, in no order with what others add there. In memory 64
    rows by C columns are what four warps hold of them (Distribution.h), `held`: for each 8
    columns and each of 128 threads the 4 numbers that it has there. So warps move 16 bytes
    a thread, and TMA all of a tile. A tile of more rows is several of these, one after the
    other; the last offset names the first.

    Example: 64 queries of 128 channels

    ```mlir
    tile.reduce_add %t, %sums[%b, %h, %tile]
      : tensor<64x128xf32>, memref<?x?x?x16x128x4xf32>
    ```

    Constraints:
    - C1: a matrix of f32 with a multiple of 64 rows and of 8 columns.
    - C2: contiguous memory of f32 whose last dimensions are columns / 8, 128 and 4, and an
      offset for each of the others.
  }];
  let arguments = (ins Tile_InRegisters:$tile,
                       Arg<AnyStridedMemRef, "", [MemRead, MemWrite]>:$dest,
                       Variadic<Index>:$offsets);
  let assemblyFormat = "$tile `,` $dest `[` $offsets `]` attr-dict `:` type($tile) `,` type($dest)";
  let hasVerifier = 1;
}

def Tile_ScatterAddOp : Tile_Op<"scatter_add"> {
  let summary = "adds each number of a tile to an element of memory of its own";
  let description = [{
    Element by element, rows first, in this order: what `places` says is the index
    in the last dimension of the memory, of which `offsets` name the others. A
    number of zero is skipped, and its place may be anything. Neighbours of one
    place may be added up before.

    On a GPU each warp adds its rows, in an order of its own that is always the same.
    That warps do not meet in an element is for who makes the operation: rows of
    different warps have different places, or each warp has a copy of the elements
    (`per_warp`), at the last offset plus the number of the warp. Where no two elements
    of the tile have one place (`distinct`), lanes need not look for such.

    Example:
    `tile.scatter_add %t at %p, %sums[%i] : tensor<64x32xf32>, tensor<64x32xi64>, memref<?x?xf32>`

    Constraints:
    - C1: a tile of rank 1 or 2, and memory, of f32.
    - C2: a place for each element of the tile, of which both are dealt alike.
    - C3: an offset for each dimension of the memory but the last.
    - C4: an offset that counts copies, if each warp has one.
  }];
  let arguments = (ins Tile_Scattered:$tile, Tile_Scattered:$places,
                       Arg<AnyStridedMemRef, "", [MemRead, MemWrite]>:$dest,
                       Variadic<Index>:$offsets, UnitAttr:$distinct,
                       UnitAttr:$per_warp);
  let assemblyFormat = [{
    $tile `at` $places `,` $dest `[` $offsets `]` attr-dict
    `:` type($tile) `,` type($places) `,` type($dest)
  }];
  let hasVerifier = 1;
}

def Tile_FindTaskOp : Tile_Op<"find_task", [RecursiveMemoryEffects]> {
  let summary = "the task that has a position of the line of all tasks";
  let description = [{
    Tasks lie on a line, one after the other, each as long as it takes. There are `runs`
    times `repeat` of them: those of a run are equally long, and the region says how long, a
    positive number, from the number of the run. `start` is where the found task begins.
    Behind the end of the line the task is the number of tasks, and `start` the line's length.

    On a GPU a warp asks 32 runs at a time, so all of its lanes must get here together
    (`tile-find-tasks`).

    Example: query tiles of 8 heads, some longer than others

    ```mlir
    %task, %start = tile.find_task %position in %batches by %c8 {
    ^bb0(%batch: index):
      %length = ...
      tile.yield %length : index
    }
    ```

    Constraints:
    - C1: the region takes an index, and yields one.
  }];
  let arguments = (ins Index:$position, Index:$runs, Index:$repeat);
  let regions = (region SizedRegion<1>:$length);
  let results = (outs Index:$task, Index:$start);
  let assemblyFormat = "$position `in` $runs `by` $repeat attr-dict-with-keyword $length";
  let skipDefaultBuilders = 1;
  let builders = [
    // `length` emits the length of a run.
    OpBuilder<(ins "::mlir::Value":$position, "::mlir::Value":$runs,
                   "::mlir::Value":$repeat,
                   "::llvm::function_ref<::mlir::Value(::mlir::OpBuilder &, ::mlir::Value)>":$length)>
  ];
  let extraClassDeclaration = [{
    ::mlir::Value getRun() { return getLength().getArgument(0); }
    ::mlir::Value getYielded() { return getLength().front().getTerminator()->getOperand(0); }
  }];
  let hasRegionVerifier = 1;
}

def Tile_LaunchDependentsOp : Tile_Op<"launch_dependents", [MemoryEffects<[MemWrite]>]> {
  let summary = "the next kernel may begin once all blocks are here";
  let description = [{
    If it is launched to depend on this one alone by what it awaits
    (`tile.await_prerequisites`). From sm_90 on.

    Example: `tile.launch_dependents`
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_AwaitPrerequisitesOp : Tile_Op<"await_prerequisites", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for all that the kernel before writes";
  let description = [{
    For the end of the kernel before, which this one may have begun ahead of
    (`tile.launch_dependents`). A kernel ends behind the one before if any of its threads
    gets here. From sm_90 on.

    Example: `tile.await_prerequisites`
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_HasNonfiniteOp : Tile_Op<"has_nonfinite", [Pure]> {
  let summary = "whether any element of a tile is NaN or infinite";
  let description = [{
    Asked about the values of a partial tile: where it holds, the product with
    the softmax weights takes the exact path (`tile.zero_safe`), in which a weight
    of zero contributes nothing whatever the value is. On a GPU the tile lies in
    shared memory, or in the registers of all threads, which then must get here
    together (`tile-retry-nonfinite`).

    Example: `%dirty = tile.has_nonfinite %vt : tensor<64x64xbf16>`

    Constraints:
    - C1: a vector or matrix of f32, f16 or bf16 with at least one element, and no
      `#tile.left_operand`.
  }];
  let arguments = (ins Tile_StaticTile:$tile);
  let results = (outs I1:$result);
  let assemblyFormat = "$tile attr-dict `:` type($tile)";
  let hasVerifier = 1;
}

//===--- GPU: tiles in shared memory -----------------------------------------//

def Tile_CopyOp : Tile_Op<"copy", [AttrSizedOperandSegments]> {
  let summary = "all threads of a block copy a tile into shared memory";
  let description = [{
    What `tile.load` would read, into shared memory whose rows may be padded. With
    `async` the copy is part of the thread's current cp.async group and complete
    after `nvvm.cp.async.wait.group`; rows must then start at multiples of 16
    bytes. Other threads see it after a barrier. With `read_once` the L2 cache gives
    up first what was read.

    Example:

    ```mlir
    tile.copy %key[%b, %h, %kv0] to %shared {async}
      : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>>
      to memref<64x72xbf16, #gpu.address_space<workgroup>>
    ```

    Constraints:
    - C1: shared memory of rank 2, and one offset for each dimension of the memory but
      the channel's; `packed` (`tile.load`): one less.
    - C2: the same element type.
    - C3: a shared row is at least as wide as the channel dimension.
    - C4: through a table as `tile.load` (C5 there).
    - C5: `read_once` goes with `async`.
  }];
  let arguments = (ins Arg<AnyStridedMemRef, "", [MemRead]>:$source, Variadic<Index>:$offsets,
                       Arg<Optional<Tile_Table>, "", [MemRead]>:$table, Optional<Index>:$end,
                       Arg<AnyStaticShapeMemRef, "", [MemWrite]>:$dest, UnitAttr:$async,
                       UnitAttr:$packed, UnitAttr:$read_once);
  let assemblyFormat = [{
    $source `[` $offsets `]` (`through` $table^ `until` $end)? `to` $dest attr-dict
    `:` type($source) (`,` type($table)^)? `to` type($dest)
  }];
  let hasVerifier = 1;
}

def Tile_ViewOp : Tile_Op<"view"> {
  let summary = "a tile that lies in shared memory, as a tensor";
  let description = [{
    Valid until the memory is written again. As the left operand of a product
    (`#tile.left_operand`) the tile is read here, else where it is used.

    Examples:

    ```mlir
    %k = tile.view %shared
      : memref<64x72xbf16, #gpu.address_space<workgroup>> -> tensor<64x64xbf16, #tile.padded<72>>
    %q = tile.view %shared
      : memref<64x72xbf16, #gpu.address_space<workgroup>> -> tensor<64x64xbf16, #tile.left_operand>
    ```

    Constraints:
    - C1: the same element type and number of rows, and memory at least as wide.
    - C2: a tile whose padded rows are those of the memory, or a left operand.
  }];
  let arguments = (ins Arg<AnyStaticShapeMemRef, "", [MemRead]>:$source);
  let results = (outs Tile_StaticTile:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_CombineThreadsOp : Tile_Op<"combine_threads", [Pure,
    AllTypesMatch<["partial", "result"]>]> {
  let summary = "row sums from the sums which the threads of a row hold";
  let description = [{
    `partial` comes from reductions that are `tile.within_thread`: every thread
    summed its own elements only.

    Example: `%l = tile.combine_threads %partial : tensor<128xf32>`

    Constraints:
    - C1: a vector of f32.
  }];
  let arguments = (ins Tile_OfRows:$partial);
  let results = (outs Tile_OfRows:$result);
  let assemblyFormat = "$partial attr-dict `:` type($partial)";
  let hasVerifier = 1;
}

def Tile_CombineWarpsOp : Tile_Op<"combine_warps", [
    AllTypesMatch<["partial", "result"]>, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "what the warps that deal keys among them have made together";
  let description = [{
    In a loop over warps, each of which has a tile of its own: the sum of all of them,
    element by element, or the greatest. All warps of the block must get here. All have
    the result of vectors, and the first that of a matrix; others have something. On its
    way a tile is in shared memory, at `offset`, which `tile-place-shared` gives.

    Examples: `%m = tile.combine_warps greatest %max : tensor<16xf32>`,
    `%o = tile.combine_warps %acc : tensor<16x128xf32>`

    Constraints:
    - C1: a vector or matrix of f32.
    - C2: `offset` is a multiple of 16, at least 0.
  }];
  let arguments = (ins UnitAttr:$greatest, Tile_OfRows:$partial, OptionalAttr<I64Attr>:$offset);
  let results = (outs Tile_OfRows:$result);
  let assemblyFormat = [{
    (`greatest` $greatest^)? $partial (`offset` $offset^)? attr-dict `:` type($partial)
  }];
  let hasVerifier = 1;
}

def Tile_DiagonalsOp : Tile_Op<"diagonals", [
    SingleBlock, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "what follows from the distance of row and column, once for each distance";
  let description = [{
    What the body yields for each diagonal of a tile, by the row less the column, which is
    its argument. Each warp makes the elements of its own rows. It leaves them in shared
    memory, at `offset` and behind, where they stay until the next that has the same offset;
    without one its lanes keep them, and ask each other. A `linalg.generic` on the tile reads
    them by the map (r, c) -> (r - c + C - 1).

    Example: a table of biases that is read at the distance, for tiles of 128 x 64

    ```mlir
    %d = tile.diagonals offset 198656 : tensor<191xf32, #tile.diagonals> {
    ^bb0(%distance: index):
      %x = memref.load %table[%distance] : memref<?xf32>
      tile.yield %x : f32
    }
    ```

    Constraints:
    - C1: `offset` is a multiple of 16, at least 0, and there unless lanes keep the result.
    - C2: the body has one argument, an index, and yields an element of the result.
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$offset);
  let results = (outs Tile_OfDiagonals:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "(`offset` $offset^)? attr-dict `:` type($result) $body";
  let hasVerifier = 1;
}

def Tile_SumDiagonalsOp : Tile_Op<"sum_diagonals", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "the sums of the diagonals of a tile, of each warp's rows";
  let description = [{
    What is summed by the distance of row and column alone, as the gradients of a table of
    distances are: each warp adds up its own rows, in an order that is always the same, and
    its lanes have the sums (`#tile.diagonals<lanes>`). On their way they are in shared memory,
    at `offset` and behind.

    Example: `%s = tile.sum_diagonals %t offset 4096 : tensor<64x32xf32> -> tensor<95xf32, #tile.diagonals<lanes>>`

    Constraints:
    - C1: a matrix of R x C f32, R + C - 1 sums.
    - C2: `offset` is a multiple of 16, at least 0.
  }];
  let arguments = (ins Tile_OfRows:$tile, I64Attr:$offset);
  let results = (outs Tile_OfDiagonals:$result);
  let assemblyFormat = "$tile `offset` $offset attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_AnyAboveOp : Tile_Op<"any_above", [Pure]> {
  let summary = "whether an element of this warp's rows exceeds its row's bound";
  let description = [{
    Each warp has its own answer, and must do what is right whatever the others' are.
    It may be yes where no element exceeds, and is where a bound is below zero; NaN
    need not count.

    Example: `%any = tile.any_above %scores, %bounds : tensor<128x64xf32>`

    Constraints:
    - C1: a bound for each row, all f32.
  }];
  let arguments = (ins Tile_InRegisters:$tile, Tile_OfRows:$bounds);
  let results = (outs I1:$result);
  let assemblyFormat = [{
    $tile `,` $bounds attr-dict `:` type($tile) `,` type($bounds)
  }];
  let hasVerifier = 1;
}

def Tile_AnyBeyondOp : Tile_Op<"any_beyond", [Pure]> {
  let summary = "whether a number of this warp's rows is far from zero, now or before";
  let description = [{
    True if `before` is, or if the absolute value of an element is greater than `bound`.
    Minus infinity does not count, infinity and NaN need not. On a GPU each warp has its
    own answer, about its own rows, and must do what is right whatever the others' are.

    Example: `%far = tile.any_beyond %maxima or %before {bound = 1.0e6 : f32} : tensor<128xf32>`

    Constraints:
    - C1: a row vector of f32.
    - C2: the bound is a positive number.
  }];
  let arguments = (ins Tile_OfRows:$rows, I1:$before, F32Attr:$bound);
  let results = (outs I1:$result);
  let assemblyFormat = "$rows `or` $before attr-dict `:` type($rows)";
  let hasVerifier = 1;
}

def Tile_AddNonfiniteOp : Tile_Op<"add_nonfinite", [AllTypesMatch<["init", "result"]>]> {
  let summary = "the part of a product which NaN and infinite values make";
  let description = [{
    init(i, d) plus the sum over j of weights(i, j) * values(j, d) where the weight
    is not zero and the value is not finite. Values lie in shared memory.

    Example:

    ```mlir
    %a = tile.add_nonfinite %p, %v, %acc
      : tensor<128x64xbf16>, tensor<64x128xbf16, #tile.slot>, tensor<128x128xf32>
    ```

    Constraints:
    - C1: matrices whose sizes are those of a product; weights and values of one type, f32,
      f16 or bf16, and a result of f32.
  }];
  let arguments = (ins Tile_InRegisters:$weights, Tile_InShared:$values,
                       Tile_InRegisters:$init);
  let results = (outs Tile_InRegisters:$result);
  let assemblyFormat = [{
    $weights `,` $values `,` $init attr-dict `:` type($weights) `,` type($values)
    `,` type($init)
  }];
  let hasVerifier = 1;
}

def Tile_ClearNonfiniteOp : Tile_Op<"clear_nonfinite", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "zero the NaN and infinite elements of a tile in shared memory";
  let description = [{
    By all threads that compute, with a barrier before and after, so all of them
    must get here.

    Example: `tile.clear_nonfinite %v : tensor<64x64xbf16, #tile.padded<72>>`

    Constraints:
    - C1: a matrix of f32, f16 or bf16 with at least one element.
  }];
  let arguments = (ins Tile_InShared:$tile);
  let assemblyFormat = "$tile attr-dict `:` type($tile)";
  let hasVerifier = 1;
}

def Tile_IsolateNonfiniteOp : Tile_Op<"isolate_nonfinite",
    [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "zero the NaN and infinite elements of a tile in a ring, and say in which rows";
  let description = [{
    Each thread that computes looks at the elements which it would hold of the tile.
    `rows` is NaN in rows that had such an element, else 0. `any` is each warp's own
    answer, whether one of its rows had. Others see the zeros when the warps have next
    met (`tile.share`).

    So products with the tile as the right operand need no exact path, if what they are
    multiplied by is made of scores to which `rows` was added: where the mask keeps a
    pair it is NaN then, and zero where it does not.

    Example: `%rows, %any = tile.isolate_nonfinite %k : tensor<128x128xbf16, #tile.slot> -> tensor<128xf32>`

    Constraints:
    - C1: a matrix of f16 or bf16, and an f32 for each row.

    When it is dealt to threads, the tile must be in a ring (`tile-make-rings`).
  }];
  let arguments = (ins Tile_StaticTile:$tile);
  let results = (outs Tile_OfRows:$rows, I1:$any);
  let assemblyFormat = "$tile attr-dict `:` type($tile) `->` type($rows)";
  let hasVerifier = 1;
}

include "attn/Dialect/Tile/IR/TileRingOps.td"

#endif // TILE_OPS_TD
