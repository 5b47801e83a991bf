// See Teams.h.
#include "Teams.h"

#include "attn/Conversion/ThreadKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

/// The operation that reduces, alone in its region; else null.
static Operation *reducerOf(Region &region) {
  Block &block = region.front();
  if (!llvm::hasSingleElement(block.without_terminator()))
    return nullptr;
  Operation *op = &block.front();
  return op->getNumResults() == 1 && op->getNumOperands() == 2 ? op : nullptr;
}

/// What `reducer` leaves other values as they are with; else null.
static TypedAttr neutralOf(Operation *reducer) {
  auto kind = [&]() -> std::optional<arith::AtomicRMWKind> {
    return llvm::TypeSwitch<Operation *, std::optional<arith::AtomicRMWKind>>(
               reducer)
        .Case([](arith::AddFOp) { return arith::AtomicRMWKind::addf; })
        .Case([](arith::MaxNumFOp) { return arith::AtomicRMWKind::maxnumf; })
        .Default([](Operation *) { return std::nullopt; });
  }();
  if (!kind)
    return {};
  Type type = reducer->getResult(0).getType();
  OpBuilder builder(reducer->getContext());
  TypedAttr element = arith::getIdentityValueAttr(
      *kind, getElementTypeOrSelf(type), builder, reducer->getLoc());
  if (auto vector = dyn_cast<VectorType>(type))
    return DenseElementsAttr::get(vector, element);
  return element;
}

namespace {
class TeamLoop {
public:
  TeamLoop(scf::ParallelOp loop, Value member)
      : loop(loop), b(loop.getLoc(), loop), member(member) {
    auto reduce = cast<scf::ReduceOp>(loop.getBody()->getTerminator());
    for (Region &region : reduce.getReductions())
      reducers.push_back(reducerOf(region));
  }

  bool canBeDivided() {
    return loop.getNumLoops() == 1 && llvm::all_of(reducers, [](Operation *op) {
             return op && neutralOf(op);
           });
  }

  void divide() {
    Value step = loop.getStep()[0];
    Value first = arith::AddIOp::create(b, loop.getLowerBound()[0],
                                        arith::MulIOp::create(b, member, step));
    step = arith::MulIOp::create(b, step, index(::mlir::attn::teamThreads));
    SmallVector<Value> neutral;
    for (Operation *reducer : reducers)
      neutral.push_back(arith::ConstantOp::create(b, neutralOf(reducer)));
    auto own = scf::ForOp::create(
        b, first, loop.getUpperBound()[0], step, neutral,
        [&](OpBuilder &nested, Location, Value i, ValueRange before) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          scf::YieldOp::create(b, reduced(before, oneIteration(i)));
        });
    SmallVector<Value> sums(own.getResults());
    for (int64_t distance = 1; distance < ::mlir::attn::teamThreads;
         distance *= 2) {
      SmallVector<Value> others;
      for (Value sum : sums)
        others.push_back(ofMember(sum, distance));
      sums = reduced(sums, others);
    }
    loop.replaceAllUsesWith(reduced(loop.getInitVals(), sums));
    loop.erase();
  }

private:
  /// Returns what is to be reduced.
  SmallVector<Value> oneIteration(Value i) {
    IRMapping map;
    map.map(loop.getInductionVars()[0], i);
    for (Operation &op : loop.getBody()->without_terminator())
      b.clone(op, map);
    return llvm::map_to_vector(
        loop.getBody()->getTerminator()->getOperands(),
        [&](Value value) { return map.lookupOrDefault(value); });
  }

  SmallVector<Value> reduced(ValueRange x, ValueRange y) {
    SmallVector<Value> results;
    for (auto [reducer, a, other] : llvm::zip_equal(reducers, x, y)) {
      IRMapping map;
      Block *block = reducer->getBlock();
      map.map(block->getArgument(0), a);
      map.map(block->getArgument(1), other);
      results.push_back(b.clone(*reducer, map)->getResult(0));
    }
    return results;
  }

  /// `value` of the member whose number differs by this bit.
  Value ofMember(Value value, int64_t bit) {
    auto vector = dyn_cast<VectorType>(value.getType());
    if (!vector)
      return gpu::ShuffleOp::create(b, value, static_cast<int32_t>(bit), 32,
                                    gpu::ShuffleMode::XOR)
          .getShuffleResult();
    Value result = value;
    for (int64_t i = 0; i < vector.getNumElements(); ++i) {
      Value other = ofMember(vector::ExtractOp::create(b, value, i), bit);
      result = vector::InsertOp::create(b, other, result, i);
    }
    return result;
  }

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  scf::ParallelOp loop;
  ImplicitLocOpBuilder b;
  Value member; ///< index
  SmallVector<Operation *> reducers;
};
} // namespace

/// Has one member write what all of them have.
static void storeOnce(scf::ForallOp tasks, Value member) {
  SmallVector<memref::StoreOp> stores;
  tasks.walk([&](memref::StoreOp store) { stores.push_back(store); });
  for (memref::StoreOp store : stores) {
    ImplicitLocOpBuilder b(store.getLoc(), store);
    Value zero = arith::ConstantIndexOp::create(b, 0);
    auto branch = scf::IfOp::create(
        b, arith::CmpIOp::create(b, arith::CmpIPredicate::eq, member, zero),
        /*withElseRegion=*/false);
    store->moveBefore(branch.thenYield());
  }
}

Value mlir::attn::takeTeam(scf::ForallOp tasks, Value thread) {
  SmallVector<scf::ParallelOp> loops;
  tasks.walk([&](scf::ParallelOp loop) { loops.push_back(loop); });
  if (loops.empty())
    return thread;
  ImplicitLocOpBuilder b(tasks.getLoc(), tasks);
  Value size = arith::ConstantIndexOp::create(b, teamThreads);
  Value member = arith::RemUIOp::create(b, thread, size);
  for (scf::ParallelOp loop : loops) {
    TeamLoop team(loop, member);
    if (!team.canBeDivided()) {
      loop.emitOpError() << "expects one dimension, and sums or maxima, in a "
                            "task that several threads do";
      return {};
    }
    team.divide();
  }
  storeOnce(tasks, member);
  return arith::DivUIOp::create(b, thread, size);
}
