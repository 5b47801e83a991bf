// What the pairs of a visit give on the way to gradients. Of a pair (rows are
// what the task owns):
//
//   t = score program of scale * q k     p = exp(t - lse), 0 where masked
//   dp = grad_out v                      g = p (dp - delta)
//   ds = adjoint program of g
#ifndef ATTN_CONVERSION_ATTNTOFLASH_GRADIENTPAIRS_H
#define ATTN_CONVERSION_ATTNTOFLASH_GRADIENTPAIRS_H

#include "GradientRows.h"
#include "ModOnTiles.h"
#include "Visits.h"

#include "attn/Dialect/Tile/IR/TileDialect.h"

namespace mlir::attn {

/// A visit to a tile, and its first position, an index.
struct Visit {
  Value tile, first;
  Value partial; ///< i1: some pairs are left out
};

/// own * visited^T, p and g.
struct Pairs {
  Value products, weights, gradients;
};

class GradientPairs : TileBuilder {
public:
  /// Weights and gradients are rounded to the element type if `rounds`.
  /// `hasFewRegisters`: a thread's tiles leave it few. `readsAhead`: what is
  /// read of pairs is asked for before their products.
  GradientPairs(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                const TiledAxis &own, const TiledAxis &visited, bool rounds,
                bool hasFewRegisters, bool readsAhead)
      : TileBuilder(builder), op(op), own(own), visited(visited),
        rounds(rounds), hasFewRegisters(hasFewRegisters),
        readsAhead(readsAhead) {}

  /// Pairs of owned positions from `end` on (index; null: none) count for
  /// nothing, and rows that are not finite make scores that are NaN where a
  /// pair is not left out (null: they need not be looked for).
  void leaveOut(Value end, tile::IsolateNonfiniteOp rows) {
    ownEnd = end, isolated = rows;
  }

  /// own * visited^T, less `statistic / divisor` of each element's query if it
  /// is what the sums start with.
  Value product(Value owned, Value visitor, Value statistic = {},
                float divisor = 1);

  /// Whether products start with the statistics that are subtracted from them.
  /// Where a thread has few registers left it can read them only between two
  /// products, which wait for it (docs/notebook.md). What is added to s is
  /// added to its scores, then; and s to a multiple of products that is not too
  /// small. Sums of f32 keep their accuracy.
  bool startsWithStatistics();

  /// All but g.
  Pairs weigh(ModOnTiles &mod, const Visit &visit, Value owned, Value visitor,
              const Statistics &queries);

  /// g, from dp, or from dp - delta without a statistic. What a weight of zero
  /// is multiplied by must not count where pairs are left out.
  void addGradients(Pairs &pairs, const Visit &visit, Value ofWeights,
                    const Statistics &queries);

  /// ds
  Value ofScores(ModOnTiles &mod, const Visit &visit, const Pairs &pairs);

  /// As the left operand of a product.
  Value rounded(Value tile) {
    return rounds ? truncate(tile, op.getElementType()) : tile;
  }

private:
  bool ownsQueries() const { return own.axis == Axis::Query; }
  Value keepOwned(Value scores);
  Value
  withStatistic(ValueRange tiles, Value statistic,
                llvm::function_ref<Value(ValueRange elements, Value)> body);

  AttentionBackwardOp op;
  TiledAxis own, visited;
  bool rounds, hasFewRegisters, readsAhead;
  Value ownEnd; ///< may be null
  tile::IsolateNonfiniteOp isolated;
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_GRADIENTPAIRS_H
