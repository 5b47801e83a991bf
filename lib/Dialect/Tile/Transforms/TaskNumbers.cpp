// tile-task-numbers: what a task's number alone decides: where its rows are,
// which tiles it visits, what it reads once. Said apart, one role can compute
// it for all.
#include "Recompute.h"
#include "Rings.h"

#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILETASKNUMBERSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn::tile;

/// Reading counts as computing: what a kernel reads once for a task, nobody
/// writes meanwhile.
static bool computesNumbers(Operation &op) {
  auto isNumber = [](Type type) { return type.isIntOrIndexOrFloat(); };
  if (op.getNumResults() == 0 || !llvm::all_of(op.getResultTypes(), isNumber))
    return false;
  std::optional<SmallVector<MemoryEffects::EffectInstance>> effects =
      getEffectsRecursively(&op);
  return effects && llvm::all_of(*effects, [](auto &effect) {
           return isa<MemoryEffects::Read>(effect.getEffect());
         });
}

/// Values of `block` that an operation in it uses, itself or in a region.
static SmallVector<Value> valuesUsedFrom(Block &block, Operation &op) {
  SmallVector<Value> used;
  op.walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (operand.getParentBlock() == &block)
        used.push_back(operand);
  });
  return used;
}

/// The numbers that follow from the argument of a task's body, and of which the
/// rest of the body uses more than that argument: whoever has them need not
/// compute what they come from. A body is of tiles: no number in it depends on
/// the thread. At most `most` of them: those that are used first.
static SmallVector<Value> numbersOf(Block &body, size_t most) {
  llvm::DenseMap<Value, bool> computed; // does it follow from the task?
  computed[body.getArgument(0)] = true;
  llvm::SetVector<Value> needed;
  for (Operation &op : body) {
    SmallVector<Value> used = valuesUsedFrom(body, op);
    if (computesNumbers(op) &&
        llvm::all_of(used, [&](Value v) { return computed.count(v); })) {
      bool follows =
          llvm::any_of(used, [&](Value v) { return computed.lookup(v); });
      for (Value result : op.getResults())
        computed[result] = follows;
      continue;
    }
    for (Value value : used) {
      if (!computed.lookup(value))
        continue;
      while (auto cast = value.getDefiningOp<arith::IndexCastOp>())
        value = cast.getIn();
      if (value != body.getArgument(0))
        needed.insert(value);
    }
  }
  SmallVector<Value> numbers = needed.takeVector();
  if (numbers.size() > most)
    numbers.truncate(most);
  return numbers;
}

/// Moves what computes the numbers to the task's region for them.
static void computeApart(TasksOp tasks, ArrayRef<Value> numbers) {
  Block &body = tasks.getBody().front();
  ImplicitLocOpBuilder b(tasks.getLoc(), tasks.getContext());
  Value task =
      b.createBlock(&tasks.getNumbers(), {}, {b.getI32Type()}, {tasks.getLoc()})
          ->getArgument(0);
  IRMapping mapping;
  mapping.map(tasks.getTask(), task);
  SmallVector<Value> results;
  for (Value number : numbers)
    results.push_back(recompute(b, number, tasks.getBody(), mapping));
  YieldOp::create(b, results);

  unsigned place = 1;
  for (Value number : numbers)
    number.replaceAllUsesWith(
        body.insertArgument(place++, number.getType(), number.getLoc()));
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (computesNumbers(op) && isOpTriviallyDead(&op))
      op.erase();
}

namespace {
struct TileTaskNumbers
    : mlir::attn::tile::impl::TileTaskNumbersPassBase<TileTaskNumbers> {
  using TileTaskNumbersPassBase::TileTaskNumbersPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    auto schedule = scheduleWithProducers(func);
    if (failed(schedule))
      return signalPassFailure();
    // Beside three groups the producer has too few registers to compute for
    // others.
    if (schedule->getRoles().warps == 12)
      return;
    for (auto tasks : func.getOps<TasksOp>()) {
      Block &body = tasks.getBody().front();
      if (body.getNumArguments() != 1) {
        tasks.emitOpError() << "expects a body of which only the task is known";
        return signalPassFailure();
      }
      SmallVector<Value> numbers = numbersOf(body, shared::mostTaskNumbers - 1);
      if (!numbers.empty())
        computeApart(tasks, numbers);
    }
  }
};
} // namespace
