// What is chosen for the kernels of gradients: tiles, warps and stages, and
// whether one pass over the pairs makes all of them.
#ifndef ATTN_LIB_DIALECT_ATTN_TRANSFORMS_GRADIENTSCHEDULES_H
#define ATTN_LIB_DIALECT_ATTN_TRANSFORMS_GRADIENTSCHEDULES_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Of the kernels of gradients. `value` is null where the kernel of keys makes
/// the gradients of both.
struct GradientSchedules {
  ScheduleAttr query, key, value;
};

/// `target`: cpu, sm80 or sm90a. In one pass only if `op` has no schedule.
GradientSchedules selectGradients(AttentionBackwardOp op, StringRef target,
                                  bool aligned);

/// For the kernels around one that makes all gradients in one pass.
ScheduleAttr scheduleOfRows(AttentionBackwardOp op, bool aligned);

/// Kernels for captures are those of every GPU. Without accumulators they have
/// no need of many columns, whose elements and places take registers.
ScheduleAttr selectForCaptures(AttentionBackwardOp op, bool aligned);

} // namespace mlir::attn

#endif // ATTN_LIB_DIALECT_ATTN_TRANSFORMS_GRADIENTSCHEDULES_H
