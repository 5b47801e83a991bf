// Which positions a value of a mod's program depends on: the split into
// uniform, row, column and element parts.
#ifndef ATTN_ANALYSIS_PROGRAMDEPENDENCE_H
#define ATTN_ANALYSIS_PROGRAMDEPENDENCE_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir {
class Region;
} // namespace mlir

namespace mlir::attn {

/// Positions, as a set of bits.
enum Position : unsigned {
  NoPosition = 0,
  BatchPosition = 1,
  HeadPosition = 2,
  QueryPosition = 4,
  KeyPosition = 8,
};

/// Answers for one inlined program, whose last four arguments are b, h, q, kv.
/// The program must not change in the meantime.
class ProgramDependence {
public:
  explicit ProgramDependence(Region &program);

  /// Says what another argument of the program varies with.
  void assume(Value argument, unsigned positions) {
    known[argument] = positions;
  }

  /// The positions that `value` is computed from.
  unsigned of(Value value);
  bool isUniform(Value value) {
    return !(of(value) & (QueryPosition | KeyPosition));
  }
  bool isRow(Value value) {
    return (of(value) & (QueryPosition | KeyPosition)) == QueryPosition;
  }
  bool isColumn(Value value) {
    return (of(value) & (QueryPosition | KeyPosition)) == KeyPosition;
  }

  /// Whether `value` can be computed for every position, by straight-line code
  /// and without doing what the program would not do: what a branch guards must
  /// be free of undefined behaviour.
  bool canHoist(Value value);

  Value batch, head, query, key;

private:
  Region &program;
  llvm::DenseMap<Value, unsigned> known;
};

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_PROGRAMDEPENDENCE_H
