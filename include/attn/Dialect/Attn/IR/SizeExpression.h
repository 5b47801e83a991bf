// Expressions over the sizes of a problem, such as "queries ceildiv 64": what
// `attn.shape`, the `attn.data` of scalars and `attn.size` hold.
//
//   sum     := product (("+" | "-") product)*
//   product := factor (("*" | "/" | "ceildiv") factor)*
//   factor  := integer | size | "-" factor | "(" sum ")"
//
// `/` rounds down, `ceildiv` up.
#ifndef ATTN_DIALECT_ATTN_IR_SIZEEXPRESSION_H
#define ATTN_DIALECT_ATTN_IR_SIZEEXPRESSION_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>

namespace mlir::attn {

/// The sizes, in the order in which data functions take them.
inline constexpr llvm::StringLiteral sizeNames[] = {
    "batch", "heads", "kv_heads", "queries", "keys", "sequences"};

class SizeExpression {
public:
  /// nullopt if `text` is none; `error` then says why.
  static std::optional<SizeExpression> parse(StringRef text,
                                             std::string &error);

  /// Its value for sizes in the order of `sizeNames`. nullopt if it divides by
  /// zero or leaves 64 bits.
  std::optional<int64_t> evaluate(ArrayRef<int64_t> sizes) const;

  /// Emits its value for `sizes` of type index. Division by zero gives 0.
  Value emit(ImplicitLocOpBuilder &builder, ValueRange sizes) const;

private:
  enum class Kind { Integer, Size, Add, Subtract, Multiply, FloorDiv, CeilDiv };
  /// Operators follow their operands.
  struct Step {
    Kind kind;
    int64_t value = 0; ///< the integer, or which size
  };
  class Parser;

  SmallVector<Step> steps;
};

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_IR_SIZEEXPRESSION_H
