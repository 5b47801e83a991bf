// Builds the body of a forward kernel in flash form (docs/FlashForm.md).
#ifndef ATTN_CONVERSION_ATTNTOFLASH_FLASHFORWARD_H
#define ATTN_CONVERSION_ATTNTOFLASH_FLASHFORWARD_H

#include "Visits.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

/// The kernel's arguments: strided memory of run-time size; and what its mask
/// says.
struct FlashOperands {
  MaskLogic &logic;
  Value query, key, value;
  ValueRange captures;
  Value out, lse; ///< lse may be null
  /// Where sequences begin; null where a tensor has a batch for each.
  Value queryStarts, keyStarts;
  /// For a mask whose visited tiles are not one run.
  std::optional<TileListOperands> lists;
  /// Keys and values in pages: the table, else null, and the lengths (a tensor
  /// as `captures` has it), null if there are none.
  Value pages, lengths;
};

/// Emits everything but the return at the builder's insertion point. `op` has a
/// schedule, and its mod stands alone.
void buildFlashForward(ImplicitLocOpBuilder &builder, AttentionOp op,
                       const FlashOperands &operands, bool roundProbabilities);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_FLASHFORWARD_H
