// tile-find-tasks: see its description in Passes.td.
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEFINDTASKSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

/// All values are of type index. Lengths are positive.
class TaskSearch {
public:
  explicit TaskSearch(FindTaskOp op) : op(op), b(op.getLoc(), op) {}
  virtual ~TaskSearch() = default;

  void lower() {
    hoist();
    Value task, start;
    if (op.getLength().isAncestor(op.getYielded().getParentRegion()))
      std::tie(task, start) = inRuns();
    else
      std::tie(task, start) = inEqualTasks(op.getYielded());
    op->replaceAllUsesWith(ValueRange{task, start});
    op.erase();
  }

protected:
  /// The run with the position, or the number of runs; where it begins, and the
  /// length of each of its tasks, 1 behind the end.
  struct Run {
    Value run, start, length;
  };
  virtual Run findRun() = 0;

  /// The length of each task of `run`, or another where there is no such run.
  Value lengthIf(Value exists, Value run, int64_t otherwise) {
    auto branch = [&](llvm::function_ref<Value()> body) {
      return [&, body](OpBuilder &nested, Location) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(nested.getInsertionBlock());
        scf::YieldOp::create(b, body());
      };
    };
    auto length = [&]() -> Value {
      IRMapping map;
      map.map(op.getRun(), run);
      for (Operation &inner : op.getLength().front().without_terminator())
        b.clone(inner, map);
      return map.lookupOrDefault(op.getYielded());
    };
    return scf::IfOp::create(b, exists, branch(length),
                             branch([&] { return index(otherwise); }))
        .getResult(0);
  }

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  Value less(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, y);
  }

  FindTaskOp op;
  ImplicitLocOpBuilder b;

private:
  /// What does not depend on the run moves out of the region.
  void hoist() {
    Region &region = op.getLength();
    moveLoopInvariantCode(
        &region,
        [&](Value value, Region *) {
          return !region.isAncestor(value.getParentRegion());
        },
        [](Operation *inner, Region *) {
          return isMemoryEffectFree(inner) && isSpeculatable(inner);
        },
        [&](Operation *inner, Region *) { inner->moveBefore(op); });
  }

  std::pair<Value, Value> inEqualTasks(Value length) {
    Value end = mul(mul(op.getRuns(), op.getRepeat()), length);
    Value at = arith::MinSIOp::create(b, op.getPosition(), end);
    Value task = arith::DivUIOp::create(b, at, length);
    return {task, mul(task, length)};
  }

  std::pair<Value, Value> inRuns() {
    Run found = findRun();
    Value exists = less(found.run, op.getRuns());
    Value within = arith::SelectOp::create(
        b, exists, sub(op.getPosition(), found.start), index(0));
    Value before = arith::DivUIOp::create(b, within, found.length);
    return {add(mul(found.run, op.getRepeat()), before),
            add(found.start, mul(before, found.length))};
  }
};

/// One run after the other.
class ThreadSearch final : public TaskSearch {
  using TaskSearch::TaskSearch;

  Run findRun() override {
    // A run and where it begins; and before it is known whether it is the one,
    // its length and where the next begins.
    SmallVector<Type> types(4, b.getIndexType());
    auto loop = scf::WhileOp::create(
        b, types, ValueRange{index(0), index(0)},
        [&](OpBuilder &nested, Location, ValueRange at) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          Value exists = less(at[0], op.getRuns());
          Value length = lengthIf(exists, at[0], 1);
          Value next = add(at[1], mul(length, op.getRepeat()));
          Value isBefore = arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                                                 next, op.getPosition());
          scf::ConditionOp::create(b,
                                   arith::AndIOp::create(b, exists, isBefore),
                                   ValueRange{at[0], at[1], length, next});
        },
        [&](OpBuilder &nested, Location, ValueRange at) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          scf::YieldOp::create(b, ValueRange{add(at[0], index(1)), at[3]});
        });
    return {loop.getResult(0), loop.getResult(1), loop.getResult(2)};
  }
};

/// 32 runs at a time, one for each lane. Their lengths together must fit 32
/// bits, which those of tasks on tensors do.
class WarpSearch final : public TaskSearch {
  using TaskSearch::TaskSearch;

  Run findRun() override {
    Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
    lane = arith::RemUIOp::create(b, thread, index(32));
    Type i32 = b.getI32Type(), type = b.getIndexType();
    // The first run of a warp's and where it begins; then besides, what each
    // lane knows of its own (length, and sum up to it), which lanes have found
    // theirs to be the one, and the sum of all lengths.
    SmallVector<Type> types{type, type, i32, i32, i32, i32};
    auto loop = scf::WhileOp::create(
        b, types, ValueRange{index(0), index(0)},
        [&](OpBuilder &nested, Location, ValueRange at) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          askLanes(at[0], at[1]);
        },
        [&](OpBuilder &nested, Location, ValueRange at) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          scf::YieldOp::create(
              b, ValueRange{add(at[0], index(32)), endOf(at[1], at[5])});
        });
    return runOf(loop.getResults());
  }

  void askLanes(Value first, Value start) {
    Value run = add(first, lane), exists = less(run, op.getRuns());
    Value length =
        arith::IndexCastOp::create(b, b.getI32Type(), lengthIf(exists, run, 0));
    Value sum = length;
    for (int64_t distance : {1, 2, 4, 8, 16}) {
      Value other = shuffle(sum, i32(distance), 0, NVVM::ShflKind::up);
      Value has = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, lane,
                                        index(distance));
      sum = add(sum, arith::SelectOp::create(b, has, other, i32(0)));
    }
    Value isBehind = less(op.getPosition(), endOf(start, sum));
    Value isIt = arith::AndIOp::create(b, exists, isBehind);
    Value found = NVVM::VoteSyncOp::create(b, b.getI32Type(), i32(-1), isIt,
                                           NVVM::VoteSyncKind::ballot);
    Value all = shuffle(sum, i32(31), 31, NVVM::ShflKind::idx);
    Value none =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, found, i32(0));
    Value isMore = less(add(first, index(32)), op.getRuns());
    scf::ConditionOp::create(b, arith::AndIOp::create(b, none, isMore),
                             ValueRange{first, start, length, sum, found, all});
  }

  Run runOf(ValueRange last) {
    Value first = last[0], start = last[1], found = last[4];
    Value exists =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ne, found, i32(0));
    Value finder = LLVM::CountTrailingZerosOp::create(b, b.getI32Type(), found,
                                                      /*is_zero_poison=*/false);
    // Without a finder any lane will do.
    finder = arith::AndIOp::create(b, finder, i32(31));
    Value length = shuffle(last[2], finder, 31, NVVM::ShflKind::idx);
    Value sum = shuffle(last[3], finder, 31, NVVM::ShflKind::idx);
    Value run = add(first, toIndex(finder));
    Value begin = endOf(start, sub(sum, length));
    auto orElse = [&](Value value, Value otherwise) -> Value {
      return arith::SelectOp::create(b, exists, value, otherwise);
    };
    return {orElse(run, op.getRuns()), orElse(begin, endOf(start, last[5])),
            orElse(toIndex(length), index(1))};
  }

  /// Where what begins at `start` ends, if each of its tasks takes a part of
  /// `lengths`.
  Value endOf(Value start, Value lengths) {
    return add(start, mul(toIndex(lengths), op.getRepeat()));
  }

  Value shuffle(Value value, Value which, int64_t clamp, NVVM::ShflKind kind) {
    return NVVM::ShflOp::create(b, value.getType(), i32(-1), value, which,
                                i32(clamp), kind, UnitAttr());
  }
  Value i32(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 32);
  }
  Value toIndex(Value value) {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
  }

  Value lane;
};

struct TileFindTasks
    : mlir::attn::tile::impl::TileFindTasksPassBase<TileFindTasks> {
  using TileFindTasksPassBase::TileFindTasksPassBase;

  void runOnOperation() override {
    SmallVector<FindTaskOp> found;
    getOperation().walk([&](FindTaskOp op) { found.push_back(op); });
    for (FindTaskOp op : found) {
      if (warps)
        WarpSearch(op).lower();
      else
        ThreadSearch(op).lower();
    }
  }
};

} // namespace
