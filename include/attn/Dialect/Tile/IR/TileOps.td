#ifndef TILE_OPS_TD
#define TILE_OPS_TD

include "attn/Dialect/Tile/IR/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

def Tile_StaticTile : Type<And<[RankedTensorOf<[AnyType]>.predicate,
    CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).hasStaticShape()">]>,
    "tensor of static shape", "::mlir::RankedTensorType">;

def Tile_LoadOp : Tile_Op<"load"> {
  let summary = "a tile of memory as a tensor, zero outside the memory";
  let description = [{
    Reads rows `offsets.back()` and following of the innermost matrix (or vector)
    that the other offsets name: offsets name all dimensions but the channel.
    Rows at or after the size of the memory, and channels at or after its last
    size, read as zero.

    Example: rows q0.. of query[b, h]:

    ```mlir
    %t = tile.load %query[%b, %h, %q0]
      : memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>> -> tensor<64x96xbf16>
    ```

    Constraints:
    - C1: one offset for each dimension of the memory but the channel's; a rank 1
      tile has no channel, and one offset for each dimension.
    - C2: the same element type.
    - C3: the tile is at least as wide as the channel dimension.
  }];
  let arguments = (ins Arg<AnyStridedMemRef, "", [MemRead]>:$source, Variadic<Index>:$offsets);
  let results = (outs Tile_StaticTile:$result);
  let assemblyFormat = "$source `[` $offsets `]` attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store"> {
  let summary = "writes a tile to memory, clipped at the end of the memory";
  let description = [{
    The inverse of `tile.load`, with its constraints: what sticks out is dropped.

    Example:
    `tile.store %t, %out[%b, %h, %q0] : tensor<64x96xbf16>, memref<?x?x?x80xbf16, strided<[?, ?, ?, 1]>>`
  }];
  let arguments = (ins Tile_StaticTile:$tile, Arg<AnyStridedMemRef, "", [MemWrite]>:$dest,
                       Variadic<Index>:$offsets);
  let assemblyFormat = "$tile `,` $dest `[` $offsets `]` attr-dict `:` type($tile) `,` type($dest)";
  let hasVerifier = 1;
}

def Tile_HasNonfiniteOp : Tile_Op<"has_nonfinite", [Pure]> {
  let summary = "whether any element of a tile is NaN or infinite";
  let description = [{
    Asked about the values of a partial tile: where it holds, the product with
    the softmax weights takes the exact path (`tile.zero_safe`), in which a weight
    of zero contributes nothing whatever the value is.

    Example: `%dirty = tile.has_nonfinite %vt : tensor<64x64xbf16>`
  }];
  let arguments = (ins Tile_StaticTile:$tile);
  let results = (outs I1:$result);
  let assemblyFormat = "$tile attr-dict `:` type($tile)";
}

//===--- GPU: tiles in shared memory -----------------------------------------//

def Tile_CopyOp : Tile_Op<"copy"> {
  let summary = "all threads of a block copy a tile into shared memory";
  let description = [{
    What `tile.load` would read, into shared memory whose rows may be padded. With
    `async` the copy is part of the thread's current cp.async group and complete
    after `nvvm.cp.async.wait.group`; rows must then start at multiples of 16
    bytes. Other threads see it after a barrier.

    Example:

    ```mlir
    tile.copy %key[%b, %h, %kv0] to %shared {async}
      : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>>
      to memref<64x72xbf16, #gpu.address_space<workgroup>>
    ```

    Constraints:
    - C1: one offset for each dimension of the memory but the channel's.
    - C2: the same element type.
    - C3: a shared row is at least as wide as the channel dimension.
  }];
  let arguments = (ins Arg<AnyStridedMemRef, "", [MemRead]>:$source, Variadic<Index>:$offsets,
                       Arg<AnyStaticShapeMemRef, "", [MemWrite]>:$dest, UnitAttr:$async);
  let assemblyFormat = [{
    $source `[` $offsets `]` `to` $dest attr-dict `:` type($source) `to` type($dest)
  }];
  let hasVerifier = 1;
}

def Tile_ViewOp : Tile_Op<"view"> {
  let summary = "a tile that lies in shared memory, as a tensor";
  let description = [{
    Valid until the memory is written again. With `registers` (16-bit elements
    only) the tile is read here, as the left operand of a product; otherwise where
    it is used.

    Example:
    `%k = tile.view %shared : memref<64x72xbf16, #gpu.address_space<workgroup>> -> tensor<64x64xbf16>`

    Constraints:
    - C1: the same element type and number of rows, and memory at least as wide.
  }];
  let arguments = (ins Arg<AnyStaticShapeMemRef, "", [MemRead]>:$source, UnitAttr:$registers);
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
  }];
  let arguments = (ins Tile_StaticTile:$partial);
  let results = (outs Tile_StaticTile:$result);
  let assemblyFormat = "$partial attr-dict `:` type($partial)";
}

def Tile_AddNonfiniteOp : Tile_Op<"add_nonfinite", [AllTypesMatch<["init", "result"]>]> {
  let summary = "the part of a product which NaN and infinite values make";
  let description = [{
    init(i, d) plus the sum over j of weights(i, j) * values(j, d) where the weight
    is not zero and the value is not finite. Values lie in shared memory.

    Example:

    ```mlir
    %a = tile.add_nonfinite %p, %v, %acc
      : tensor<128x64xbf16>, tensor<64x128xbf16>, tensor<128x128xf32>
    ```
  }];
  let arguments = (ins Tile_StaticTile:$weights, Tile_StaticTile:$values,
                       Tile_StaticTile:$init);
  let results = (outs Tile_StaticTile:$result);
  let assemblyFormat = [{
    $weights `,` $values `,` $init attr-dict `:` type($weights) `,` type($values)
    `,` type($init)
  }];
}

def Tile_ClearNonfiniteOp : Tile_Op<"clear_nonfinite"> {
  let summary = "all threads of a block zero the NaN and infinite elements of shared memory";
  let description = [{
    With a barrier before and after, so all threads must get here.

    Example: `tile.clear_nonfinite %shared : memref<64x72xbf16, #gpu.address_space<workgroup>>`
  }];
  let arguments = (ins Arg<AnyStaticShapeMemRef, "", [MemRead, MemWrite]>:$memory);
  let assemblyFormat = "$memory attr-dict `:` type($memory)";
}

#endif // TILE_OPS_TD
