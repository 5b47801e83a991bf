// See Distances.h.
#include "Distances.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

static bool isWord(Value value) {
  return value.getType().isF32() || value.getType().isInteger(32);
}

Value Distances::findLast() {
  Value found;
  for (Operation &inner : body.without_terminator())
    for (Value result : inner.getResults())
      if (isWord(result) && isMadeFromDistance(result) &&
          isNeededBeside(result) && isCostly(result))
        found = result;
  return found;
}

Value Distances::findResult() {
  Value result = body.getTerminator()->getOperand(0);
  return isMadeFromDistance(result) ? result : Value();
}

bool Distances::isMadeFromDistance(Value value) {
  Dependence on = dependenceOf(value);
  return on.isOfDistance() && !on.isUniform();
}

/// Whether something else than a word of the same diagonal is made of it.
bool Distances::isNeededBeside(Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    user = body.findAncestorOpInBlock(*user);
    if (user == body.getTerminator() || user->getNumResults() != 1)
      return true;
    Value result = user->getResult(0);
    if (!dependenceOf(result).isOfDistance())
      return true;
    return !isWord(result) && isNeededBeside(result);
  });
}

/// Sums keep their slopes small.
Distances::Dependence Distances::Dependence::linear(int64_t row,
                                                    int64_t column) {
  constexpr int64_t most = 1 << 20;
  bool isSmall = std::abs(row) <= most && std::abs(column) <= most;
  return isSmall ? Dependence{Linear, row, column} : Dependence();
}

Distances::Dependence Distances::dependenceOf(Value value) {
  Operation *definition = value.getDefiningOp();
  if (value.getParentBlock() != &body)
    return Dependence::linear(0, 0);
  if (!definition) {
    OpOperand *input = op.getMatchingOpOperand(cast<BlockArgument>(value));
    return isa<RankedTensorType>(input->get().getType())
               ? Dependence()
               : Dependence::linear(0, 0);
  }
  auto known = dependences.find(value);
  if (known != dependences.end())
    return known->second;
  return dependences[value] = compute(definition);
}

Distances::Dependence Distances::compute(Operation *definition) {
  if (auto position = dyn_cast<linalg::IndexOp>(definition))
    return position.getDim() == 0 ? Dependence::linear(1, 0)
                                  : Dependence::linear(0, 1);
  auto operand = [&](unsigned i) {
    return dependenceOf(definition->getOperand(i));
  };
  if (isa<arith::AddIOp, arith::SubIOp>(definition)) {
    Dependence lhs = operand(0), rhs = operand(1);
    int64_t sign = isa<arith::AddIOp>(definition) ? 1 : -1;
    if (lhs.kind == Dependence::Linear && rhs.kind == Dependence::Linear)
      return Dependence::linear(lhs.row + sign * rhs.row,
                                lhs.column + sign * rhs.column);
  }
  // Not the other way, as what wraps in 32 bits does not in 64.
  if (isa<arith::IndexCastOp>(definition) &&
      definition->getResult(0).getType().isInteger(32) &&
      operand(0).kind == Dependence::Linear)
    return operand(0);
  return ofFunction(definition);
}

/// Of what `definition` makes of its operands, and of those of what is inside
/// of it.
Distances::Dependence Distances::ofFunction(Operation *definition) {
  bool isUniform = true, isOfDistance = true;
  definition->walk([&](Operation *inner) {
    // Captured tables are not written while they are read.
    isOfDistance &= isa<memref::LoadOp>(inner) || isMemoryEffectFree(inner) ||
                    inner->hasTrait<OpTrait::HasRecursiveMemoryEffects>();
    for (Value used : inner->getOperands()) {
      if (definition->isAncestor(used.getParentRegion()->getParentOp()))
        continue;
      Dependence on = dependenceOf(used);
      isUniform &= on.isUniform();
      isOfDistance &= on.isOfDistance();
    }
  });
  if (!isOfDistance)
    return Dependence();
  return isUniform ? Dependence::linear(0, 0)
                   : Dependence{Dependence::OfDistance, 0, 0};
}

//===--- costs ------------------------------------------------------------===//

static int64_t costOf(Operation *op) {
  if (isa<linalg::IndexOp, arith::ConstantOp, arith::IndexCastOp>(op) ||
      op->hasTrait<OpTrait::IsTerminator>())
    return 0;
  if (isa<memref::LoadOp>(op))
    return 8;
  if (isa<arith::DivFOp>(op) || isa<math::MathDialect>(op->getDialect()))
    return 8;
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
          arith::CeilDivSIOp, arith::FloorDivSIOp, arith::CeilDivUIOp>(op))
    return matchPattern(op->getOperand(1), m_Constant()) ? 4 : 16;
  if (isa<arith::SIToFPOp, arith::UIToFPOp, arith::FPToSIOp, arith::FPToUIOp>(
          op))
    return 2;
  return 1;
}

/// In instructions of the least kind, about: an element of shared memory is
/// two, for each one and a half elements of the tile.
static constexpr int64_t least = 8;

bool Distances::isCostly(Value value) {
  llvm::SetVector<Operation *> needed;
  collect(value, needed);
  int64_t cost = 0;
  for (Operation *op : needed)
    op->walk([&](Operation *inner) { cost += costOf(inner); });
  return cost >= least;
}

void Distances::collect(Value value, llvm::SetVector<Operation *> &needed) {
  Operation *definition = value.getDefiningOp();
  if (!definition || definition->getBlock() != &body ||
      dependenceOf(value).isUniform() || !needed.insert(definition))
    return;
  definition->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      collect(operand, needed);
  });
}

//===--- taking it out ----------------------------------------------------===//

static void eraseUnused(Block &body) {
  for (Operation *inner = body.getTerminator()->getPrevNode(); inner;) {
    Operation *before = inner->getPrevNode();
    if (isOpTriviallyDead(inner))
      inner->erase();
    inner = before;
  }
}

linalg::GenericOp mlir::attn::tile::replaceByInput(linalg::GenericOp op,
                                                   Value value, Value input,
                                                   AffineMap map) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<Value> inputs(op.getDpsInputs());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps.insert(maps.begin() + inputs.size(), map);
  inputs.push_back(input);
  auto result =
      linalg::GenericOp::create(b, op.getResultTypes(), inputs, op.getOutputs(),
                                maps, op.getIteratorTypesArray());
  result->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  result.getRegion().takeBody(op.getRegion());
  Block &body = result.getRegion().front();
  Value element =
      body.insertArgument(inputs.size() - 1, value.getType(), value.getLoc());
  value.replaceAllUsesWith(element);
  eraseUnused(body);
  op.replaceAllUsesWith(result);
  op.erase();
  return result;
}
