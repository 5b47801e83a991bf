// See MergeParts.h. A query tile that is cut begins in one share, and goes on
// behind it: what is there to be merged, that share's tasks do. Of chunks each
// query tile has tasks of its own.
//
// Parts can be many, and memory takes long: the loops over them are parallel,
// so that a GPU has several threads for a task (Conversion/ThreadKernels.h).
#include "MergeParts.h"

#include "Chunks.h"
#include "MergedRow.h"
#include "Shares.h"
#include "ThreadKernel.h"

#include "attn/Conversion/Shares.h"

#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <functional>

using namespace mlir;
using namespace mlir::attn;

namespace {

constexpr int64_t width = mergedChannels; ///< of a task

/// Parts that are read before they are added: memory takes long.
constexpr int64_t inFlight = 4;

class MergeParts : TileBuilder {
public:
  MergeParts(ImplicitLocOpBuilder &builder, AttentionOp op,
             const FlashOperands &operands)
      : TileBuilder(builder), op(op), operands(operands),
        tasks(builder, op, operands), rows(op.getSchedule()->getTiling().q),
        groups(llvm::alignTo(op.getValueDim(), 16) / width) {}

  void build() {
    if (int64_t chunk = op.getSchedule()->getTiling().chunk) {
      Value slots = memref::DimOp::create(b, operands.partialSums, 0);
      Chunks chunks(b, tasks, slots, chunk);
      forEach(chunks.owners, [&](Value task) { buildTask(chunks, task); });
      return;
    }
    Value count = countShares(b, operands.partialSums);
    forEach(count, [&](Value share) {
      Shares shares(b, tasks, count);
      buildShare(shares, share);
    });
  }

private:
  /// A task for each of `count` (index), row that a query tile may have, and
  /// group of channels.
  void forEach(Value count, llvm::function_ref<void(Value)> body) {
    Value most = arith::MinUIOp::create(b, tasks.own.length, index(rows));
    Value sizes[] = {count, arith::MaxUIOp::create(b, most, index(1)),
                     index(groups)};
    forEachThread(b, sizes, [&](ValueRange at) {
      number = at[0], row = at[1], group = at[2];
      body(number);
    });
  }

  /// Where the kernel before may still be running, this one waits for it: who
  /// has something to merge, and another, so that no kernel ends too early.
  void mergeIf(Value isCut, llvm::function_ref<void()> merge) {
    if (op.getSchedule()->getPipeline().dependent) {
      Value isFirst =
          arith::CmpIOp::create(b, arith::CmpIPredicate::eq, number, index(0));
      onlyIf(arith::OrIOp::create(b, isCut, isFirst),
             [&] { tile::AwaitPrerequisitesOp::create(b); });
    }
    onlyIf(isCut, merge);
  }

  /// A query tile, if it was cut.
  void buildTask(Chunks &chunks, Value task) {
    TaskPlace at = tasks.placeOf(task);
    std::unique_ptr<Visits> visits = tasks.visits(at.batch, at.head, at.tile);
    Value count = chunks.countOf(*visits);
    Value firstSlot = mul(task, chunks.slotsOfEach);
    slotOf = [=](Value part) { return add(firstSlot, part); };
    Value isCut =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, count, index(1));
    mergeIf(isCut, [&] {
      lastPart = sub(count, index(1));
      buildRowOf(at, *visits);
    });
  }

  /// The query tile that begins in the share, and goes on behind it.
  void buildShare(Shares &shares, Value share) {
    Value end = shares.begin(add(share, index(1)));
    Shares::Task task = shares.find(end);
    Value beginsHere = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                             task.start, shares.begin(share));
    Value goesOn =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, task.start, end);
    slotOf = [&, share](Value part) {
      Value isFirst =
          arith::CmpIOp::create(b, arith::CmpIPredicate::eq, part, index(0));
      return shares.slotOf(add(share, part), isFirst);
    };
    mergeIf(arith::AndIOp::create(b, beginsHere, goesOn), [&] {
      TaskPlace at = tasks.placeOf(task.number);
      std::unique_ptr<Visits> visits = tasks.visits(at.batch, at.head, at.tile);
      Value last = sub(add(task.start, shares.lengthOf(*visits)), index(1));
      lastPart = sub(shares.shareOf(last), share);
      buildRowOf(at, *visits);
    });
  }

  void buildRowOf(const TaskPlace &at, const Visits &visits) {
    Value query = add(visits.firstRow, row);
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, query,
                                         tasks.own.length);
    onlyIf(exists,
           [&] { buildRow(tasks.placeOfRow(at.batch, at.head, query)); });
  }

  void buildRow(ArrayRef<Value> at) {
    merged.emplace(b, group, width, exponentFactor(op));
    merged->begin(overParts<arith::MaxNumFOp>({f32(-INFINITY)},
                                              &MergeParts::greatestOf)[0]);
    MergedRow::Sums none = merged->none();
    SmallVector<Value> sums = overParts<arith::AddFOp>(
        {none.weights, none.values}, &MergeParts::weightedOf);
    merged->storeOut({sums[0], sums[1]}, op.getValueDim(), tasks.out, at);
    if (tasks.lse)
      merged->storeLse({sums[0], sums[1]}, tasks.lse, at);
  }

  using ReadParts = SmallVector<Value> (MergeParts::*)(ValueRange slots,
                                                       ValueRange isThere);
  /// What `readParts` makes of the task's parts, some at a time, reduced by
  /// `Reduce` from `start` on.
  template <typename Reduce>
  SmallVector<Value> overParts(ValueRange start, ReadParts readParts) {
    auto loop = scf::ParallelOp::create(
        b, index(0), add(lastPart, index(1)), index(inFlight), start,
        [&](OpBuilder &nested, Location, ValueRange first, ValueRange) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          SmallVector<Value> slots, isThere;
          for (int64_t i = 0; i < inFlight; ++i) {
            Value part = add(first[0], index(i));
            isThere.push_back(arith::CmpIOp::create(
                b, arith::CmpIPredicate::ule, part, lastPart));
            slots.push_back(slotOf(arith::MinUIOp::create(b, part, lastPart)));
          }
          auto reduce =
              scf::ReduceOp::create(b, (this->*readParts)(slots, isThere));
          for (Region &region : reduce.getReductions()) {
            b.setInsertionPointToStart(&region.front());
            scf::ReduceReturnOp::create(b,
                                        Reduce::create(b, region.getArgument(0),
                                                       region.getArgument(1)));
          }
        });
    return llvm::to_vector_of<Value>(loop.getResults());
  }

  SmallVector<Value> greatestOf(ValueRange slots, ValueRange) {
    Value greatest;
    for (Value maximum : loadSums(slots, 0))
      greatest =
          greatest ? arith::MaxNumFOp::create(b, greatest, maximum).getResult()
                   : maximum;
    return {greatest};
  }

  /// The sum of weights, and of weighted values. What has no weight nobody may
  /// have written.
  SmallVector<Value> weightedOf(ValueRange slots, ValueRange isThere) {
    SmallVector<Value> maxima = loadSums(slots, 0),
                       weights = loadSums(slots, 1), means;
    auto type = VectorType::get({width}, b.getF32Type());
    Value channel = mul(group, index(width));
    for (Value slot : slots)
      means.push_back(vector::LoadOp::create(b, type, operands.partialOut,
                                             ValueRange{slot, row, channel}));
    MergedRow::Sums sums = merged->none();
    for (size_t i = 0; i < slots.size(); ++i) {
      Value weight =
          arith::MulFOp::create(b, weights[i], merged->decay(maxima[i]));
      weight = arith::SelectOp::create(b, isThere[i], weight, f32(0));
      sums = merged->add(sums, weight, means[i]);
    }
    return {sums.weights, sums.values};
  }

  SmallVector<Value> loadSums(ValueRange slots, int64_t place) {
    SmallVector<Value> sums;
    for (Value slot : slots)
      sums.push_back(memref::LoadOp::create(
          b, operands.partialSums, ValueRange{slot, index(place), row}));
    return sums;
  }

  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }

  AttentionOp op;
  const FlashOperands &operands;
  ForwardTasks tasks;
  int64_t rows, groups;
  Value number, row, group; ///< index: of the task
  Value lastPart;           ///< index: number of the task's last part
  std::function<Value(Value part)> slotOf;
  std::optional<MergedRow> merged;
};

} // namespace

void mlir::attn::buildMergeParts(ImplicitLocOpBuilder &builder, AttentionOp op,
                                 const FlashOperands &operands) {
  MergeParts(builder, op, operands).build();
}
