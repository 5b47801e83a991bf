// See CaptureSums.h.
#include "attn/Conversion/CaptureSums.h"

#include "attn/Analysis/ProgramDependence.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::attn;

//===--- out of branches --------------------------------------------------===//

namespace {
/// Moves the accumulations of a branch behind it. Where the other side is taken
/// they add zero.
class BranchLifting {
public:
  BranchLifting(scf::IfOp op, ProgramDependence &dependence)
      : op(op), dependence(dependence), b(op.getLoc(), op) {}

  void run() {
    for (Region *side : {&op.getThenRegion(), &op.getElseRegion()})
      if (!side->empty())
        for (auto accumulate : side->getOps<AccumulateOp>())
          add(accumulate, side == &op.getThenRegion());
    if (lifted.empty())
      return;
    scf::IfOp branch = rebuild();
    b.setInsertionPointAfter(branch);
    for (Lifted &l : lifted) {
      SmallVector<Value> indices;
      for (Source index : l.indices)
        indices.push_back(index.outside ? index.outside
                                        : branch.getResult(index.result));
      b.setLoc(l.accumulate.getLoc());
      AccumulateOp::create(b, l.accumulate.getTable(), indices,
                           branch.getResult(l.value));
      l.accumulate.erase();
    }
  }

private:
  /// A value from outside of the branch, or a result of it.
  struct Source {
    Value outside;
    unsigned result = 0;
  };
  struct Lifted {
    AccumulateOp accumulate;
    unsigned value; ///< result
    SmallVector<Source> indices;
  };

  void add(AccumulateOp accumulate, bool isThen) {
    Lifted l{accumulate, addResult(accumulate.getValue(), isThen), {}};
    for (Value index : accumulate.getIndices()) {
      if (dependence.canHoist(index))
        l.indices.push_back({hoisted(index)});
      else
        l.indices.push_back({Value(), addResult(index, isThen)});
    }
    lifted.push_back(l);
  }

  /// A new result: `value` from its side, zero from the other.
  unsigned addResult(Value value, bool isThen) {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(value.getType()));
    yields[0].push_back(isThen ? value : zero);
    yields[1].push_back(isThen ? zero : value);
    return op.getNumResults() + yields[0].size() - 1;
  }

  /// What computes `value`, once more before the branch.
  Value hoisted(Value value) {
    Operation *source = value.getDefiningOp();
    if (!source || !op->isAncestor(source))
      return value;
    if (Value known = copies.lookupOrNull(value))
      return known;
    for (Value operand : source->getOperands())
      copies.map(operand, hoisted(operand));
    return b.clone(*source, copies)
        ->getResult(cast<OpResult>(value).getResultNumber());
  }

  scf::IfOp rebuild() {
    SmallVector<Type> types(op.getResultTypes());
    for (Value value : yields[0])
      types.push_back(value.getType());
    auto branch =
        scf::IfOp::create(b, types, op.getCondition(), /*addThenBlock=*/false,
                          /*addElseBlock=*/false);
    for (auto [from, to, added] :
         llvm::zip(op->getRegions(), branch->getRegions(), yields)) {
      if (from.empty()) {
        OpBuilder::InsertionGuard guard(b);
        b.createBlock(&to);
        scf::YieldOp::create(b, added);
        continue;
      }
      to.takeBody(from);
      to.front().getTerminator()->insertOperands(op.getNumResults(), added);
    }
    op.replaceAllUsesWith(branch.getResults().take_front(op.getNumResults()));
    op.erase();
    return branch;
  }

  scf::IfOp op;
  ProgramDependence &dependence;
  ImplicitLocOpBuilder b;
  IRMapping copies;
  SmallVector<Lifted> lifted;
  SmallVector<Value> yields[2]; ///< that are added to those of both sides
};
} // namespace

/// Inner branches first.
static void liftAccumulations(Region &program) {
  SmallVector<scf::IfOp> branches;
  program.walk([&](scf::IfOp op) { branches.push_back(op); });
  for (scf::IfOp op : branches) {
    ProgramDependence dependence(program);
    BranchLifting(op, dependence).run();
  }
}

//===--- sums -------------------------------------------------------------===//

namespace {
class SumFinder {
public:
  SumFinder(AttentionBackwardOp op, ModOp mod)
      : op(op), program(mod.getAdjoint()), dependence(program) {
    auto arguments = program.front().getArguments();
    gradient = arguments[mod.getNumCaptures() + 1];
    for (Value ofPair : {Value(arguments[mod.getNumCaptures()]), gradient})
      dependence.assume(ofPair, QueryPosition | KeyPosition);
  }

  SmallVector<CaptureSum> find() {
    for (auto accumulate : program.getOps<AccumulateOp>()) {
      int64_t capture =
          cast<BlockArgument>(accumulate.getTable()).getArgNumber();
      if (llvm::is_contained(op.getWrt(), capture))
        add(accumulate, capture);
    }
    bool hasKernels = op.getCaptureSchedule().has_value();
    for (CaptureSum &sum : sums) {
      sum.owned = ownedBy(sum.parts);
      sum.isCarried = sum.rows && (!hasKernels || sum.rows == Axis::Key);
      sum.hasSlots = hasKernels || !sum.isCarried;
    }
    return std::move(sums);
  }

private:
  void add(AccumulateOp accumulate, int64_t capture) {
    unsigned depends = NoPosition;
    for (Value index : accumulate.getIndices())
      depends |= dependence.of(index);
    if (!(depends & KeyPosition) && !op.getGradLse() &&
        isMultipleOfGradient(accumulate.getValue()))
      return;
    std::optional<Axis> rows;
    if (!(depends & QueryPosition))
      rows = Axis::Key;
    else if (!(depends & KeyPosition))
      rows = Axis::Query;
    for (CaptureSum &sum : sums) {
      if (sum.capture != capture || sum.rows != rows ||
          (rows &&
           !llvm::equal(sum.parts[0].getIndices(), accumulate.getIndices())))
        continue;
      sum.parts.push_back(accumulate);
      return;
    }
    sums.push_back({capture,
                    rows,
                    /*isCarried=*/false,
                    /*hasSlots=*/false,
                    NoPosition,
                    {accumulate}});
  }

  /// The positions that are an index of all `parts`, and the same one: elements
  /// (q, kv) and (kv, q) are met by tasks of different q.
  unsigned ownedBy(ArrayRef<AccumulateOp> parts) {
    unsigned owned = NoPosition;
    AccumulateOp first = parts[0];
    for (auto [i, index] : llvm::enumerate(first.getIndices()))
      if (isa<BlockArgument>(index) &&
          llvm::all_of(parts, [&, i = i, index = index](AccumulateOp part) {
            return part.getIndices()[i] == index;
          }))
        owned |= dependence.of(index);
    return owned;
  }

  /// Whether `value` is the gradient of the score times what all keys have in
  /// common: over the keys such gradients sum to that of lse.
  bool isMultipleOfGradient(Value value) {
    if (value == gradient)
      return true;
    auto isCommon = [&](Value factor) {
      return !(dependence.of(factor) & KeyPosition);
    };
    Operation *source = value.getDefiningOp();
    auto operandIs = [&](unsigned i) {
      return isMultipleOfGradient(source->getOperand(i));
    };
    if (isa_and_nonnull<arith::NegFOp>(source))
      return operandIs(0);
    if (isa_and_nonnull<arith::AddFOp, arith::SubFOp>(source))
      return operandIs(0) && operandIs(1);
    if (isa_and_nonnull<arith::MulFOp>(source))
      return (operandIs(0) && isCommon(source->getOperand(1))) ||
             (operandIs(1) && isCommon(source->getOperand(0)));
    return isa_and_nonnull<arith::DivFOp>(source) && operandIs(0) &&
           isCommon(source->getOperand(1));
  }

  AttentionBackwardOp op;
  Region &program;
  ProgramDependence dependence;
  Value gradient;
  SmallVector<CaptureSum> sums;
};
} // namespace

SmallVector<CaptureSum> mlir::attn::captureSumsOf(AttentionBackwardOp op) {
  ModOp mod = op.lookupMod();
  if (op.getWrt().empty() || !mod || !mod.hasAdjoint())
    return {};
  liftAccumulations(mod.getAdjoint());
  return SumFinder(op, mod).find();
}

//===--- kernels for captures ---------------------------------------------===//

static unsigned positionOn(Axis axis) {
  return axis == Axis::Query ? QueryPosition : KeyPosition;
}

/// Tasks that own what is an index itself have rows apart.
Axis CaptureSum::getOwnAxis() const {
  if (rows)
    return *rows;
  bool onlyKeys = (owned & KeyPosition) && !(owned & QueryPosition);
  return onlyKeys ? Axis::Key : Axis::Query;
}

bool CaptureSum::hasRowsApart() const {
  return owned & positionOn(getOwnAxis());
}

bool CaptureSum::isDistinct() const {
  return rows ? hasRowsApart()
              : (owned & QueryPosition) && (owned & KeyPosition);
}

ScheduleAttr mlir::attn::captureScheduleOf(AttentionBackwardOp op,
                                           const CaptureSum &sum) {
  ScheduleAttr ofQueries = *op.getCaptureSchedule();
  if (sum.getOwnAxis() == Axis::Query)
    return ofQueries;
  Schedule schedule = ofQueries.getParts();
  std::swap(schedule.tiling.q, schedule.tiling.kv);
  schedule.tiling.ownsKeys = true;
  return ScheduleAttr::get(op.getContext(), schedule);
}

int64_t mlir::attn::copiesOfSlot(AttentionBackwardOp op,
                                 const CaptureSum &sum) {
  if (!op.getCaptureSchedule() || sum.hasRowsApart())
    return 1;
  return captureScheduleOf(op, sum).getRoles().warps;
}
