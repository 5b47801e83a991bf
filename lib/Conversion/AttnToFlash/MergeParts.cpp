// See MergeParts.h. A task that is cut begins in one share, and goes on behind
// it: what is there to be merged, that share's threads do.
#include "MergeParts.h"

#include "Shares.h"

#include "attn/Conversion/Shares.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

namespace {

constexpr double ln2 = 0.6931471805599453;

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
        groups(llvm::alignTo(op.getValueDim(), 16) / width),
        factor(exponentFactor(op)) {}

  void build() {
    auto thread = gpu::GPUThreadMappingAttr::get(b.getContext(),
                                                 gpu::MappingId::LinearDim0);
    Value count = countShares(b, operands.partialSums);
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
    share = arith::DivUIOp::create(b, rest, index(rows));
    Shares line(b, tasks, count);
    shares = &line;
    buildShare();
  }

private:
  void buildShare() {
    Value end = shares->begin(add(share, index(1)));
    Shares::Task task = shares->find(end);
    Value beginsHere = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                             task.start, shares->begin(share));
    Value goesOn =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, task.start, end);
    onlyIf(arith::AndIOp::create(b, beginsHere, goesOn),
           [&] { buildTask(task); });
  }

  void buildTask(const Shares::Task &task) {
    Shares::Place at = shares->placeOf(task.number);
    std::unique_ptr<Visits> visits = tasks.visits(at.batch, at.head, at.tile);
    Value last = sub(add(task.start, shares->lengthOf(*visits)), index(1));
    lastPart = sub(shares->shareOf(last), share);
    Value query = add(visits->firstRow, row);
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, query,
                                         tasks.own.length);
    onlyIf(exists,
           [&] { buildRow(tasks.placeOfRow(at.batch, at.head, query)); });
  }

  void buildRow(ArrayRef<Value> at) {
    Value greatest = overParts({f32(-INFINITY)}, &MergeParts::addMaxima)[0];
    Value none = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, greatest,
                                       f32(-INFINITY));
    base = arith::SelectOp::create(b, none, f32(0), greatest);
    auto type = VectorType::get({width}, b.getF32Type());
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
    SmallVector<Value> sums =
        overParts({f32(0), zeros}, &MergeParts::addWeighted);
    storeOut(sums[0], sums[1], at);
    if (tasks.lse)
      storeLse(greatest, sums[0], at);
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

  Value slotOf(Value part) {
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, part, index(0));
    return shares->slotOf(add(share, part), isFirst);
  }

  SmallVector<Value> addMaxima(ValueRange slots, ValueRange,
                               ValueRange before) {
    Value greatest = before[0];
    for (Value maximum : loadSums(slots, 0))
      greatest = arith::MaxNumFOp::create(b, greatest, maximum);
    return {greatest};
  }

  /// The sum of weights, and of weighted values. What has no weight does
  /// not count: nobody may have written it.
  SmallVector<Value> addWeighted(ValueRange slots, ValueRange isThere,
                                 ValueRange before) {
    SmallVector<Value> maxima = loadSums(slots, 0),
                       weights = loadSums(slots, 1), means;
    auto type = VectorType::get({width}, b.getF32Type());
    Value channel = mul(group, index(width));
    for (Value slot : slots)
      means.push_back(vector::LoadOp::create(b, type, operands.partialOut,
                                             ValueRange{slot, row, channel}));
    Value sum = before[0], weighted = before[1];
    for (size_t i = 0; i < slots.size(); ++i) {
      Value distance = arith::SubFOp::create(b, maxima[i], base);
      Value decay = math::Exp2Op::create(
          b, arith::MulFOp::create(b, distance, f32(factor)));
      Value weight = arith::MulFOp::create(b, weights[i], decay);
      weight = arith::SelectOp::create(b, isThere[i], weight, f32(0));
      Value isNone =
          arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, weight, f32(0));
      Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
      Value mean = arith::SelectOp::create(b, isNone, zeros, means[i]);
      Value factors = vector::BroadcastOp::create(b, type, weight);
      weighted = arith::AddFOp::create(b, weighted,
                                       arith::MulFOp::create(b, factors, mean));
      sum = arith::AddFOp::create(b, sum, weight);
    }
    return {sum, weighted};
  }

  SmallVector<Value> loadSums(ValueRange slots, int64_t place) {
    SmallVector<Value> sums;
    for (Value slot : slots)
      sums.push_back(memref::LoadOp::create(
          b, operands.partialSums, ValueRange{slot, index(place), row}));
    return sums;
  }

  void storeOut(Value sum, Value weighted, ArrayRef<Value> at) {
    Value isNone =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, f32(0));
    Value divisor = arith::SelectOp::create(b, isNone, f32(1), sum);
    Value inverse = arith::DivFOp::create(b, f32(1), divisor);
    Type element = op.getElementType();
    for (int64_t i = 0; i < width; ++i) {
      Value channel = add(mul(group, index(width)), index(i));
      Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                           channel, index(op.getValueDim()));
      onlyIf(exists, [&] {
        Value result = arith::MulFOp::create(
            b, vector::ExtractOp::create(b, weighted, i), inverse);
        if (!element.isF32())
          result = arith::TruncFOp::create(b, element, result);
        SmallVector<Value> place(at);
        place.push_back(channel);
        memref::StoreOp::create(b, result, tasks.out, place);
      });
    }
  }

  void storeLse(Value greatest, Value sum, ArrayRef<Value> at) {
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, group, index(0));
    onlyIf(isFirst, [&] {
      Value maximum = arith::MulFOp::create(b, greatest, f32(factor * ln2));
      Value lse = math::FmaOp::create(b, math::Log2Op::create(b, sum), f32(ln2),
                                      maximum);
      memref::StoreOp::create(b, lse, tasks.lse, at);
    });
  }

  void onlyIf(Value condition, llvm::function_ref<void()> body) {
    auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenYield());
    body();
  }

  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }

  AttentionOp op;
  const FlashOperands &operands;
  ForwardTasks tasks;
  Shares *shares = nullptr;
  int64_t rows, groups;
  double factor;
  Value share, row, group; ///< index: of the thread
  Value lastPart;          ///< index: number of the task's last part
  Value base;              ///< f32: what weights are relative to
};

} // namespace

void mlir::attn::buildMergeParts(ImplicitLocOpBuilder &builder, AttentionOp op,
                                 const FlashOperands &operands) {
  MergeParts(builder, op, operands).build();
}
