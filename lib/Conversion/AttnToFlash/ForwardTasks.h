// What the tasks of a forward kernel are: a tile of queries of a head each, or
// of all heads that share keys, and the tiles of keys that it visits.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_FORWARDTASKS_H
#define ATTN_CONVERSION_ATTNTOFLASH_FORWARDTASKS_H

#include "Sequences.h"
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
  /// Where sequences begin; null where a tensor has a batch for each.
  Value queryStarts = nullptr, keyStarts = nullptr;
  /// For a mask whose visited tiles are not one run.
  std::optional<TileListOperands> lists = std::nullopt;
  /// Keys and values in pages: the table, else null, and the lengths (a tensor
  /// as `captures` has it), null if there are none.
  Value pages = nullptr, lengths = nullptr;
  /// Of shares of the keys (Roles.def); else null.
  Value partialOut = nullptr, partialSums = nullptr, partialCounts = nullptr;
};

/// Whether the scale of an attention is in the exponent of its softmax: without
/// a score program; but a factor below zero there would turn the running
/// maximum into a minimum.
bool isScaleInExponent(AttentionOp op);
/// Scores times this are exponents of two.
double exponentFactor(AttentionOp op);

/// Where a task is, all of type index.
struct TaskPlace {
  Value batch, head, tile;
};

class ForwardTasks : TileBuilder {
public:
  ForwardTasks(ImplicitLocOpBuilder &builder, AttentionOp op,
               const FlashOperands &operands);

  /// How many tasks there are (index), where nothing is ragged.
  Value count();
  /// Where a task is by its number (index), in the order of query tile, batch
  /// and head.
  TaskPlace placeOf(Value task);
  /// Of the task that owns tile number `tile`, all of type index.
  std::unique_ptr<Visits> visits(Value batchId, Value headId, Value tile);
  /// The tile of the task that comes at `place` (index) among those of a head:
  /// tasks that may take longer come first.
  Value tileAt(Value batchId, Value headId, Value place);

  /// Whether sequences lie one behind another.
  bool areRagged() const { return operands.queryStarts || operands.keyStarts; }
  /// Makes the axes those of the sequence that the task at `place` is of.
  /// Returns its number, which is `batchId` where queries have a batch for
  /// each, and the tile in it.
  std::pair<Value, Value> enterSequence(Value batchId, Value place);

  /// index: the head of keys that tasks of a head read, and the first head of
  /// queries that they are of.
  Value keyHeadOf(Value headId);
  Value firstHeadOf(Value headId);
  /// Where row `row` (index) of a task's head is in `out` and `lse`.
  SmallVector<Value> placeOfRow(Value batchId, Value headId, Value row);

  bool readsBatch() const { return operands.logic.readsBatch(); }
  bool readsHead() const { return operands.logic.readsHead(); }

  /// Whether rows are queries of all heads that share keys: heads are then
  /// those of keys.
  bool packed;
  Value batches, heads, tiles; ///< index: how many
  TiledAxis own, visited;      ///< queries and keys
  Value query, out, lse;       ///< memory by rows; no lse: null
  SequenceRows queryRows,
      keyRows; ///< of a task, but for the batch of a dense one

private:
  TiledAxis axisOf(Axis axis, int64_t tile, Value length);
  void packRows();
  void enter(TiledAxis &axis, SequenceRows &rows, Value starts, Value sequence);
  Value lastFirst(Value place);
  MaskContext context(Value batchId, Value headId);

  const FlashOperands &operands;
  Value queries;         ///< index: positions of a sequence
  Value headsPerKeyHead; ///< index
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_FORWARDTASKS_H
