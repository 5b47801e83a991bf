// Evaluates the body of a linalg.generic for several lanes at once. See
// VectorBody.h.
#include "VectorBody.h"

#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::attn;

VectorBody::VectorBody(OpBuilder &builder, linalg::GenericOp op,
                       std::optional<unsigned> laneDim, int64_t lanes,
                       ArrayRef<Value> ivs)
    : builder(builder), generic(op), laneDim(laneDim), lanes(lanes), ivs(ivs) {}

bool VectorBody::isVector(Value value) {
  return isa<VectorType>(value.getType());
}

namespace {
/// Which values of a body differ between lanes.
class Divergence {
public:
  Divergence(linalg::GenericOp op, unsigned laneDim) : laneDim(laneDim) {
    for (OpOperand &operand : op->getOpOperands())
      if (op.getMatchingIndexingMap(&operand).isFunctionOfDim(laneDim))
        varying.insert(op.getMatchingBlockArgument(&operand));
    visit(*op.getBlock());
  }
  bool isVarying(Value value) const { return varying.contains(value); }

private:
  void visit(Block &block) {
    for (Operation &op : block) {
      bool varies =
          llvm::any_of(op.getOperands(), [&](Value v) { return isVarying(v); });
      if (auto index = dyn_cast<linalg::IndexOp>(op))
        varies |= index.getDim() == laneDim;
      for (Region &region : op.getRegions())
        for (Block &inner : region) {
          visit(inner);
          varies |= llvm::any_of(inner.getTerminator()->getOperands(),
                                 [&](Value v) { return isVarying(v); });
        }
      if (varies)
        varying.insert(op.result_begin(), op.result_end());
    }
  }

  unsigned laneDim;
  llvm::DenseSet<Value> varying;
};
} // namespace

bool VectorBody::canVectorize(linalg::GenericOp op, unsigned laneDim) {
  Divergence divergence(op, laneDim);
  WalkResult result = op.getBlock()->walk([&](Operation *inner) -> WalkResult {
    if (isa<linalg::IndexOp, linalg::YieldOp, scf::YieldOp, memref::LoadOp>(
            inner))
      return success();
    if (auto branch = dyn_cast<scf::IfOp>(inner)) {
      if (!divergence.isVarying(branch.getCondition()))
        return success();
      // Both branches will be executed for all lanes.
      WalkResult speculatable = branch->walk([&](Operation *nested) {
        bool fine = nested == branch || isa<scf::IfOp, scf::YieldOp>(nested) ||
                    (isMemoryEffectFree(nested) && canSpeculate(nested));
        return fine ? WalkResult::advance() : WalkResult::interrupt();
      });
      return failure(speculatable.wasInterrupted());
    }
    bool varies = llvm::any_of(
        inner->getOperands(), [&](Value v) { return divergence.isVarying(v); });
    return success(inner->getNumRegions() == 0 &&
                   (!varies || OpTrait::hasElementwiseMappableTraits(inner)));
  });
  return !result.wasInterrupted();
}

Value VectorBody::broadcast(Value value) {
  if (isVector(value))
    return value;
  auto type = VectorType::get(lanes, value.getType());
  return vector::BroadcastOp::create(builder, value.getLoc(), type, value);
}

/// first, first + 1, ...
Value VectorBody::lanesOf(Value first) {
  SmallVector<int64_t> counts = llvm::to_vector(llvm::seq<int64_t>(0, lanes));
  Value steps = arith::ConstantOp::create(builder, first.getLoc(),
                                          builder.getIndexVectorAttr(counts));
  return arith::AddIOp::create(builder, first.getLoc(), broadcast(first),
                               steps);
}

SmallVector<Value> VectorBody::emit(ArrayRef<Value> arguments) {
  for (auto [argument, value] :
       llvm::zip(generic.getBlock()->getArguments(), arguments))
    if (value)
      map.map(argument, value);
  emitBlock(*generic.getBlock());
  SmallVector<Value> results;
  for (Value value : generic.getBlock()->getTerminator()->getOperands())
    results.push_back(map.lookupOrDefault(value));
  return results;
}

void VectorBody::emitBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    emitOp(op);
}

void VectorBody::emitOp(Operation &op) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    Value iv = ivs[index.getDim()];
    bool isLane = lanes && index.getDim() == laneDim;
    return map.map(index.getResult(), isLane ? lanesOf(iv) : iv);
  }
  if (isa<scf::IfOp>(op))
    return emitIf(op);
  bool vectorize = llvm::any_of(op.getOperands(), [&](Value v) {
    return isVector(map.lookupOrDefault(v));
  });
  if (vectorize && isa<memref::LoadOp>(op))
    return emitLoad(op);
  if (!vectorize) {
    builder.clone(op, map);
    return;
  }
  IRMapping operands;
  for (Value operand : op.getOperands())
    operands.map(operand, broadcast(map.lookupOrDefault(operand)));
  Operation *copy = builder.clone(op, operands);
  for (auto [from, to] : llvm::zip(op.getResults(), copy->getResults())) {
    to.setType(VectorType::get(lanes, from.getType()));
    map.map(from, to);
  }
}

/// A load whose indices differ between lanes: one load for each.
void VectorBody::emitLoad(Operation &op) {
  auto load = cast<memref::LoadOp>(op);
  Location loc = op.getLoc();
  auto type = VectorType::get(lanes, load.getType());
  Value result =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  for (int64_t lane = 0; lane < lanes; ++lane) {
    SmallVector<Value> indices;
    for (Value index : load.getIndices()) {
      Value mapped = map.lookupOrDefault(index);
      if (isVector(mapped))
        mapped = vector::ExtractOp::create(builder, loc, mapped, lane);
      indices.push_back(mapped);
    }
    Value element = memref::LoadOp::create(
        builder, loc, map.lookupOrDefault(load.getMemRef()), indices);
    result = vector::InsertOp::create(builder, loc, element, result, lane);
  }
  map.map(load.getResult(), result);
}

/// A condition that all lanes share stays a branch; otherwise both branches are
/// executed and each lane selects.
void VectorBody::emitIf(Operation &op) {
  auto branch = cast<scf::IfOp>(op);
  Location loc = op.getLoc();
  Value condition = map.lookupOrDefault(branch.getCondition());
  if (!isVector(condition)) {
    SmallVector<Type> types;
    for (Type type : branch.getResultTypes())
      types.push_back(lanes ? VectorType::get(lanes, type) : type);
    auto copy = scf::IfOp::create(builder, loc, types, condition,
                                  /*withElseRegion=*/!types.empty());
    for (auto [from, to] : llvm::zip(op.getRegions(), copy->getRegions())) {
      if (from.empty())
        continue;
      OpBuilder::InsertionGuard guard(builder);
      if (to.front().mightHaveTerminator())
        to.front().getTerminator()->erase();
      builder.setInsertionPointToEnd(&to.front());
      emitBlock(from.front());
      SmallVector<Value> yielded;
      for (Value value : from.front().getTerminator()->getOperands()) {
        Value mapped = map.lookupOrDefault(value);
        yielded.push_back(lanes ? broadcast(mapped) : mapped);
      }
      scf::YieldOp::create(builder, loc, yielded);
    }
    return map.map(branch.getResults(), copy.getResults());
  }
  emitBlock(*branch.thenBlock());
  if (branch.elseBlock())
    emitBlock(*branch.elseBlock());
  for (OpResult result : branch.getResults()) {
    unsigned i = result.getResultNumber();
    Value yes = map.lookupOrDefault(branch.thenYield().getOperand(i));
    Value no = map.lookupOrDefault(branch.elseYield().getOperand(i));
    map.map(static_cast<Value>(result),
            arith::SelectOp::create(builder, loc, condition, broadcast(yes),
                                    broadcast(no))
                .getResult());
  }
}
