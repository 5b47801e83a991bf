// Where threads that have tiles together wait for each other.
#ifndef ATTN_DIALECT_TILE_TRANSFORMS_MEETING_H
#define ATTN_DIALECT_TILE_TRANSFORMS_MEETING_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {

/// Whether each warp has tiles of its own.
inline bool isOneWarp(ScheduleAttr schedule) {
  return schedule.getRoles().getComputingThreads() == 32 &&
         !schedule.getRoles().hasProducers();
}

/// They meet, and each sees what the others wrote to shared memory: all threads
/// of the block, of which none have roles, or those of a warp.
inline void meet(ImplicitLocOpBuilder &b, ScheduleAttr schedule) {
  if (isOneWarp(schedule))
    NVVM::SyncWarpOp::create(b, arith::ConstantIntOp::create(b, -1, 32));
  else
    gpu::BarrierOp::create(b);
}

} // namespace mlir::attn::tile

#endif // ATTN_DIALECT_TILE_TRANSFORMS_MEETING_H
