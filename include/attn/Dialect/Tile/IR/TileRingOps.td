// GPUs whose warps have roles: what they hand to each other through rings of
// shared memory, and how they take turns. The classes are those of TileOps.td,
// which includes this file.
#ifndef TILE_RING_OPS_TD
#define TILE_RING_OPS_TD

//===--- tiles in rings --------------------------------------------------------//

def Tile_RingOp : Tile_Op<"ring", [MemoryEffects<[MemAlloc, MemWrite]>]> {
  let summary = "a ring of tiles in shared memory between a producer and its readers";
  let description = [{
    Shared memory for the ring's elements, and two barriers for each of its stages: that
    its element has arrived, and that all `readers` (warps) have released it. One thread
    initialises them; a barrier of the block must follow.

    `tile-place-shared` says where: elements at `offset` bytes from the aligned start of
    shared memory; at `barriers` bytes first the words of arrival, one for each stage, then
    those of release.

    A tile of 16-bit elements lies in chunks of 64 columns, each with its rows 128
    bytes apart and the 16-byte pieces of row r permuted by xor with r mod 8: what
    the bulk tensor copy writes and wgmma reads with a 128-byte swizzle.

    Examples: `%k = tile.ring readers 8 : !tile.ring<2 x tensor<128x128xbf16>>`,
    `%k = tile.ring offset 33792 barriers 16 readers 8 : !tile.ring<2 x tensor<128x128xbf16>>`

    Constraints:
    - C1: `offset` is a multiple of 1024 (of 16 for vectors, of 8 for numbers), `barriers`
      of 8, and both are within 0 and the 256 KiB that no block's shared memory exceeds;
      both are known or neither.
    - C2: `readers` is 1 to 32, the warps of a block.
    - C3: a ring that threads share tiles in (`tile.share`) has neither readers nor
      barriers.
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$offset, OptionalAttr<I64Attr>:$barriers,
                       OptionalAttr<I64Attr>:$readers);
  let results = (outs Tile_Ring:$result);
  let assemblyFormat = [{
    (`offset` $offset^)? (`barriers` $barriers^)? (`readers` $readers^)? attr-dict
    `:` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_FillOp : Tile_Op<"fill", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "one thread starts the copy of the position'th tile into its ring";
  let description = [{
    Waits until the readers have released the tile that was there before. What is
    copied is what `tile.load` would read: rows `offsets.back()` and following of
    the matrix that the other offsets name. `map` points to the tensor map of that
    memory (batch, head, row, channel) with boxes of one tile by 64 channels.

    What a loop fills `ahead` is started a step early by a producer of its own: before
    what else the step before fills.

    Examples: `tile.fill %k at %n from %map[%b, %h, %row] : !tile.ring<2 x tensor<128x128xbf16>>`,
    `tile.fill %k at %n from %map[%b, %h, %row] ahead : !tile.ring<2 x tensor<128x128xbf16>>`

    Constraints:
    - C1: a ring of matrices of 16-bit elements, and 1 to 4 offsets: maps have at most 5
      dimensions.
  }];
  let arguments = (ins Tile_Ring:$ring, I32:$position, LLVM_PointerInAddressSpace<0>:$map,
                       Variadic<Index>:$offsets, UnitAttr:$ahead);
  let assemblyFormat = [{
    $ring `at` $position `from` $map `[` $offsets `]` (`ahead` $ahead^)? attr-dict
    `:` type($ring)
  }];
  let hasVerifier = 1;
}

def Tile_FillVectorOp : Tile_Op<"fill_vector", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "one thread starts the copy of the position'th vector into its ring";
  let description = [{
    As `tile.fill`, but from memory itself. All elements of the vector must lie inside
    of it, and the first at a multiple of 16 bytes.

    Example:
    `tile.fill_vector %l at %n from %memory[%b, %row] : memref<?x?xf32> to !tile.ring<2 x tensor<64xf32>>`

    Constraints:
    - C1: a ring of vectors, and an offset for each dimension of the memory, which is
      contiguous and of f32.
  }];
  let arguments = (ins Tile_Ring:$ring, I32:$position, Arg<AnyStridedMemRef, "", [MemRead]>:$source,
                       Variadic<Index>:$offsets);
  let assemblyFormat = [{
    $ring `at` $position `from` $source `[` $offsets `]` attr-dict
    `:` type($source) `to` type($ring)
  }];
  let hasVerifier = 1;
}

def Tile_ReadOp : Tile_Op<"read", [MemoryEffects<[MemRead]>]> {
  let summary = "waits for the position'th tile of a ring";
  let description = [{
    The tile stays in shared memory; it is valid until `tile.release`. Where
    `arrived`, which `tile.peek` gave, is true, there is no wait.

    Examples: `%t = tile.read %k at %n : !tile.ring<2 x tensor<128x128xbf16>> -> tensor<128x128xbf16, #tile.slot>`,
    `%t = tile.read %k at %n unless %arrived : !r -> tensor<128x128xbf16, #tile.slot>`

    Constraints:
    - C1: a ring of tiles, and the result is one of them, in its slot.
  }];
  let arguments = (ins Tile_Ring:$ring, I32:$position, Optional<I1>:$arrived);
  let results = (outs Tile_InSlot:$result);
  let assemblyFormat = [{
    $ring `at` $position (`unless` $arrived^)? attr-dict
    `:` type($ring) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_PeekOp : Tile_Op<"peek", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "whether the position'th tile of a ring has arrived";
  let description = [{
    Asked some time before `tile.read`, the answer is there when it is needed. False
    only costs a wait. The tile before it in the same place must have been read.

    Example: `%arrived = tile.peek %k at %n : !tile.ring<2 x tensor<128x128xbf16>>`
  }];
  let arguments = (ins Tile_Ring:$ring, I32:$position);
  let results = (outs I1:$arrived);
  let assemblyFormat = "$ring `at` $position attr-dict `:` type($ring)";
}

def Tile_ReleaseOp : Tile_Op<"release", [MemoryEffects<[MemWrite]>]> {
  let summary = "this warp has read the position'th element of a ring for the last time";
  let description = [{
    Products that read a tile must have ended (`tile.await`).

    Example: `tile.release %k at %n : !tile.ring<2 x tensor<128x128xbf16>>`
  }];
  let arguments = (ins Tile_Ring:$ring, I32:$position);
  let assemblyFormat = "$ring `at` $position attr-dict `:` type($ring)";
}

def Tile_ShareOp : Tile_Op<"share", [MemoryEffects<[MemRead, MemWrite]>,
    TypesMatchWith<"result is a tile in a slot of the ring", "ring", "result",
                   "::llvm::cast<::mlir::attn::tile::RingType>($_self).getTileInSlot()">]> {
  let summary = "writes a tile from registers to the position'th place of a ring";
  let description = [{
    By all threads that compute, which meet when it is there, so all of them must get
    here. Each writes what it holds; `wgmma` may then read what others wrote. Nobody
    releases it: a ring of two tiles suffices where a product with the last but one has
    ended before a thread shares the next (`tile.await`).

    Example:
    `%s = tile.share %t into %ring at %n : tensor<128x64xbf16>, !tile.ring<2 x tensor<128x64xbf16>>`

    Constraints:
    - C1: a ring of matrices of 16-bit elements, and one of them.
  }];
  let arguments = (ins Tile_OfRows:$tile, Tile_Ring:$ring, I32:$position);
  let results = (outs Tile_InSlot:$result);
  let assemblyFormat = [{
    $tile `into` $ring `at` $position attr-dict `:` type($tile) `,` type($ring)
  }];
  let hasVerifier = 1;
}

def Tile_PutOp : Tile_Op<"put", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "writes a tile from registers as the position'th of a ring";
  let description = [{
    By all threads that compute: each waits until the tile that was there before is
    released, and writes what it holds, in the order of `tile.reduce_add`'s memory. Nobody
    sees it before `tile.hand_on`.

    Example: `tile.put %t into %ring at %n : tensor<64x128xf32>, !tile.ring<1 x tensor<64x128xf32>>`

    Constraints:
    - C1: a ring of matrices of f32, and one of them, in any layout.
  }];
  let arguments = (ins Tile_InRegisters:$tile, Tile_Ring:$ring, I32:$position);
  let assemblyFormat = [{
    $tile `into` $ring `at` $position attr-dict `:` type($tile) `,` type($ring)
  }];
  let hasVerifier = 1;
}

def Tile_HandOnOp : Tile_Op<"hand_on", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "lets others read what was put as the position'th of a ring";
  let description = [{
    By all threads that compute. The tile has arrived when all their warps are here. A
    thread waits until its writes are seen by TMA, so it does well to do something else
    between `tile.put` and this (`tile-start-products`).

    Example: `tile.hand_on %ring at %n : !tile.ring<1 x tensor<64x128xf32>>`

    Constraints:
    - C1: a ring of matrices of f32.
  }];
  let arguments = (ins Tile_Ring:$ring, I32:$position);
  let assemblyFormat = "$ring `at` $position attr-dict `:` type($ring)";
  let hasVerifier = 1;
}

def Tile_AddToMemoryOp : Tile_Op<"add_to_memory", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "one warp adds the position'th tile of a ring to memory";
  let description = [{
    Waits until it has arrived, and releases it when TMA has read it; memory has its sum
    at the end of the kernel at the latest. Memory and offsets are those of
    `tile.reduce_add`.

    Example:

    ```mlir
    tile.add_to_memory %ring at %n, %sums[%b, %h, %tile]
      : !tile.ring<1 x tensor<64x128xf32>>, memref<?x?x?x16x128x4xf32>
    ```

    Constraints:
    - C1: a ring of matrices of f32, and what `tile.reduce_add` takes for one of them.
  }];
  let arguments = (ins Tile_Ring:$ring, I32:$position,
                       Arg<AnyStridedMemRef, "", [MemRead, MemWrite]>:$dest,
                       Variadic<Index>:$offsets);
  let assemblyFormat = [{
    $ring `at` $position `,` $dest `[` $offsets `]` attr-dict `:` type($ring) `,` type($dest)
  }];
  let hasVerifier = 1;
}

//===--- warps with roles ------------------------------------------------------//

def Tile_RolesOp : Tile_Op<"roles", [SingleBlock, NoTerminator]> {
  let summary = "some of a block's warps compute, others bring what they need";
  let description = [{
    The regions run at the same time, and meet in rings only: whole warps, all that the
    schedule says, `compute`; one thread produces, which fills rings and draws tasks; one
    warp inspects tiles, where somebody asks about them; and one warp stores, which adds to
    memory what those who compute put into rings.

    Example:

    ```mlir
    tile.roles compute {
      %t = tile.read %k at %n : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
      ...
      tile.release %k at %n : !tile.ring<2 x tensor<64x64xbf16>>
    } produce {
      tile.fill %k at %n from %map[%row] : !tile.ring<2 x tensor<64x64xbf16>>
    }
    ```

    Constraints:
    - C1: rings are filled, and tasks drawn, by who produces, who neither reads nor
      releases; what is sent `about` a tile, by who inspects; tiles are put by who computes,
      and added to memory by who stores.
  }];
  let regions = (region SizedRegion<1>:$compute, SizedRegion<1>:$produce, AnyRegion:$inspect,
                        AnyRegion:$store);
  let assemblyFormat = [{
    `compute` $compute `produce` $produce (`inspect` $inspect^)? (`store` $store^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Tile_StartOp : Tile_Op<"start", [
    TypesMatchWith<"started from its init", "init", "product",
                   "StartedType::get($_ctxt, ::llvm::cast<::mlir::RankedTensorType>($_self))">,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "start a product of tiles on the matrix unit";
  let description = [{
    `init` plus the product of `lhs` and `rhs`, as a `linalg.contract` of them: with
    `lhs_transposed` the columns of `lhs` are rows of the result, with `rhs_transposed`
    the rows of `rhs` are its columns. Until `tile.await` gives its result, what the
    product reads must be left alone: tiles in rings are not released, nor written.

    Example: `%s = tile.start %q, %k, %zero {rhs_transposed} : tensor<128x64xbf16, #tile.slot>, tensor<96x64xbf16, #tile.slot>, tensor<128x96xf32>`

    Constraints:
    - C1: matrices whose sizes are those of a product; `lhs` and `rhs` of one type, f16 or
      bf16, and `init` of f32.
    - C2: `lhs` in registers or in a slot; in a slot if it is transposed, and then `rhs` is
      not.
  }];
  let arguments = (ins Tile_StaticTile:$lhs, Tile_InSlot:$rhs, Tile_InRegisters:$init,
                       UnitAttr:$lhs_transposed, UnitAttr:$rhs_transposed);
  let results = (outs Tile_Started:$product);
  let builders = [
    // The product of a step, which is a linalg.contract until it is started.
    OpBuilder<(ins "::mlir::linalg::ContractOp":$product)>];
  let assemblyFormat = [{
    $lhs `,` $rhs `,` $init attr-dict `:` type($lhs) `,` type($rhs) `,` type($init)
  }];
  let hasVerifier = 1;
}

def Tile_AwaitOp : Tile_Op<"await", [
    TypesMatchWith<"the product's result", "product", "result",
                   "::llvm::cast<StartedType>($_self).getTile()">,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "the result of a product that was started";
  let description = [{
    Waits until at most `pending` products that were started later are unfinished.
    The wait does not begin before the vector `after` is there, or some elements of the
    matrix `after`: so an assembler that moves waits forward does not move this one over
    what is meant to run beside the product.

    Examples: `%s1 = tile.await %s pending 1 : !tile.started<tensor<128x128xf32>>`,
    `%o1 = tile.await %o pending 0 after %sums : tensor<128xf32> : !tile.started<tensor<128x64xf32>>`

    Constraints:
    - C1: `after` is a vector or matrix of f32.
    - C2: `pending` is 0 to 7, what the instruction takes.
  }];
  let arguments = (ins Tile_Started:$product, I64Attr:$pending,
                       Optional<Tile_InRegisters>:$after);
  let results = (outs Tile_InRegisters:$result);
  let assemblyFormat = [{
    $product `pending` $pending (`after` $after^ `:` type($after))?
    attr-dict `:` type($product)
  }];
  let hasVerifier = 1;
}

def Tile_TakeTurnOp : Tile_Op<"take_turn", [MemoryEffects<[MemWrite]>]> {
  let summary = "waits until the other group of four warps has passed its turn";
  let description = [{
    The first group's first turn comes from the second one's
    `tile.pass_turn first`. Example: `tile.take_turn`
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_PassTurnOp : Tile_Op<"pass_turn", [MemoryEffects<[MemWrite]>]> {
  let summary = "lets the other group of four warps start its products";
  let description = [{
    With `first` only the second group passes, before anybody took a turn.

    Example: `tile.pass_turn first`
  }];
  let arguments = (ins UnitAttr:$first);
  let assemblyFormat = "(`first` $first^)? attr-dict";
}

//===--- blocks that do many tasks ---------------------------------------------//

def Tile_TasksOp : Tile_Op<"tasks", [SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "the block does its share of the tasks 0 to count - 1";
  let description = [{
    Runs the body for one task after another: first for the number of the block,
    then for tasks that it draws, in ascending order, from `counter`, which all
    blocks share. There must not be more blocks than tasks. The counter is zero
    before the kernel starts, and again when it has ended: each task is drawn
    once, or started with, and each block draws once in vain, so that there are as
    many draws as tasks, after which the counter wraps.

    The body's first argument is the task's number. Where there is a region `numbers`, it
    computes what follows from that number, and those are the body's next arguments. A
    body that counts has further ones: how many tasks the block has done before, and for
    each number that it yields, the sum of what it yielded for those.

    Examples: a plain body; and one with a number, that counts steps (tile-task-numbers and
    tile-make-rings make it so):

    ```mlir
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      ...
    } : !llvm.ptr<1>

    tile.tasks %count from %counter numbers {
    ^bb0(%task: i32):
      %row = arith.muli %task, %c128 : i32
      tile.yield %row : i32
    } do {
    ^bb0(%task: i32, %row: i32, %before: i32, %steps_before: i32):
      ...
      tile.yield %steps : i32
    } : !llvm.ptr<1>
    ```

    Constraints:
    - C1: arguments as described; `numbers` has the task alone, and yields numbers; the
      body yields i32.
  }];
  let arguments = (ins I32:$count, LLVM_PointerInAddressSpace<1>:$counter);
  let regions = (region AnyRegion:$numbers, SizedRegion<1>:$body);
  let assemblyFormat = [{
    $count `from` $counter (`numbers` $numbers^ `do`)? $body attr-dict `:` type($counter)
  }];
  let extraClassDeclaration = [{
    BlockArgument getTask();
    /// The arguments that stand for the numbers.
    Block::BlockArgListType getNumberArguments();
    /// Whether the body is told how many tasks came before.
    bool isCounted();
    /// The arguments that are sums of what the body yielded before.
    Block::BlockArgListType getSums();
  }];
  let hasVerifier = 1;
}

def Tile_YieldOp : Tile_Op<"yield", [Pure, Terminator, ParentOneOf<["FindTaskOp", "TasksOp", "DiagonalsOp"]>]> {
  let summary = "numbers that follow from a task or a diagonal, or what a task has counted";
  let description = [{
    See `tile.tasks`, `tile.find_task` and `tile.diagonals`. Example: `tile.yield %steps : i32`
  }];
  let arguments = (ins Variadic<Tile_Number>:$numbers);
  let builders = [OpBuilder<(ins)>];
  let assemblyFormat = "($numbers^ `:` type($numbers))? attr-dict";
}

def Tile_DrawTaskOp : Tile_Op<"draw_task", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "one thread draws the block's next task";
  let description = [{
    `count` or more: there is no task left.

    Example: `%next = tile.draw_task %count from %counter : !llvm.ptr<1>`
  }];
  let arguments = (ins I32:$count, LLVM_PointerInAddressSpace<1>:$counter);
  let results = (outs I32:$task);
  let assemblyFormat = "$count `from` $counter attr-dict `:` type($counter)";
}

//===--- numbers in rings ------------------------------------------------------//

def Tile_SendOp : Tile_Op<"send", [AttrSizedOperandSegments,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "numbers become the position'th element of a ring";
  let description = [{
    One thread sends, once the readers have released what was there before. With fewer
    numbers than the ring has places for, the others are undefined.

    Numbers `about` a tile are in step with a ring of tiles: a whole warp sends what it
    found in the position'th tile of a ring of as many stages, before it releases the tile.
    It does not wait, and nobody releases the numbers: their place is free when that of the
    tile is, whose readers have received the numbers first.

    Examples: `tile.send %task, %row : i32, index into %ring at %n : !tile.ring<2 x tensor<2xi64>>`,
    `tile.send %dirty : i1 about %v : tensor<64x64xbf16, #tile.slot> into %ring at %n : !tile.ring<2 x tensor<1xi64>>`

    Constraints:
    - C1: a ring of numbers, with a place for each; numbers of at most 64 bits.
  }];
  let arguments = (ins Variadic<Tile_Number>:$numbers, Optional<Tile_InSlot>:$about,
                       Tile_Ring:$ring, I32:$position);
  let assemblyFormat = [{
    $numbers `:` type($numbers) (`about` $about^ `:` type($about))? `into` $ring
    `at` $position attr-dict `:` type($ring)
  }];
  let hasVerifier = 1;
}

def Tile_ReceiveOp : Tile_Op<"receive", [MemoryEffects<[MemRead]>]> {
  let summary = "numbers from the position'th element of a ring";
  let description = [{
    By whole warps, which all get the same. `places` says which numbers, counted from 0 as
    `tile.send` lists them; types are those sent. Waits until they have been sent, but not
    where they are read `again` by who has received from this position before. They can be
    read until `tile.release`; numbers `about` a tile, until that is released.

    Examples: `%task = tile.receive [0] of %ring at %n : !tile.ring<2 x tensor<3xi64>> -> i32`,
    `%row, %slope = tile.receive [1, 2] of %ring at %n again : !tile.ring<2 x tensor<3xi64>> -> index, f32`,
    `%dirty = tile.receive [0] of %ring at %n about %v : tensor<64x64xbf16, #tile.slot> : !r -> i1`

    Constraints:
    - C1: a ring of numbers, and one of its places for each result; numbers of at most
      64 bits.
  }];
  let arguments = (ins DenseI64ArrayAttr:$places, Tile_Ring:$ring, I32:$position,
                       UnitAttr:$again, Optional<Tile_InSlot>:$about);
  let results = (outs Variadic<Tile_Number>:$numbers);
  let assemblyFormat = [{
    $places `of` $ring `at` $position (`again` $again^)?
    (`about` $about^ `:` type($about))? attr-dict `:` type($ring) `->` type($numbers)
  }];
  let hasVerifier = 1;
}

//===--- output through shared memory ------------------------------------------//

def Tile_DrainOp : Tile_Op<"drain", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "a tile in registers to memory, through shared memory";
  let description = [{
    The inverse of `tile.fill`: each warp writes its 16 rows to the place of the
    position'th tile of the ring, which it must not read any more, and one of its
    lanes starts their copy to where `map` and the offsets say. What sticks out of the
    memory is dropped. The place may not be released before `tile.await_drain`.

    `map` has boxes of 16 rows by 64 channels.

    Example:

    ```mlir
    tile.drain %t through %q at %n to %map[%b, %h, %row]
      : tensor<128x128xbf16>, !tile.ring<1 x tensor<128x128xbf16>>
    ```

    Constraints:
    - C1: a tile of the ring's type with as many rows, and no more chunks of 64 columns.
    - C2: 1 to 4 offsets.
  }];
  let arguments = (ins Tile_OfRows:$tile, Tile_Ring:$ring, I32:$position,
                       LLVM_PointerInAddressSpace<0>:$map, Variadic<Index>:$offsets);
  let assemblyFormat = [{
    $tile `through` $ring `at` $position `to` $map `[` $offsets `]` attr-dict
    `:` type($tile) `,` type($ring)
  }];
  let hasVerifier = 1;
}

def Tile_AwaitDrainOp : Tile_Op<"await_drain", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits until TMA has read what the warp drained";
  let description = [{
    It has not necessarily written it to memory. Must also come before a block ends.

    Example: `tile.await_drain`
  }];
  let assemblyFormat = "attr-dict";
}

#endif // TILE_RING_OPS_TD
