// What the passes that give warps roles have in common: the parts of a kernel
// that they all look for, and what they add to its head.
#ifndef ATTN_DIALECT_TILE_TRANSFORMS_RINGS_H
#define ATTN_DIALECT_TILE_TRANSFORMS_RINGS_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {

/// The schedule of a kernel with producers, or an error.
FailureOr<mlir::attn::ScheduleAttr> scheduleWithProducers(gpu::GPUFuncOp func);

/// The kernel's loop over tasks; null if a block has one task. There must not
/// be two.
FailureOr<TasksOp> tasksOf(gpu::GPUFuncOp func);
/// What is done for each task, or the kernel's block.
Block &bodyOf(gpu::GPUFuncOp func, TasksOp tasks);

/// Whether `memory` is an argument of the kernel with a role, of which there
/// can be a tensor map.
bool hasRole(gpu::GPUFuncOp func, Value memory);
/// A tensor map of `memory` with boxes of `rows`: a parameter that the launch
/// fills.
Value tensorMapOf(gpu::GPUFuncOp func, Value memory, int64_t rows);

/// The number of the step that `op` is part of: what the tiles that are read
/// before it have in their rings. Null if none are.
Value stepOf(Operation *op);

/// Behind the kernel's rings, which must have some: one more, of `tile`.
RingOp addRing(gpu::GPUFuncOp func, int64_t stages, RankedTensorType tile);

/// Behind the kernel's rings of tiles, before its others: a ring for elements
/// of `numbers` numbers.
RingOp addRingOfNumbers(gpu::GPUFuncOp func, int64_t stages, int64_t numbers);

/// The last operation of the block of `tile`'s definition that reads the tile,
/// itself or in a region; the definition if nothing does.
Operation *lastReader(Value tile);

} // namespace mlir::attn::tile

#endif // ATTN_DIALECT_TILE_TRANSFORMS_RINGS_H
