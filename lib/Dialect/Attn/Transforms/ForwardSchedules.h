// What is chosen for attention: tiles, warps and stages, and which launches
// they are for.
#ifndef ATTN_LIB_DIALECT_ATTN_TRANSFORMS_FORWARDSCHEDULES_H
#define ATTN_LIB_DIALECT_ATTN_TRANSFORMS_FORWARDSCHEDULES_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"

namespace mlir::attn {

/// For a core of a CPU: no warps, no shared memory.
Schedule selectForCPU(bool aligned);

/// For sm_80 and newer.
Schedule selectForSM80(AttentionOp op, bool aligned);

/// For sm_90a, and launches of one kind of sizes.
Schedule selectForSM90a(AttentionOp op, ProblemKind problem);

/// What a schedule of parts is on Hopper, where who merges them is launched
/// early.
Schedule partsForSM90(AttentionOp op, Schedule schedule);

/// The kernels of each and their launches; the last is for any.
SmallVector<VariantAttr> variantsForCPU(AttentionOp op, bool aligned);
SmallVector<VariantAttr> variantsForSM80(AttentionOp op, bool aligned);
SmallVector<VariantAttr> variantsForSM90a(AttentionOp op);

} // namespace mlir::attn

#endif // ATTN_LIB_DIALECT_ATTN_TRANSFORMS_FORWARDSCHEDULES_H
