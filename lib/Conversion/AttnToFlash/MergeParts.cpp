// See MergeParts.h. What there is to be merged, who made the parts says
// (Role::PartialCounts): nothing has to be found out when they are there, nor
// before, where it would take time from who makes them.
//
// Parts can be many, and memory takes long: the loops over them are parallel,
// so that a GPU has several threads for a task (Conversion/ThreadKernels.h).
#include "MergeParts.h"

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

  /// A task for each query tile or share, row that a query tile may have, and
  /// group of channels.
  void build() {
    Value count = tasks.count();
    if (op.getSchedule()->getTiling().shares)
      count = arith::MinUIOp::create(b, count,
                                     countShares(b, operands.partialSums));
    Value most = arith::MinUIOp::create(b, tasks.own.length, index(rows));
    Value sizes[] = {count, arith::MaxUIOp::create(b, most, index(1)),
                     index(groups)};
    forEachThread(b, sizes, [&](ValueRange at) {
      row = at[1], group = at[2];
      buildTask(count, at[0]);
    });
  }

private:
  void buildTask(Value count, Value number) {
    if (op.getSchedule()->getPipeline().dependent)
      tile::AwaitPrerequisitesOp::create(b);
    lastPart = loadCount(number, 0);
    Value isCut =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, lastPart, index(0));
    onlyIf(isCut, [&] {
      Value task = number;
      if (op.getSchedule()->getTiling().shares)
        task = takeShares(number);
      else
        takeChunks(count, number);
      TaskPlace at = tasks.placeOf(task);
      std::unique_ptr<Visits> visits = tasks.visits(at.batch, at.head, at.tile);
      buildRowOf(at, *visits);
    });
  }

  Value loadCount(Value number, int64_t place) {
    Value count = memref::LoadOp::create(b, operands.partialCounts,
                                         ValueRange{number, index(place)});
    return arith::IndexCastUIOp::create(b, b.getIndexType(), count);
  }

  /// Returns the task.
  Value takeShares(Value number) {
    Value ofShares = countsAreOfShares(*this, tasks, operands);
    Value other = loadCount(number, 1);
    Value share = arith::SelectOp::create(b, ofShares, number, other);
    slotOf = [this, share](Value part) {
      Value isFirst =
          arith::CmpIOp::create(b, arith::CmpIPredicate::eq, part, index(0));
      return slotOfShare(*this, add(share, part), isFirst);
    };
    return arith::SelectOp::create(b, ofShares, other, number);
  }

  void takeChunks(Value count, Value number) {
    Value slots = memref::DimOp::create(b, operands.partialSums, 0);
    Value firstSlot = mul(number, arith::DivUIOp::create(b, slots, count));
    slotOf = [this, firstSlot](Value part) { return add(firstSlot, part); };
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
  Value row, group; ///< index: of the task
  Value lastPart;   ///< index: number of the task's last part
  std::function<Value(Value part)> slotOf;
  std::optional<MergedRow> merged;
};

} // namespace

void mlir::attn::buildMergeParts(ImplicitLocOpBuilder &builder, AttentionOp op,
                                 const FlashOperands &operands) {
  MergeParts(builder, op, operands).build();
}
