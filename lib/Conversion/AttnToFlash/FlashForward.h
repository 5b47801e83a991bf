// Builds the body of a forward kernel in flash form (docs/FlashForm.md).
#ifndef ATTN_CONVERSION_ATTNTOFLASH_FLASHFORWARD_H
#define ATTN_CONVERSION_ATTNTOFLASH_FLASHFORWARD_H

#include "ForwardTasks.h"

namespace mlir::attn {

/// Emits everything but the return at the builder's insertion point. `op` has a
/// schedule, and its mod stands alone.
void buildFlashForward(ImplicitLocOpBuilder &builder, AttentionOp op,
                       const FlashOperands &operands, bool roundProbabilities);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_FLASHFORWARD_H
