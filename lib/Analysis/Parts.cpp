// See Parts.h.
#include "Parts.h"

#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::attn;

std::optional<int64_t> mlir::attn::constantOf(Value value) {
  APInt constant;
  if (!matchPattern(value, m_ConstantInt(&constant)))
    return std::nullopt;
  return constant.getSExtValue();
}

/// The constant right-hand side of an operation that is bounded only with one.
static std::optional<int64_t> positiveRight(Operation *op) {
  std::optional<int64_t> right = constantOf(op->getOperand(1));
  return right && *right > 0 && *right < INT32_MAX ? right : std::nullopt;
}

/// Whether the indices of `op` may be known on a tile though the positions are
/// not, and reading them does nothing that the program would not do.
static bool readsByBlocks(LoadOp op) {
  return !isa<scf::IfOp>(op->getParentOp()) &&
         llvm::none_of(op.getIndices(),
                       [](Value index) { return isa<BlockArgument>(index); });
}

bool mlir::attn::hasRule(Operation *op) {
  if (auto load = dyn_cast<LoadOp>(op))
    return readsByBlocks(load);
  if (isa<arith::CmpIOp, arith::CmpFOp, arith::SelectOp, scf::IfOp,
          arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::MinSIOp,
          arith::MaxSIOp, arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp,
          arith::IndexCastOp, math::AbsIOp, arith::ConstantOp, arith::AddFOp,
          arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::NegFOp,
          arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
          arith::MinNumFOp, arith::SIToFPOp, arith::UIToFPOp, arith::ExtFOp,
          arith::TruncFOp, math::AbsFOp, math::FloorOp, math::CeilOp>(op))
    return true;
  if (isa<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op) &&
      op->getResult(0).getType().isInteger(1))
    return true;
  if (isa<arith::DivSIOp, arith::FloorDivSIOp, arith::RemSIOp, arith::DivUIOp,
          arith::RemUIOp, arith::AndIOp>(op))
    return positiveRight(op).has_value();
  if (isa<arith::ShRSIOp, arith::ShRUIOp, arith::ShLIOp>(op)) {
    std::optional<int64_t> right = constantOf(op->getOperand(1));
    return right && *right >= 0 && *right < 31;
  }
  return false;
}

SmallVector<Value> mlir::attn::sourcesOf(Value value) {
  Operation *op = value.getDefiningOp();
  auto branch = dyn_cast<scf::IfOp>(op);
  if (auto load = dyn_cast<LoadOp>(op))
    return llvm::to_vector(load.getIndices());
  if (!branch)
    return llvm::to_vector(op->getOperands());
  unsigned i = cast<OpResult>(value).getResultNumber();
  return {branch.getCondition(), branch.thenYield().getOperand(i),
          branch.elseYield().getOperand(i)};
}

bool mlir::attn::isPart(Value value, ProgramDependence &positions) {
  return (positions.isRow(value) || positions.isColumn(value)) &&
         isCaptureElement(value.getType()) && positions.canHoist(value);
}

void mlir::attn::findParts(MaskLogic &logic, ArrayRef<Value> opaque) {
  ProgramDependence &positions = *logic.dependence();
  SmallVector<Value> pending(opaque.rbegin(), opaque.rend());
  llvm::SmallDenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!seen.insert(value).second || logic.affine(value) ||
        (positions.isUniform(value) && positions.canHoist(value)))
      continue;
    if (isPart(value, positions)) {
      logic.parts.push_back(value);
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (!op)
      continue;
    if (hasRule(op)) {
      llvm::append_range(pending, llvm::reverse(sourcesOf(value)));
      continue;
    }
    std::string name = op->getName().getStringRef().str();
    logic.remarks.push_back(
        {op->getLoc(), "the mask cannot be bounded through '" + name +
                           "': the tiles that depend on it are found by "
                           "evaluating it for each pair"});
  }
}
