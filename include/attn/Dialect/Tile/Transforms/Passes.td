#ifndef TILE_TRANSFORMS_PASSES_TD
#define TILE_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileStageLoadsPass : Pass<"tile-stage-loads", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Turn tile loads into copies to shared memory that overlap with arithmetic";
  let description = [{
    Every `tile.load` gets a buffer in shared memory. Loads before the loop over
    key tiles are copied at once. Loads L0, L1, ... in that loop form a ring: as
    soon as one tile has been read for the last time, the copy of the one after
    next may start, so that the copy of L1 runs during the arithmetic on L0, and
    that of the next iteration's L0 during the arithmetic on L1.

    Expects kernels on a GPU (`flash-to-gpu`). Records the shared memory used, in
    bytes, as `tile.shared_bytes`.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def TileSplitNonfinitePass : Pass<"tile-split-nonfinite", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Take the exact path of a zero-safe product out of the product";
  let description = [{
    A product that is `tile.zero_safe` in one branch and plain in the other becomes
    one plain product after both: the branch first adds what non-finite values make
    of non-zero weights (`tile.add_nonfinite`), then zeroes those values in shared
    memory (`tile.clear_nonfinite`). The rare path then holds no second copy of the
    product's code and registers.

    Expects values in shared memory (`tile-stage-loads`).
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect"];
}

#endif // TILE_TRANSFORMS_PASSES_TD
