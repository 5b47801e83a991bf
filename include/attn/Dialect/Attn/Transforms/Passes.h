// The passes on the attn dialect. See Passes.td.
#ifndef ATTN_DIALECT_ATTN_TRANSFORMS_PASSES_H
#define ATTN_DIALECT_ATTN_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::attn {

/// What is known of the problems that a kernel is for.
enum class ProblemKind {
  Any,
  FewTasks,  ///< a GPU has more multiprocessors than there are query tiles
  FewRounds, ///< so few tasks for each multiprocessor that the last ones count
  ShortRows, ///< few key tiles for each query tile
};

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_TRANSFORMS_PASSES_H
