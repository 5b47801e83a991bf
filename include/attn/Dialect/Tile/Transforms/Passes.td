#ifndef TILE_TRANSFORMS_PASSES_TD
#define TILE_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

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
    so where others do the copying.

    Example: `linalg.generic` over (i, j) with `memref.load %ids[%first + linalg.index 0]`
    becomes one over (i) before the loop, and `ins(%score, %row)` in it.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
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

    For kernels that are short of instructions; `tile-keep-maximum` is what gains by it.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def TileStageLoadsPass : Pass<"tile-stage-loads", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Turn tile loads into copies to shared memory that overlap with arithmetic";
  let description = [{
    Every `tile.load` gets a buffer in shared memory. Loads before the loop over
    key tiles are copied at once. Loads L0, L1, ... in that loop form a ring: as
    soon as one tile has been read for the last time, the copy of the one after
    next may start, so that the copy of L1 runs during the arithmetic on L0, and
    that of the next iteration's L0 during the arithmetic on L1.

    Expects kernels on a GPU (`flash-to-gpu`). Buffers get their places in
    `tile-place-shared`.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect", "::mlir::tile::TileDialect"];
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

    Expects values in shared memory (`tile-stage-loads`, `tile-specialize-warps`).
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::tile::TileDialect"];
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
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::tile::TileDialect"];
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

    Example: `tensor<64x32xf32>` scores (64 queries, 32 keys) become
    `tensor<32x64xf32>`, computed as key tile times transposed query tile.
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
    A row sum that a loop carries, l = l * decay + sum(p), is linear in l: each
    thread may carry the sum of its own elements, and the threads of a row add
    theirs after the loop. Marks the reduction `tile.within_thread` and puts a
    `tile.combine_threads` behind the loop, which saves the shuffles of every step.
  }];
  let dependentDialects = ["::mlir::tile::TileDialect"];
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
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::tile::TileDialect"];
}

def TileSpecializeWarpsPass : Pass<"tile-specialize-warps", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Give the copies of tiles to warps of their own";
  let description = [{
    The first `warps` of the schedule compute; one thread of the others fills rings in
    shared memory (`tile.ring`, `tile.fill`) with the tiles that the kernel loads,
    as far ahead as there are stages. A load becomes a `tile.read`, and a
    `tile.release` after its last use. Registers move from the producers to the
    computing warps.

    Each memory that is loaded from gets a parameter with its tensor map, whose role
    names the memory's role and the rows of a box. `tile-place-shared` gives rings their
    places.

    Expects kernels on a GPU (`flash-to-gpu`) with producers in their schedule.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect", "::mlir::tile::TileDialect"];
}

def TileOverlapProductsPass : Pass<"tile-overlap-products", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Run the products of one step during the softmax of another";
  let description = [{
    Turns the loop over key tiles by one step: after the score product of step j the
    output product of step j - 1 is started, and both run while step j's
    softmax does, as far as it does not need them (`tile.async`, `tile.await`).
    With `pingpong` in the schedule, the two groups of four warps take turns to
    start their products.

    Expects tiles in rings (`tile-specialize-warps`) and exact paths outside
    products (`tile-split-nonfinite`).
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::tile::TileDialect"];
}

def TilePlaceSharedPass : Pass<"tile-place-shared", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Give everything in shared memory its place";
  let description = [{
    Rings (`tile.ring`) get the offsets of their elements and barriers, in their order in
    the kernel: barriers and numbers before the tiles, tiles from 1024 bytes on. Or, where
    all warps copy, buffers (`memref.alloc` in the workgroup's memory) become views of the
    block's dynamic shared memory. Records the bytes that a launch must give a block as
    `attn.shared_bytes`. No other pass computes an offset (SharedMemory.h).

    Example: behind a ring of 128 by 64 tiles,
    `tile.ring readers 8 : <2 x tensor<64x64xbf16>>` becomes
    `tile.ring offset 17408 barriers 16 readers 8 : <2 x tensor<64x64xbf16>>`.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect",
    "::mlir::arith::ArithDialect", "::mlir::tile::TileDialect"];
}

#endif // TILE_TRANSFORMS_PASSES_TD
