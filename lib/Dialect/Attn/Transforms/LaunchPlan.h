// The variants of an attention, of which a launch takes the first whose guard
// holds: from those that differ by sizes to those for all memory.
#ifndef ATTN_LIB_DIALECT_ATTN_TRANSFORMS_LAUNCHPLAN_H
#define ATTN_LIB_DIALECT_ATTN_TRANSFORMS_LAUNCHPLAN_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// What is known of all launches.
struct PlanFacts {
  bool isCPU = false;           ///< whose kernels take rows as they are
  bool mayBeHopper = false;     ///< the GPU, with kernels for sm_90a
  bool aligned = true;          ///< rows may start at multiples of 16 bytes
  bool stridedCaptures = false; ///< kernels are for captures of any strides
  bool hasTables = false;       ///< tensors are captured
};

/// `given`, the last of which is for any sizes, with guards that ask for the
/// memory that each kernel needs, followed by what other memory takes: the same
/// for captures of any strides, then kernels for every GPU, with rows aligned
/// or not. These are `given` again, or `portable` where that needs sm_90a. What
/// is complete stays as it is.
VariantsAttr completePlan(ArrayRef<VariantAttr> given, const PlanFacts &facts,
                          function_ref<VariantAttr(bool aligned)> portable);

/// Makes what `variant` says the schedules of `op`, and whether its captures
/// have any strides.
void takeVariant(Operation *op, VariantAttr variant);

} // namespace mlir::attn

#endif // ATTN_LIB_DIALECT_ATTN_TRANSFORMS_LAUNCHPLAN_H
