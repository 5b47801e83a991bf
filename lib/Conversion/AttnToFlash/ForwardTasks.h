// What the tasks of a forward kernel are: a tile of queries of a head each, and
// the tiles of keys that it visits.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_FORWARDTASKS_H
#define ATTN_CONVERSION_ATTNTOFLASH_FORWARDTASKS_H

#include "TileBuilder.h"
#include "Visits.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// The kernel's arguments: strided memory of run-time size; and what its mask
/// says.
struct FlashOperands {
  MaskLogic &logic;
  Value query, key, value;
  ValueRange captures;
  Value out, lse; ///< lse may be null
  /// For a mask whose visited tiles are not one run.
  std::optional<TileListOperands> lists;
  /// Of shares of the keys (Roles.def); else null.
  Value partialOut = nullptr, partialSums = nullptr;
};

/// Whether the scale of an attention is in the exponent of its softmax: without
/// a score program; but a factor below zero there would turn the running
/// maximum into a minimum.
bool isScaleInExponent(AttentionOp op);
/// Scores times this are exponents of two.
double exponentFactor(AttentionOp op);

class ForwardTasks : TileBuilder {
public:
  ForwardTasks(ImplicitLocOpBuilder &builder, AttentionOp op,
               const FlashOperands &operands);

  /// Of the task that owns tile number `tile`, all of type index.
  std::unique_ptr<Visits> visits(Value batchId, Value headId, Value tile);
  /// The tile of the task that comes at `place` (index) among those of a head:
  /// tasks that may take longer come first.
  Value tileAt(Value batchId, Value headId, Value place);

  bool readsBatch() const { return operands.logic.readsBatch(); }
  bool readsHead() const { return operands.logic.readsHead(); }

  Value batches, heads, tiles; ///< index: how many
  Value headsPerKeyHead;       ///< index
  TiledAxis own, visited;      ///< queries and keys

private:
  MaskContext context(Value batchId, Value headId);

  const FlashOperands &operands;
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_FORWARDTASKS_H
