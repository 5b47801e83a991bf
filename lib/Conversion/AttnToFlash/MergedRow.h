// Some channels of a row of an attention of which parts of the keys were done
// apart: the weighted mean of what the parts have, and the LSE of all of them.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_MERGEDROW_H
#define ATTN_CONVERSION_ATTNTOFLASH_MERGEDROW_H

#include "TileBuilder.h"

namespace mlir::attn {

class MergedRow : TileBuilder {
public:
  /// Of `width` channels from number `group` times that on. `factor`: what
  /// weights are powers by, times that are powers of two.
  MergedRow(ImplicitLocOpBuilder &builder, Value group, int64_t width,
            double factor)
      : TileBuilder(builder), group(group), width(width), factor(factor) {}

  /// Says what weights are relative to: `greatest` (f32), of all parts; -inf:
  /// there are no keys.
  void begin(Value greatest);
  /// f32: the power of an exponent, relative to the greatest.
  Value decay(Value exponent);

  /// The sum of weights (f32), and of weighted values (vector of f32).
  struct Sums {
    Value weights, values;
  };
  Sums none();
  /// With a part of `weight` (f32) and `mean` (vector of f32). What has no
  /// weight does not count, be it NaN.
  Sums add(const Sums &sums, Value weight, Value mean);

  /// The mean to those channels of the row `at` of `out` that there are, of
  /// `channels`.
  void storeOut(const Sums &sums, int64_t channels, Value out,
                ArrayRef<Value> at);
  /// log sum exp to `lse`, for all threads of the row by one of them.
  void storeLse(const Sums &sums, Value lse, ArrayRef<Value> at);

private:
  VectorType type() { return VectorType::get({width}, b.getF32Type()); }

  Value group; ///< index
  int64_t width;
  double factor;
  Value greatest, base; ///< f32
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_MERGEDROW_H
