// What the distance of row and column decides in elementwise work on a tile.
#ifndef ATTN_DIALECT_TILE_TRANSFORMS_DISTANCES_H
#define ATTN_DIALECT_TILE_TRANSFORMS_DISTANCES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::attn::tile {

/// Answers for the body of one operation of two dimensions, which must not
/// change in the meantime. The distance is the index of the first less that of
/// the second.
class Distances {
public:
  explicit Distances(linalg::GenericOp op) : op(op), body(*op.getBody()) {}

  /// What is worth it to be made once for each distance: a word of 32 bits that
  /// costs more than to read it, and of which more is made than other such
  /// words. Of several the last, of which others may be part; null: none.
  Value findLast();

  /// What the body yields, if the distance decides it; else null.
  Value findResult();

private:
  /// How a value depends on the element's position. Integers of any width count
  /// modulo two to its power, so that what wraps does no harm.
  struct Dependence {
    enum Kind {
      Linear,     ///< base + row * the element's row + column * its column
      OfDistance, ///< anything that is the same along a diagonal
      Other
    } kind = Other;
    int64_t row = 0, column = 0;

    bool isUniform() const { return kind == Linear && row == 0 && column == 0; }
    bool isOfDistance() const {
      return kind == OfDistance || (kind == Linear && row + column == 0);
    }
    static Dependence linear(int64_t row, int64_t column);
  };

  bool isMadeFromDistance(Value value);
  bool isNeededBeside(Value value);
  bool isCostly(Value value);
  void collect(Value value, llvm::SetVector<Operation *> &needed);
  Dependence dependenceOf(Value value);
  Dependence compute(Operation *definition);
  Dependence ofFunction(Operation *definition);

  linalg::GenericOp op;
  Block &body;
  llvm::DenseMap<Value, Dependence> dependences;
};

/// `op`, of the body of which `value` is, with one more input in its place,
/// which is read by `map`.
linalg::GenericOp replaceByInput(linalg::GenericOp op, Value value, Value input,
                                 AffineMap map);

} // namespace mlir::attn::tile

#endif // ATTN_DIALECT_TILE_TRANSFORMS_DISTANCES_H
