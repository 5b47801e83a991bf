// Interval evaluation of a mod's program over a box of positions, as IR: the
// least and greatest value that an expression can take for any pair of a tile,
// in a few scalar operations.
//
// Integers follow i32 arithmetic: where a result might wrap, the interval
// becomes the whole type. Floats are bounded with the program's own rounding,
// which is monotone. Operations without a rule here get the range that MLIR's
// integer range inference gives them for any positions.
#ifndef ATTN_ANALYSIS_INTERVALS_H
#define ATTN_ANALYSIS_INTERVALS_H

#include "attn/Analysis/MaskLogic.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

/// Recomputes values of a program elsewhere, once each.
class SliceCloner {
public:
  SliceCloner(ImplicitLocOpBuilder &builder, LowerLoadFn lowerLoad)
      : b(builder), lowerLoad(lowerLoad) {}

  void map(Value value, Value clone) { known[value] = clone; }
  /// `value`, which ProgramDependence::canHoist, from the mapped values.
  Value get(Value value);

private:
  ImplicitLocOpBuilder &b;
  LowerLoadFn lowerLoad;
  llvm::DenseMap<Value, Value> known;
};

/// Inclusive, of type index for integers and of the value's own type for
/// floats.
struct Interval {
  Value low, high;
  Value mayBeNaN; ///< i1; floats only
};

/// Of type index and inclusive; not empty.
struct Box {
  Value firstQuery, lastQuery, firstKey, lastKey;
};

/// i1 each.
struct Truth {
  Value canHold, canFail;
};

/// What the program's values stand for where IR about it is emitted.
struct MaskContext {
  Value batch, head;   ///< index
  Value queries, keys; ///< index: the lengths, at least 1
  ValueRange captures; ///< as the kernel holds them
  /// Emits a read of a captured tensor at in-bounds indices of type i32.
  LowerLoadFn lowerLoad;
};

/// Emits IR about one mask at the insertion point of the builder.
class IntervalEmitter {
public:
  /// The interval of a part (MaskLogic::parts) over the box.
  using PartInterval = llvm::function_ref<Interval(Value part)>;

  IntervalEmitter(ImplicitLocOpBuilder &builder, MaskLogic &logic,
                  const MaskContext &context);

  /// i1: nothing that the logic relies on wraps, for any pair of the problem.
  Value guardsHold();
  /// A uniform value of the program.
  Value uniform(Value value) { return uniforms.get(value); }
  /// The uniform part of a form, with its constant: type index.
  Value uniformPart(const AffineForm &form);
  Interval range(const AffineForm &form, const Box &box);
  /// Whether a literal that is no zone, or uniform, can hold in the box.
  Truth truth(const Literal &literal, const Box &box, PartInterval parts);

private:
  class BoxEvaluator;

  ImplicitLocOpBuilder &b;
  MaskLogic &logic;
  const MaskContext &context;
  SliceCloner uniforms;
};

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_INTERVALS_H
