// A product of tiles in memory, as the passes that lower one see it.
#ifndef ATTN_LIB_CONVERSION_LINALGTOMICROKERNELS_PRODUCT_H
#define ATTN_LIB_CONVERSION_LINALGTOMICROKERNELS_PRODUCT_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace mlir::attn {

/// c[m, n] += a[m, k] * b[k, n] of f32; a may be stored as [k, m].
struct Product {
  Value a, b, c;
  int64_t m, n, k;
  bool aTransposed = false;
  /// The terms of which operand's zeros are skipped, if any.
  enum { None, A, B } zeroSafe = None;
  /// c is 0 before; its memory need not be read.
  bool fromZero = false;
};

/// The product that `op` is; nullopt if it is something else.
std::optional<Product> matchProduct(linalg::GenericOp op);

/// Says that the product of `op` is from zero, and erases what makes it so, if
/// c is filled with zero just before.
void foldZeroFill(linalg::GenericOp op, Product &product);

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_LINALGTOMICROKERNELS_PRODUCT_H
