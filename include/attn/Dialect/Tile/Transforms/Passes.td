#ifndef TILE_TRANSFORMS_PASSES_TD
#define TILE_TRANSFORMS_PASSES_TD

include "attn/Dialect/Tile/Transforms/RolePasses.td"

include "mlir/Pass/PassBase.td"

def TileAssignLayoutsPass : Pass<"tile-assign-layouts", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Say how tiles are dealt to threads, where it is not by rows";
  let description = [{
    A vector that an elementwise operation on matrices reads at its columns, and what it
    is made of, gets the encoding `#tile.columns`. A vector that is read at rows too is
    refused. The result of a product that turns its left operand gets the encoding
    `#tile.column_groups`, unless it has the rows that the block owns.

    Behind this pass a type says where its tile lies. All are in registers here; those
    that later passes bring to shared memory (`tile-stage-loads`, `tile-make-rings`,
    `tile-share-operands`) get their encodings there.

    Example (test/Dialect/Tile/assign-layouts.mlir):

    ```mlir
    %v = tile.load %memory[%i] : memref<?xf32> -> tensor<32xf32>
    %t = linalg.generic {indexing_maps = [(i, j) -> (i, j), (i, j) -> (j), ...] ...}
      ins(%s, %v : tensor<64x32xf32>, tensor<32xf32>) ...
    ```

    becomes

    ```mlir
    %v = tile.load %memory[%i] : memref<?xf32> -> tensor<32xf32, #tile.columns>
    ```
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def TileHoistRowReadsPass : Pass<"tile-hoist-row-reads", "::mlir::func::FuncOp"> {
  let summary = "Read what a row needs once, before the loop over tiles";
  let description = [{
    A load in an elementwise operation on a tile whose indices follow from the row
    alone reads the same for all tiles of a loop: it moves before the loop, into an
    operation on a row vector, which the tile's operation takes as one more operand.
    Equal rows are read once.

    A load that a branch guards stays, and so does one that is clamped to the size of
    its table, which may be empty where the loop visits nothing.

    For kernels whose computing warps have registers to keep the rows in, which is
    so where others do the copying, and, with `packed`, for those alone whose rows are
    of several heads: what they read at the head is no longer the same for all rows.

    Example (test/Dialect/Tile/hoist-row-reads.mlir): in a loop,

    ```mlir
    %g = linalg.generic ... ins(%t : tensor<64x32xf32>) ... {
    ^bb0(%x: f32, %unused: f32):
      %row = linalg.index 0 : index
      %p = arith.addi %row, %first : index
      %a = memref.load %ids[%p] : memref<?xi32>
    ```

    becomes, if `%rows` is an operation over (i) with that load before the loop,

    ```mlir
    %g = linalg.generic ... ins(%t, %rows : tensor<64x32xf32>, tensor<64xi32>) ... {
    ^bb0(%x: f32, %a: i32, %unused: f32):
    ```
  }];
  let options = [
    Option<"packed", "packed", "bool", "false",
           "only in kernels whose schedule is `pack`">
  ];
  let dependentDialects = ["::mlir::attn::AttnDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def TileLagMaximumPass : Pass<"tile-lag-maximum", "::mlir::func::FuncOp"> {
  let summary = "Let the maximum of an online softmax lag behind by a little";
  let description = [{
    A running maximum (`tile.running_maximum`) follows only when it would grow by more
    than a slack (`tile.slack`), for which weights reach 2^8 instead of 1: no type here
    minds, and in nearly all steps nothing is rescaled. (The idea is FlashAttention-4's.)
    Tiles that are multiplied by the decay (`tile.one_if_kept`) are then mostly multiplied
    by one, and are marked `tile.skip_ones`.

    For kernels that are short of instructions: those whose schedule has producers, or
    that have none. `tile-keep-maximum` is what gains by it.

    Example (test/Dialect/Tile/lag-maximum.mlir):

    ```mlir
    %max = linalg.reduce {arith.maxnumf} ins(%s : !s) outs(%old : !r) dimensions = [1]
      {tile.running_maximum = 0.25 : f32}
    ```

    becomes, for whoever reads it, `%new`: weights that double with every 0.25 reach 2^8 at 2,

    ```mlir
    %max = linalg.reduce {arith.maxnumf} ins(%s : !s) outs(%old : !r) dimensions = [1]
    %new = linalg.generic ... ins(%max, %old : !r, !r) ... attrs = {tile.slack = 2.0 : f32} {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %most = arith.addf %y, %two : f32
      %small = arith.cmpf ole, %x, %most : f32
      %z = arith.select %small, %y, %x : f32
      linalg.yield %z : f32
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def TileStartProductsPass : Pass<"tile-start-products", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Start the products of a step early, and await them late";
  let description = [{
    For loops whose steps have more than two products of tiles in rings. Those that need
    nothing but tiles are started at the begin of the step, the others where they are.
    Each is awaited before what uses it, before a tile that it reads is released or
    written, and at the end of the step; so what stands between runs beside it, and the wait
    stands behind what was made last (`tile.await ... after`). What only ends with a
    product moves to the end of the step: a tile's release, and `tile.put`. What is put is
    handed on (`tile.hand_on`) behind the first products of the next step, or behind the loop.

    With `pingpong` groups of four warps take turns: from the start of a step's first
    products until the first of them has ended.

    Example (test/Dialect/Tile/start-products.mlir):

    ```mlir
    %s = linalg.contract ... ins(%k, %q) ...
    %p = linalg.generic ... ins(%s) ...
    %dp = linalg.contract ... ins(%v, %do) ...
    ```

    becomes

    ```mlir
    %s = tile.start %k, %q, ...
    %dp = tile.start %v, %do, ...
    %s1 = tile.await %s pending 1
    %p = linalg.generic ... ins(%s1) ...
    %dp1 = tile.await %dp pending 0
    ```
  }];
}

def TileStageLoadsPass : Pass<"tile-stage-loads", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Turn tile loads into copies to shared memory that overlap with arithmetic";
  let description = [{
    Every `tile.load` gets a buffer in shared memory. Loads before the loop over
    key tiles, in a loop around it or not, are copied at once. Loads L0, L1, ... in that loop form a ring: as
    soon as one tile has been read for the last time, the copy of the one after
    next may start, so that the copy of L1 runs during the arithmetic on L0, and
    that of the next iteration's L0 during the arithmetic on L1.

    Where tiles of the loop are not read one after the other, those of an iteration are
    copied together: with two stages to alternate halves of their buffers, during the
    iteration before; with one at its begin. A warp that is alone has the next
    iteration's copies on their way before it waits for those of its own, one tensor
    after the other; several wait for each other first. Vectors, and what elementwise work alone
    reads, stay as they are: each thread loads its own elements.

    Expects kernels on a GPU (`flash-to-gpu`). Buffers get their places in
    `tile-place-shared`.

    Example (test/Dialect/Tile/stage-loads.mlir): the values in the loop,

    ```mlir
    %s = linalg.contract ... ins(%qt, %kt : ...) outs(%zero : !f) -> !f
    %vt = tile.load %v[%at] : !memory -> tensor<64x64xbf16>
    ```

    become

    ```mlir
    tile.copy %v[%at] to %buffer {async} : !memory to !shared // memref<64x72xbf16, ...>
    nvvm.cp.async.commit.group
    %s = linalg.contract ... ins(%qt, %kt : ...) outs(%zero : !f) -> !f
    nvvm.cp.async.wait.group 0
    gpu.barrier
    ...
    %vt = tile.view %buffer : !shared -> tensor<64x64xbf16, #tile.padded<72>>
    ```
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect", "::mlir::attn::tile::TileDialect"];
}

def TileSplitNonfinitePass : Pass<"tile-split-nonfinite", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Take the exact path of a zero-safe product out of the product";
  let description = [{
    A product that is `tile.zero_safe` in one branch and plain in the other becomes
    one plain product after both: the branch first adds what non-finite values make
    of non-zero weights (`tile.add_nonfinite`), then zeroes those values in shared
    memory (`tile.clear_nonfinite`). The rare path then holds no second copy of the
    product's code and registers.

    f32 values take the branch whenever they are not finite, in full tiles too: the
    three tf32 products that stand for one in f32 would make NaN of infinity.

    Expects values in shared memory (`tile-stage-loads`, `tile-make-rings`).

    Example (test/Dialect/Tile/split-nonfinite.mlir), with `!v` of values in shared memory:

    ```mlir
    %r = scf.if %dirty -> !f {
      %x = linalg.contract ... {tile.zero_safe} ins(%p, %v : !h, !v) outs(%acc : !f) -> !f
      scf.yield %x : !f
    } else {
      %x = linalg.contract ... ins(%p, %v : !h, !v) outs(%acc : !f) -> !f
      scf.yield %x : !f
    }
    ```

    becomes

    ```mlir
    %init = scf.if %dirty -> !f {
      %x = tile.add_nonfinite %p, %v, %acc : !h, !v, !f
      tile.clear_nonfinite %v : !v
      scf.yield %x : !f
    } else {
      scf.yield %acc : !f
    }
    %r = linalg.contract ... ins(%p, %v : !h, !v) outs(%init : !f) -> !f
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::attn::tile::TileDialect"];
}

def TileRetryNonfinitePass : Pass<"tile-retry-nonfinite", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Look for NaN and infinite values only after they have done harm";
  let description = [{
    Values are asked whether they are finite (`tile.has_nonfinite`) because a
    weight of zero times NaN or infinity is NaN. That NaN stays in the output to the
    end of the loop, so that it is enough to look at the output there, once: the loop
    over tiles becomes an attempt without questions, followed, where the output is
    not finite, by a careful one which asks. Copies into shared memory which
    belong to the first tiles are part of the attempt.

    Expects copies by all threads (`tile-stage-loads`), and products split by
    `tile-split-nonfinite`.

    Example (test/Dialect/Tile/retry-nonfinite.mlir):

    ```mlir
    %r:2 = scf.for %j = %c0 to %n step %c1 iter_args(%l = %l0, %o = %o0) -> (!row, !f) {
      %dirty = tile.has_nonfinite %vt : !v
    ```

    becomes

    ```mlir
    %r:2 = scf.while (%careful = %false) : (i1) -> (!row, !f) {
      %a:2 = scf.for %j = %c0 to %n step %c1 iter_args(%l = %l0, %o = %o0) -> (!row, !f) {
        %dirty = scf.if %careful -> i1 {
          %asked = tile.has_nonfinite %vt : !v
          scf.yield %asked : i1
        } else {
          scf.yield %false : i1
        }
        ...
      }
      %carefree = arith.xori %careful, %true : i1
      %harm = tile.has_nonfinite %a#1 : !f
      %again = arith.andi %carefree, %harm : i1
      scf.condition(%again) %a#0, %a#1 : !row, !f
    } do {
    ^bb0(%unused0: !row, %unused1: !f):
      scf.yield %true : i1
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::attn::tile::TileDialect"];
}

def TileQueriesInnermostPass : Pass<"tile-queries-innermost", "::mlir::func::FuncOp"> {
  let summary = "Store score and output tiles with queries innermost";
  let description = [{
    For targets with vector units: transposes the tiles whose rows are queries, so
    that the queries are contiguous in memory. Then softmax statistics are vectors,
    no reduction crosses lanes, and both products of attention read one operand as
    scalars and the other as vectors without repacking a key or value tile.

    Named operations become `linalg.generic`; only indexing maps and types change.
    Operands of contractions are widened to the type of the result. What does not
    know of the transposition (`tile.load`, `tile.store`) keeps its tile and gets an
    explicit transposition beside it.

    Example (test/Dialect/Tile/queries-innermost.mlir): `tensor<64x32xf32>` scores (64
    queries, 32 keys) become `tensor<32x64xf32>`, computed as key tile times transposed
    query tile.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def TileBufferizePass : Pass<"tile-bufferize", "::mlir::func::FuncOp"> {
  let summary = "Put tiles into buffers on the stack of the function";
  let description = [{
    One-shot bufferization, in which every buffer is a `memref.alloca` at the entry
    of the function: a loop over tiles allocates nothing. Elementwise operations
    overwrite an operand that nothing reads later, and every loop carries its tiles
    in place. `tile.load`, `tile.store`, `tile.has_nonfinite` and `tile.any_beyond`
    become loops over rows of vectors. Expects a function of one task (`flash-to-tasks`).

    Example (test/Dialect/Tile/bufferize.mlir):

    ```mlir
    %t = tile.load %x[%row] : memref<?x12xf32> -> tensor<8x16xf32>
    %u = linalg.generic ... ins(%t : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) { math.absf ... }
    ```

    becomes, with %rows those of the eight that are in memory,

    ```mlir
    %u = memref.alloca() {alignment = 64 : i64} : memref<8x16xf32>
    scf.for %i = %c0 to %rows step %c1 {
      %from = arith.addi %row, %i : index
      %inside = vector.load %x[%from, %c0] : memref<?x12xf32>, vector<12xf32>
      vector.store %inside, %u[%i, %c0] : memref<8x16xf32>, vector<12xf32>
      vector.store %zeros4, %u[%i, %c12] : memref<8x16xf32>, vector<4xf32>
    }
    scf.for %i = %rows to %c8 step %c1 {
      vector.store %zeros16, %u[%i, %c0] : memref<8x16xf32>, vector<16xf32>
    }
    linalg.generic ... ins(%u : memref<8x16xf32>) outs(%u : memref<8x16xf32>) { math.absf ... }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"];
}

def TileDeferRowSumsPass : Pass<"tile-defer-row-sums", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Add up the threads of a row once, after the loop";
  let description = [{
    A row sum that a loop carries, l = l * decay + sum(p) or l + sum(p), is linear in l: each
    thread may carry the sum of its own elements, and the threads of a row add
    theirs after the loop. Marks the reduction `tile.within_thread` and puts a
    `tile.combine_threads` behind the loop, which saves the shuffles of every step.

    Example (test/Dialect/Tile/defer-row-sums.mlir):

    ```mlir
    %l = scf.for %j = %c0 to %n step %c1 iter_args(%old = %zero) -> tensor<64xf32> {
      %decayed = linalg.generic ... ins(%old, %decay : ...) { arith.mulf ... }
      %new = linalg.reduce { arith.addf } ins(%p : ...) outs(%decayed : ...) dimensions = [1]
      scf.yield %new : tensor<64xf32>
    }
    ```

    becomes

    ```mlir
    %parts = scf.for %j = %c0 to %n step %c1 iter_args(%old = %zero) -> tensor<64xf32> {
      %decayed = linalg.generic ... ins(%old, %decay : ...) { arith.mulf ... }
      %new = linalg.reduce { arith.addf } ins(%p : ...) outs(%decayed : ...) dimensions = [1]
        {tile.within_thread}
      scf.yield %new : tensor<64xf32>
    }
    %l = tile.combine_threads %parts : tensor<64xf32>
    ```
  }];
  let dependentDialects = ["::mlir::attn::tile::TileDialect"];
}

def TileKeepMaximumPass : Pass<"tile-keep-maximum", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Look for a new maximum only where one is";
  let description = [{
    An operation marked `tile.slack` keeps a row's old maximum unless the new one
    exceeds it by more than that. Whether any does needs no reduction over a row
    (`tile.any_above`): the reduction, the slack and what is computed for
    each row from them go into a branch for warps in which one does, and in the
    others the old maximum stands. What is marked `tile.one_if_kept` is one there, and
    tiles that are multiplied by it (`tile.skip_ones`) are left alone. What follows from
    the maximum alone is carried by the loop. Warps whose rows are far from zero
    (`tile.any_beyond`) always take the branch, so that what is done for them is in it.

    Each warp branches on its own.

    Example (test/Dialect/Tile/keep-maximum.mlir):

    ```mlir
    %max = linalg.reduce { arith.maxnumf } ins(%s : !s) outs(%old : !r) dimensions = [1]
    %new = linalg.generic ... ins(%max, %old : !r, !r) ... attrs = {tile.slack = 5.5 : f32}
    %decay = linalg.generic ... ins(%old, %new : !r, !r) ... attrs = {tile.one_if_kept}
    %p = linalg.generic ... ins(%o, %decay : !s, !r) ... attrs = {tile.skip_ones}
    ```

    becomes, with `%bound` the old maximum and the slack,

    ```mlir
    %any = tile.any_above %s, %bound : !s, !r
    %r:2 = scf.if %any -> (!r, !r) {
      %max = linalg.reduce { arith.maxnumf } ins(%s : !s) outs(%old : !r) dimensions = [1]
      %new = linalg.generic ... ins(%max, %old : !r, !r)
      %decay = linalg.generic ... ins(%old, %new : !r, !r)
      scf.yield %new, %decay : !r, !r
    } else {
      scf.yield %old, %ones : !r, !r
    }
    %p = scf.if %any -> !s {
      %times = linalg.generic ... ins(%o, %r#1 : !s, !r)
      scf.yield %times : !s
    } else {
      scf.yield %o : !s
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::attn::tile::TileDialect"];
}

//===--- GPU: warps with roles -----------------------------------------------//
// In this order. Up to tile-give-roles the program is one, as if all of it were done by
// somebody who fills a place, reads it, and releases it.

def TileFindTasksPass : InterfacePass<"tile-find-tasks", "::mlir::FunctionOpInterface"> {
  let summary = "Find tasks on the line of all tasks";
  let description = [{
    Lowers `tile.find_task`. Where all runs are equally long, by a division; otherwise by a
    loop over runs up to the one that is looked for: one after the other, or, for a GPU
    (`warps`), 32 at a time, of which each lane of a warp asks for one, and whose lengths
    the warp adds up.

    Example (test/Dialect/Tile/find-tasks.mlir):

    ```mlir
    %task, %start = tile.find_task %position in %runs by %c1 {
    ^bb0(%run: index):
      %n = memref.load %lengths[%run] : memref<?xindex>
      tile.yield %n : index
    }
    ```

    becomes

    ```mlir
    %found:4 = scf.while (%run = %c0, %start = %c0) ... {
      %more = arith.cmpi ult, %run, %runs
      ... scf.if %more { memref.load ... }
      scf.condition(%go_on) %run, %start, %length, %next
    } do { ... }
    ```
  }];
  let options = [Option<"warps", "warps", "bool", "false", "For kernels of a GPU">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"];
}

def TilePlaceSharedPass : Pass<"tile-place-shared", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Give everything in shared memory its place";
  let description = [{
    Rings (`tile.ring`) get the offsets of their elements and barriers, in their order in
    the kernel: barriers and numbers before the tiles, tiles from 1024 bytes on. Or, where
    all warps copy, buffers (`memref.alloc` in the workgroup's memory) become views of the
    block's dynamic shared memory, of each of `key_warps` its own; behind them is where
    these give each other what they have (`tile.combine_warps`). Records the bytes that a launch must give a block as
    `attn.shared_bytes`. No other pass computes an offset (SharedMemory.h), but for
    `tile-share-diagonals`, which takes of what is left.

    Example: behind a ring of 128 by 64 tiles,
    `tile.ring readers 8 : <2 x tensor<64x64xbf16>>` becomes
    `tile.ring offset 17408 barriers 16 readers 8 : <2 x tensor<64x64xbf16>>`.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect",
    "::mlir::arith::ArithDialect", "::mlir::attn::tile::TileDialect"];
}

def TileReadEarlyPass : Pass<"tile-read-early", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Read tables of pairs while a product runs";
  let description = [{
    A tile that is read of captured memory and needs nothing of a product is made before
    `tile.await` instead of behind it: memory answers while the product runs. Captures are
    not written while a kernel runs.

    Example (test/Dialect/Tile/read-early.mlir):

    ```mlir
    %s = tile.start ...
    %scores = tile.await %s pending 1 : <tensor<128x64xf32>>
    %bias = linalg.generic ... { memref.load ... } -> tensor<128x64xf32>
    ```

    becomes

    ```mlir
    %s = tile.start ...
    %bias = linalg.generic ... { memref.load ... } -> tensor<128x64xf32>
    %scores = tile.await %s pending 1 : <tensor<128x64xf32>>
    ```
  }];
}

def TileDistancesApartPass : Pass<"tile-distances-apart", "::mlir::func::FuncOp"> {
  let summary = "Make once for each distance what only the distance of two positions decides";
  let description = [{
    Takes out of elementwise work on a tile of M x N what follows from the difference of its
    two indices alone, if it costs more than to read it (as `tile-share-diagonals` does where
    tiles are dealt to threads): a vector of M + N - 1, of which neighbours in a row of the
    tile read neighbours.

    Example (test/Dialect/Tile/distances-apart.mlir):

    ```mlir
    %t = linalg.generic ... ins(%s : tensor<64x64xf32>) ... {
    ^bb0(%x: f32, %out: f32):
      %bias = memref.load %table[%bucket] : memref<?xf32>
    ```

    becomes

    ```mlir
    %d = linalg.generic ... outs(%e : tensor<127xf32>) { ... memref.load ... }
    %t = linalg.generic {indexing_maps = [..., affine_map<(i, j) -> (j - i + 63)>, ...]}
      ins(%s, %d : tensor<64x64xf32>, tensor<127xf32>) ...
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def TileShareDiagonalsPass : Pass<"tile-share-diagonals", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Make once for each diagonal what only the distance of row and column decides";
  let description = [{
    Takes out of elementwise work on a tile what follows from the row less the column and
    from what is the same for all elements: buckets of distances, tables that are read at
    them, remainders. `tile.diagonals` makes it before, each warp R + C - 1 elements for its
    R x C of the tile, and while a product that the tile waits for still runs.

    Only what costs more than the reading, of which a thread needs about one for two
    elements: a table's element, a division, a logarithm, or much else. It lies in shared
    memory behind all that `tile-place-shared` placed, and its bytes are added to
    `attn.shared_bytes`; where there is no room without fewer blocks on a multiprocessor,
    lanes keep it and ask each other, which takes twice as many instructions. Numbers that
    are added to elements which the distance decides (`tile.scatter_add`, the gradients of
    such tables) are summed by diagonals before (`tile.sum_diagonals`).

    Positions that are clamped, as those of programs that must not be evaluated outside of
    tensors are, are no distances.

    Example (test/Dialect/Tile/share-diagonals.mlir), with q = q0 + row, kv = kv0 + column:

    ```mlir
    %t = linalg.generic ... ins(%s : tensor<64x64xf32>) ... {
    ^bb0(%x: f32, %out: f32):
      %distance = arith.subi %q, %kv : i32
      ...
      %bias = memref.load %table[%bucket] : memref<?xf32>
      %y = arith.addf %x, %bias : f32
    ```

    becomes

    ```mlir
    %d = tile.diagonals offset 1024 : tensor<127xf32, #tile.diagonals> {
    ^bb0(%row: index):
      ...
      %bias = memref.load %table[%bucket] : memref<?xf32>
      tile.yield %bias : f32
    }
    %t = linalg.generic ... ins(%s, %d : ...) ... {
    ^bb0(%x: f32, %bias: f32, %out: f32):
      %y = arith.addf %x, %bias : f32
    ```
  }];
  let dependentDialects = ["::mlir::attn::tile::TileDialect", "::mlir::arith::ArithDialect"];
}

#endif // TILE_TRANSFORMS_PASSES_TD
