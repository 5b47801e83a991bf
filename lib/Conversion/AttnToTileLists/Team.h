// Who does one task of a function that finds tiles: one thread, or the 32 lanes
// of a warp. Bodies are written once for both.
#ifndef ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TEAM_H
#define ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TEAM_H

#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <memory>

namespace mlir::attn {

class Team {
public:
  virtual ~Team() = default;

  /// Emits the kernel `name` into `module`: `sizes` gives the bounds of the ids
  /// of its tasks, `body` does one.
  virtual void
  kernel(ModuleOp module, StringRef name, const ParameterList &parameters,
         llvm::function_ref<SmallVector<Value>(FunctionOpInterface)> sizes,
         llvm::function_ref<void(ValueRange ids)> body) = 0;

  /// Lanes take turns: lane, lane + width, ...; index.
  Value lane;
  int64_t width = 1;

  /// i1: whether `bit` holds in any lane.
  virtual Value any(Value bit) = 0;
  /// The sum, or the least or greatest of i32 or f32 values over the lanes; of
  /// floats NaN if one is.
  enum class Combine { Sum, Least, Greatest };
  Value combine(Value x, Value y, Combine how);
  virtual Value combine(Value value, Combine how) = 0;
  /// i32 words made of the bits (i1) that `bits` gives for lane 0 to 31.
  virtual SmallVector<Value>
  ballot(size_t words,
         llvm::function_ref<SmallVector<Value>(Value lane)> bits) = 0;
  /// Whether `test` (i1) holds for some of the numbers that are bits of words
  /// number 0 to `count` - 1, and fails for some, beside what `found` says of
  /// others already; may stop when both are. `test` must do no harm for any
  /// other number that the words have room for.
  struct Found {
    Value holds, fails; ///< i1
  };
  virtual Found search(int64_t count,
                       llvm::function_ref<Value(Value number)> word,
                       llvm::function_ref<Value(Value number)> test,
                       Found found) = 0;
  /// Does `body` for lane 0 to 31, at once or one after the other.
  virtual void eachLane(llvm::function_ref<void(Value lane)> body) = 0;
  /// Does `body` in one lane.
  virtual void once(llvm::function_ref<void()> body) = 0;

  ImplicitLocOpBuilder b;

protected:
  explicit Team(Location loc) : b(loc, loc.getContext()) {}

  Value index(int64_t value);
  Value i32(int64_t value);
  Value negation(Value bit);
};

std::unique_ptr<Team> createThread(Location loc);
std::unique_ptr<Team> createWarp(Location loc);

/// Ids of task number `task`, the last one running fastest.
SmallVector<Value> delinearize(ImplicitLocOpBuilder &b, Value task,
                               ValueRange sizes);

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TEAM_H
