// What gradients do for each query beside the pairs: its statistics, and the
// kernels around one that makes all gradients in one pass over the pairs, which
// adds those of queries up in memory.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_GRADIENTROWS_H
#define ATTN_CONVERSION_ATTNTOFLASH_GRADIENTROWS_H

#include "FlashBackward.h"
#include "TileBuilder.h"

namespace mlir::attn {

/// Statistics of queries, vectors. The LSE is one of powers of two, and
/// infinity for rows without keys: their weights are 0 then.
struct Statistics {
  Value lse, delta;
};

/// Rows of one tile of gradients' sums in memory, which has them as threads
/// hold them (tile.reduce_add).
inline constexpr int64_t rowsHeldTogether = 64;

/// The places of statistics in memory.
inline constexpr int64_t placeOfDelta = 0, placeOfLse = 1;

/// Makes the statistics of tiles of `rows` queries, and keeps them for the
/// kernels that follow. Delta is the sum of out * grad_out of a row less
/// grad_lse.
class RowStatistics : TileBuilder {
public:
  RowStatistics(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                const BackwardOperands &operands, int64_t rows);

  /// Of the tile from query `first` on; `gradOut` are its rows.
  Statistics make(Value batch, Value head, Value first, Value gradOut);

private:
  void keep(Value statistic, int64_t place, ArrayRef<Value> at);
  Value makeLse(ArrayRef<Value> at);
  Value makeDelta(ArrayRef<Value> at, Value gradOut);
  Value loadRows(Value memory, ArrayRef<Value> at);
  Value wide(Value element);

  const BackwardOperands &operands;
  int64_t rows, valueDim;
};

/// A kernel of a task for each tile of queries of `schedule`, which are 64:
/// keeps their statistics, and clears their gradients' sums.
void buildGradientStart(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                        ScheduleAttr schedule,
                        const BackwardOperands &operands);

/// The same: grad_query, from its sums.
void buildGradientEnd(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                      ScheduleAttr schedule, const BackwardOperands &operands);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_GRADIENTROWS_H
