// The softmax of a forward kernel, one key tile after another.
//
// A weight is 2 ^ (x * factor - shift), one fused multiply-add and one power,
// where x is a score and `shift` is the row's greatest score times the factor,
// rounded. That rounding does no harm as long as everything is relative to the
// same number: earlier weights are multiplied by 2 ^ (old shift - new shift),
// exactly one where the maximum stays, and the LSE adds the shift itself.
//
// What is left of it is a factor of all weights of a row, 2 to the rounding
// error. Scores far from zero, where that error grows to a power of two that
// matters (a bias of -1e9, say), are therefore taken relative to the maximum
// first, and the shift is zero. Which way is taken is decided for a warp, or a
// tile on a CPU, by a branch, so that it costs nothing elsewhere; once far, a
// task stays far.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_ONLINESOFTMAX_H
#define ATTN_CONVERSION_ATTNTOFLASH_ONLINESOFTMAX_H

#include "TileBuilder.h"

namespace mlir::attn {

class OnlineSoftmax {
public:
  /// What a loop over key tiles carries for the rows of a query tile.
  struct State {
    Value maximum; ///< row vector: of all scores so far
    Value sum;     ///< row vector: of the weights so far
    Value far;     ///< i1: scores are taken relative to the maximum first

    SmallVector<Value> values() const { return {maximum, sum, far}; }
    static State of(ValueRange values) {
      return {values[0], values[1], values[2]};
    }
  };
  struct Step {
    State state;
    Value weights; ///< tile, f32
    Value decay;   ///< row vector: the factor of what came before
  };

  /// Scores times `factor` are exponents of two.
  OnlineSoftmax(TileBuilder &tiles, int64_t rows, double factor)
      : t(tiles), b(tiles.b), rows(rows), factor(factor) {}

  /// Before the first tile.
  State initial();
  /// After a tile of scores, in which -inf stands for what is masked.
  Step step(Value score, const State &old);
  /// Row vector: 1 / sum, 1 for a row without weights.
  Value inverseSum(const State &state);
  /// Row vector: the sum of weights relative to the maximum itself, instead of
  /// its rounded product with the factor; 0 for an empty row.
  Value exactSum(const State &state);
  /// Row vector: the factor that makes weights relative to `maximum`, of at
  /// least that of `state`, itself; 0 for an empty row.
  Value relativeTo(Value maximum, const State &state);
  /// Row vector: log sum exp of the scores, natural; -inf for an empty row.
  Value logSumExp(const State &state);

private:
  Value newMaximum(Value score, Value old);
  Value shift(Value maximum, Value far);
  /// What rounding the product of a maximum (f32) and the factor took away, as
  /// an exponent; 0 where it was not rounded.
  Value roundedAway(Value maximum, Value far);
  Value decay(const State &old, Value maximum, Value shift, Value far);
  /// `maximum` times the factor, rounded in the same way wherever it is asked
  /// for: it is never fused with a sum.
  Value rounded(Value maximum);
  Value isEmpty(Value maximum);
  /// `maximum`, or 0 for a row without scores.
  Value base(Value maximum);
  Value exp2(Value x);

  TileBuilder &t;
  ImplicitLocOpBuilder &b;
  int64_t rows;
  double factor;
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_ONLINESOFTMAX_H
