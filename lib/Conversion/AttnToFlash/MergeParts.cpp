// See MergeParts.h. A task that is cut begins in one share, and goes on behind
// it: what is there to be merged, that share's threads do. Of chunks each query
// tile has threads of its own.
#include "MergeParts.h"

#include "Chunks.h"
#include "MergedRow.h"
#include "Shares.h"

#include "attn/Conversion/Shares.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <functional>

using namespace mlir;
using namespace mlir::attn;

namespace {

constexpr int64_t width = mergedChannels; ///< of a thread

/// Parts that are read before they are added: memory takes long. Many at a
/// time as long as there are many, then few.
constexpr int64_t manyInFlight = 16, fewInFlight = 4;

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
  /// A thread for each of `count` (index), row and group of channels.
  void forEach(Value count, llvm::function_ref<void(Value)> body) {
    auto thread = gpu::GPUThreadMappingAttr::get(b.getContext(),
                                                 gpu::MappingId::LinearDim0);
    Value threads = mul(count, index(rows * groups));
    auto forall =
        scf::ForallOp::create(b, getAsOpFoldResult(ValueRange(threads)),
                              ValueRange{}, b.getArrayAttr(thread));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    Value number = forall.getInductionVar(0);
    group = arith::RemUIOp::create(b, number, index(groups));
    Value rest = arith::DivUIOp::create(b, number, index(groups));
    row = arith::RemUIOp::create(b, rest, index(rows));
    body(arith::DivUIOp::create(b, rest, index(rows)));
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
    onlyIf(isCut, [&] {
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
    onlyIf(arith::AndIOp::create(b, beginsHere, goesOn), [&] {
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
    Value greatest = overParts({f32(-INFINITY)}, &MergeParts::addMaxima)[0];
    merged->begin(greatest);
    MergedRow::Sums none = merged->none();
    SmallVector<Value> sums =
        overParts({none.weights, none.values}, &MergeParts::addWeighted);
    merged->storeOut({sums[0], sums[1]}, op.getValueDim(), tasks.out, at);
    if (tasks.lse)
      merged->storeLse({sums[0], sums[1]}, tasks.lse, at);
  }

  using AddParts = SmallVector<Value> (MergeParts::*)(ValueRange slots,
                                                      ValueRange isThere,
                                                      ValueRange before);
  /// `start` with what `addParts` adds for all parts of the task, in their
  /// order.
  SmallVector<Value> overParts(SmallVector<Value> start, AddParts addParts) {
    Value count = add(lastPart, index(1));
    Value many =
        sub(count, arith::RemUIOp::create(b, count, index(manyInFlight)));
    start = overParts(index(0), many, manyInFlight, start, addParts);
    return overParts(many, count, fewInFlight, start, addParts);
  }
  SmallVector<Value> overParts(Value low, Value high, int64_t together,
                               ValueRange start, AddParts addParts) {
    auto loop = scf::ForOp::create(
        b, low, high, index(together), start,
        [&](OpBuilder &, Location, Value first, ValueRange before) {
          SmallVector<Value> slots, isThere;
          for (int64_t i = 0; i < together; ++i) {
            Value part = add(first, index(i));
            isThere.push_back(arith::CmpIOp::create(
                b, arith::CmpIPredicate::ule, part, lastPart));
            slots.push_back(slotOf(arith::MinUIOp::create(b, part, lastPart)));
          }
          scf::YieldOp::create(b, (this->*addParts)(slots, isThere, before));
        });
    return llvm::to_vector_of<Value>(loop.getResults());
  }

  SmallVector<Value> addMaxima(ValueRange slots, ValueRange,
                               ValueRange before) {
    Value greatest = before[0];
    for (Value maximum : loadSums(slots, 0))
      greatest = arith::MaxNumFOp::create(b, greatest, maximum);
    return {greatest};
  }

  /// The sum of weights, and of weighted values. What has no weight nobody may
  /// have written.
  SmallVector<Value> addWeighted(ValueRange slots, ValueRange isThere,
                                 ValueRange before) {
    SmallVector<Value> maxima = loadSums(slots, 0),
                       weights = loadSums(slots, 1), means;
    auto type = VectorType::get({width}, b.getF32Type());
    Value channel = mul(group, index(width));
    for (Value slot : slots)
      means.push_back(vector::LoadOp::create(b, type, operands.partialOut,
                                             ValueRange{slot, row, channel}));
    MergedRow::Sums sums{before[0], before[1]};
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
  Value row, group; ///< index: of the thread
  Value lastPart;   ///< index: number of the task's last part
  std::function<Value(Value part)> slotOf;
  std::optional<MergedRow> merged;
};

} // namespace

void mlir::attn::buildMergeParts(ImplicitLocOpBuilder &builder, AttentionOp op,
                                 const FlashOperands &operands) {
  MergeParts(builder, op, operands).build();
}
