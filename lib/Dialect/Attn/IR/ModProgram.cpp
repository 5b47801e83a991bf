// Cloning the program of a mod into a lowering. See ModProgram.h.
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::attn;

namespace {
/// One program on its way into a lowering.
class ProgramCloner {
public:
  ProgramCloner(OpBuilder &builder, LowerLoadFn lowerLoad,
                LowerAccumulateFn lowerAccumulate)
      : builder(builder), lowerLoad(lowerLoad),
        lowerAccumulate(lowerAccumulate) {}

  Value clone(Region &program, ValueRange captures, ValueRange args);

private:
  void cloneBody(Block &block);
  void cloneOp(Operation &op);
  void cloneIf(scf::IfOp op);
  void cloneBranch(Region &from, Region &to);
  void cloneLoad(LoadOp op);

  SmallVector<Value> lookup(ValueRange values) {
    return llvm::map_to_vector(
        values, [&](Value value) { return mapping.lookup(value); });
  }

  OpBuilder &builder;
  LowerLoadFn lowerLoad;
  LowerAccumulateFn lowerAccumulate;
  IRMapping mapping;
};
} // namespace

Value ProgramCloner::clone(Region &program, ValueRange captures,
                           ValueRange args) {
  Block &body = program.front();
  size_t count = captures.size();
  assert(body.getNumArguments() == count + args.size() &&
         "expects a value for each argument");
  for (auto [arg, value] :
       llvm::zip_equal(body.getArguments().take_front(count), captures))
    mapping.map(arg, value);
  for (auto [arg, value] :
       llvm::zip_equal(body.getArguments().drop_front(count), args))
    mapping.map(arg, value);
  cloneBody(body);
  return mapping.lookup(cast<YieldOp>(body.getTerminator()).getResult());
}

void ProgramCloner::cloneBody(Block &block) {
  for (Operation &op : block.without_terminator())
    cloneOp(op);
}

void ProgramCloner::cloneOp(Operation &op) {
  assert(!(isa<ApplyScoreOp, ApplyMaskOp>(op)) &&
         "expects a mod that stands alone");
  if (auto load = dyn_cast<LoadOp>(op))
    return cloneLoad(load);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return cloneIf(branch);
  if (auto accumulate = dyn_cast<AccumulateOp>(op)) {
    if (lowerAccumulate)
      lowerAccumulate(builder, accumulate, lookup(accumulate.getIndices()),
                      mapping.lookup(accumulate.getValue()));
    return;
  }
  mapping.map(op.getResults(), builder.clone(op, mapping)->getResults());
}

void ProgramCloner::cloneLoad(LoadOp op) {
  Value value = lowerLoad(builder, op, lookup(op.getIndices()),
                          mapping.lookup(op.getTable()));
  mapping.map(op.getResult(), value);
}

void ProgramCloner::cloneIf(scf::IfOp op) {
  auto clone =
      scf::IfOp::create(builder, op.getLoc(), op.getResultTypes(),
                        mapping.lookup(op.getCondition()),
                        /*addThenBlock=*/false, /*addElseBlock=*/false);
  OpBuilder::InsertionGuard guard(builder);
  cloneBranch(op.getThenRegion(), clone.getThenRegion());
  cloneBranch(op.getElseRegion(), clone.getElseRegion());
  mapping.map(op.getResults(), clone.getResults());
}

void ProgramCloner::cloneBranch(Region &from, Region &to) {
  if (from.empty())
    return;
  builder.createBlock(&to);
  cloneBody(from.front());
  Operation *yield = from.front().getTerminator();
  scf::YieldOp::create(builder, yield->getLoc(), lookup(yield->getOperands()));
}

Value mlir::attn::inlineProgram(OpBuilder &builder, Region &program,
                                ValueRange captures, ValueRange args,
                                LowerLoadFn lowerLoad,
                                LowerAccumulateFn lowerAccumulate) {
  return ProgramCloner(builder, lowerLoad, lowerAccumulate)
      .clone(program, captures, args);
}

void mlir::attn::eraseMods(ModuleOp module) {
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    if (isa<ModOp, FillOp>(op))
      op.erase();
}

static constexpr StringRef exactName = "attn.exact", totalName = "attn.total",
                           positionName = "attn.position";

void mlir::attn::markExact(Operation *op) {
  if (isa<arith::ArithFastMathInterface>(op))
    op->setAttr(exactName, UnitAttr::get(op->getContext()));
}
bool mlir::attn::isExact(Operation *op) { return op->hasAttr(exactName); }
void mlir::attn::unmarkExact(Operation *op) { op->removeAttr(exactName); }

void mlir::attn::markTotal(Operation *op) {
  op->setAttr(totalName, UnitAttr::get(op->getContext()));
}
bool mlir::attn::isTotal(Operation *op) { return op->hasAttr(totalName); }

void mlir::attn::markPosition(Operation *op) {
  op->setAttr(positionName, UnitAttr::get(op->getContext()));
}
bool mlir::attn::isPosition(Operation *op) { return op->hasAttr(positionName); }

bool mlir::attn::canSpeculate(Operation *op) {
  return isSpeculatable(op) || isTotal(op);
}
