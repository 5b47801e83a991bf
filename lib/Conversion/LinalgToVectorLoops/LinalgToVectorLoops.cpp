// Lowers linalg.generic on buffers to loops over vectors. See
// LinalgToVectorLoopsPass in Passes.td. The body itself is vectorised by
// VectorBody.cpp.
#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Tile/IR/Marks.h"

#include "VectorBody.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_LINALGTOVECTORLOOPSPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;
using mlir::attn::VectorBody;

/// How many chains a reduction is dealt to; a power of two.
static constexpr int64_t reductionChains = 4;

namespace {
/// The loops of one operation. The vectorised dimension is outermost, so that
/// what depends on nothing else is computed once for all rows; reductions are
/// innermost, with the results in registers.
class LoopNest {
public:
  LoopNest(linalg::GenericOp op, int64_t width)
      : op(op), builder(op), loc(op.getLoc()), width(width) {}

  LogicalResult emit();

private:
  LogicalResult findSizes();
  void choose();
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  void emitLane(Value start, int64_t lanes);
  void emitParallel(size_t next);
  void emitReduction(size_t next, SmallVectorImpl<Value> &results);
  bool hasChains();
  Value emitChains();
  SmallVector<Value> indicesOf(AffineMap map) { return indicesOf(map, ivs); }
  SmallVector<Value> indicesOf(AffineMap map, ValueRange of);
  Value loadOperand(OpOperand &operand);
  void storeResult(OpOperand &init, Value value);
  void emitBody(SmallVectorImpl<Value> &results);

  linalg::GenericOp op;
  OpBuilder builder;
  Location loc;
  int64_t width;
  /// The dimension of lanes; nullopt: all scalar.
  std::optional<unsigned> laneDim;
  SmallVector<unsigned> parallel, reductions;
  SmallVector<OpFoldResult> sizes;
  SmallVector<Value> ivs;
  int64_t lanes = 0; ///< of the code being emitted; 0: scalar
};
} // namespace

/// Sizes of the loops from the operands' shapes.
LogicalResult LoopNest::findSizes() {
  if (!op.hasPureBufferSemantics())
    return op.emitOpError("expects buffers");
  sizes.resize(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type)
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [i, expr] : llvm::enumerate(map.getResults())) {
      // Sums of dimensions say nothing of the size of any.
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim && !isa<AffineConstantExpr>(expr) && op.isDpsInit(&operand))
        return op.emitOpError("expects results at dimensions and constants");
      if (!dim || (sizes[dim.getPosition()] && type.isDynamicDim(i)))
        continue;
      if (type.isDynamicDim(i))
        sizes[dim.getPosition()] =
            memref::DimOp::create(builder, loc, operand.get(), i).getResult();
      else
        sizes[dim.getPosition()] = builder.getIndexAttr(type.getDimSize(i));
    }
  }
  assert(llvm::none_of(sizes, [](OpFoldResult size) { return !size; }) &&
         "linalg's verifier sees to an operand for the size of every loop");
  return success();
}

/// Chooses the dimension of the lanes and the order of the others.
void LoopNest::choose() {
  std::optional<unsigned> candidate;
  bool possible = true;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    bool hasLast =
        map.getNumResults() && isa<AffineDimExpr>(map.getResults().back());
    unsigned last = hasLast ? map.getDimPosition(map.getNumResults() - 1) : 0;
    possible &= hasLast && (!candidate || *candidate == last);
    candidate = last;
  }
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<MemRefType>(operand.getType());
    if (type && (type.getElementType().isInteger(1) ||
                 !type.getElementType().isIntOrIndexOrFloat() ||
                 (type.getRank() && !type.areTrailingDimsContiguous(1))))
      possible = false;
  }
  if (possible && VectorBody::canVectorize(op, *candidate))
    laneDim = candidate;
  for (auto [i, iterator] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (iterator == utils::IteratorType::reduction)
      reductions.push_back(i);
    else if (i != laneDim)
      parallel.push_back(i);
  }
}

SmallVector<Value> LoopNest::indicesOf(AffineMap map, ValueRange of) {
  SmallVector<Value> indices;
  for (AffineExpr expr : map.getResults())
    indices.push_back(
        affine::expandAffineExpr(builder, loc, expr, of, ValueRange{}));
  return indices;
}

/// The operand's element, or the vector of the elements of all lanes.
Value LoopNest::loadOperand(OpOperand &operand) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type)
    return operand.get();
  AffineMap map = op.getMatchingIndexingMap(&operand);
  SmallVector<Value> indices = indicesOf(map);
  if (!lanes || !map.isFunctionOfDim(*laneDim))
    return memref::LoadOp::create(builder, loc, operand.get(), indices);
  auto vector = VectorType::get(lanes, type.getElementType());
  // Of the last index alone, and one further for the next lane.
  AffineExpr lane = builder.getAffineDimExpr(*laneDim);
  AffineExpr next = map.getResults().back().replace(lane, lane + 1);
  if (next - 1 == map.getResults().back() &&
      llvm::none_of(map.getResults().drop_back(), [&](AffineExpr expr) {
        return expr.isFunctionOfDim(*laneDim);
      }))
    return vector::LoadOp::create(builder, loc, vector, operand.get(), indices);
  // Lanes lie apart in memory: one load each.
  Value result =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(vector));
  for (int64_t i = 0; i < lanes; ++i) {
    SmallVector<Value> shifted = ivs;
    shifted[*laneDim] =
        arith::AddIOp::create(builder, loc, ivs[*laneDim], index(i));
    SmallVector<Value> at = indicesOf(map, shifted);
    Value element = memref::LoadOp::create(builder, loc, operand.get(), at);
    result = vector::InsertOp::create(builder, loc, element, result, i);
  }
  return result;
}

void LoopNest::storeResult(OpOperand &init, Value value) {
  SmallVector<Value> indices = indicesOf(op.getMatchingIndexingMap(&init));
  if (!lanes) {
    memref::StoreOp::create(builder, loc, value, init.get(), indices);
    return;
  }
  auto type = VectorType::get(lanes, getElementTypeOrSelf(value.getType()));
  if (value.getType() != type)
    value = vector::BroadcastOp::create(builder, loc, type, value);
  vector::StoreOp::create(builder, loc, value, init.get(), indices);
}

/// One evaluation of the body. On entry `results` holds the values of the
/// results so far (reductions) or is empty; on return the new ones.
void LoopNest::emitBody(SmallVectorImpl<Value> &results) {
  SmallVector<Value> arguments;
  for (OpOperand *input : op.getDpsInputOperands())
    arguments.push_back(
        op.payloadUsesValueFromOperand(input) ? loadOperand(*input) : Value());
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    if (!results.empty())
      arguments.push_back(results[i]);
    else
      arguments.push_back(
          op.payloadUsesValueFromOperand(&init) ? loadOperand(init) : Value());
  }
  VectorBody body(builder, op, laneDim, lanes, ivs);
  SmallVector<Value> yielded = body.emit(arguments);
  if (!op->hasAttr(tile::zeroSafeMark) || results.empty() ||
      op.getNumDpsInputs() == 0) {
    results.assign(yielded);
    return;
  }
  // A weight (the first input) of zero contributes nothing.
  Value weight = arguments[0];
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getZeroAttr(weight.getType()));
  Value keep = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNE,
                                     weight, zero);
  Value previous = results[0], next = yielded[0];
  if (auto type = dyn_cast<VectorType>(previous.getType());
      type && !isa<VectorType>(keep.getType()))
    keep = vector::BroadcastOp::create(
        builder, loc, VectorType::get(type.getShape(), builder.getI1Type()),
        keep);
  results[0] = arith::SelectOp::create(builder, loc, keep, next, previous);
}

void LoopNest::emitReduction(size_t next, SmallVectorImpl<Value> &results) {
  if (next == reductions.size())
    return emitBody(results);
  unsigned dim = reductions[next];
  Value size = getValueOrCreateConstantIndexOp(builder, loc, sizes[dim]);
  auto loop =
      scf::ForOp::create(builder, loc, index(0), size, index(1), results);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  ivs[dim] = loop.getInductionVar();
  SmallVector<Value> carried = llvm::to_vector(
      llvm::map_range(loop.getRegionIterArgs(), [](Value v) { return v; }));
  emitReduction(next + 1, carried);
  scf::YieldOp::create(builder, loc, carried);
  results.assign(loop.getResults().begin(), loop.getResults().end());
}

/// Whether the operation only combines one input, over a dimension that the
/// chains divide, with an operation that does not mind the order.
bool LoopNest::hasChains() {
  if (reductions.size() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumDpsInputs() != 1 || !llvm::hasNItems(*op.getBody(), 2))
    return false;
  std::optional<int64_t> size = getConstantIntValue(sizes[reductions[0]]);
  Operation *combine = &op.getBody()->front();
  return size && *size % reductionChains == 0 &&
         isa<arith::AddFOp, arith::MaxNumFOp>(combine) &&
         llvm::is_contained(combine->getOperands(),
                            op.getBody()->getArgument(0)) &&
         llvm::is_contained(combine->getOperands(),
                            op.getBody()->getArgument(1));
}

/// Several chains of operations, which need not wait for each other, and
/// combined with what was there before only at the end: a sum's rounding errors
/// are then those of so many terms less.
Value LoopNest::emitChains() {
  unsigned dim = reductions[0];
  OpOperand &input = *op.getDpsInputOperand(0);
  Operation *combine = &op.getBody()->front();
  auto load = [&](Value first, int64_t chain) {
    ivs[dim] = chain ? arith::AddIOp::create(builder, loc, first, index(chain))
                     : first;
    return loadOperand(input);
  };
  auto combined = [&](Value x, Value y) {
    return builder
        .create(loc, combine->getName().getIdentifier(), ValueRange{x, y},
                x.getType())
        ->getResult(0);
  };
  SmallVector<Value> chains;
  Value zero = index(0);
  for (int64_t i = 0; i < reductionChains; ++i)
    chains.push_back(load(zero, i));
  auto loop = scf::ForOp::create(
      builder, loc, index(reductionChains),
      getValueOrCreateConstantIndexOp(builder, loc, sizes[dim]),
      index(reductionChains), chains);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> next;
    for (int64_t i = 0; i < reductionChains; ++i)
      next.push_back(combined(loop.getRegionIterArgs()[i],
                              load(loop.getInductionVar(), i)));
    scf::YieldOp::create(builder, loc, next);
  }
  chains.assign(loop.getResults().begin(), loop.getResults().end());
  for (size_t count = chains.size() / 2; count; count /= 2)
    for (size_t i = 0; i < count; ++i)
      chains[i] = combined(chains[i], chains[i + count]);
  return combined(loadOperand(*op.getDpsInitOperand(0)), chains[0]);
}

void LoopNest::emitParallel(size_t next) {
  OpBuilder::InsertionGuard guard(builder);
  if (next < parallel.size()) {
    unsigned dim = parallel[next];
    Value size = getValueOrCreateConstantIndexOp(builder, loc, sizes[dim]);
    auto loop = scf::ForOp::create(builder, loc, index(0), size, index(1));
    builder.setInsertionPoint(loop.getBody()->getTerminator());
    ivs[dim] = loop.getInductionVar();
    return emitParallel(next + 1);
  }
  SmallVector<Value> results;
  if (hasChains()) {
    results.push_back(emitChains());
  } else if (!reductions.empty()) {
    for (OpOperand &init : op.getDpsInitsMutable())
      results.push_back(loadOperand(init));
    emitReduction(0, results);
  } else {
    emitBody(results);
  }
  for (auto [init, value] : llvm::zip(op.getDpsInitsMutable(), results))
    storeResult(init, value);
}

void LoopNest::emitLane(Value start, int64_t count) {
  lanes = count;
  if (laneDim)
    ivs[*laneDim] = start;
  emitParallel(0);
}

LogicalResult LoopNest::emit() {
  if (failed(findSizes()))
    return failure();
  choose();
  ivs.resize(op.getNumLoops());
  if (!laneDim) {
    emitLane({}, 0);
    op.erase();
    return success();
  }
  auto forLanes = [&](Value from, Value to, int64_t step, int64_t count) {
    auto loop = scf::ForOp::create(builder, loc, from, to, index(step));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(loop.getBody()->getTerminator());
    emitLane(loop.getInductionVar(), count);
  };
  if (std::optional<int64_t> size = getConstantIntValue(sizes[*laneDim])) {
    int64_t whole = *size / width * width;
    if (whole)
      forLanes(index(0), index(whole), width, width);
    if (whole < *size)
      emitLane(index(whole), *size - whole);
  } else {
    Value total = cast<Value>(sizes[*laneDim]);
    Value rest = arith::RemUIOp::create(builder, loc, total, index(width));
    Value whole = arith::SubIOp::create(builder, loc, total, rest);
    forLanes(index(0), whole, width, width);
    forLanes(whole, total, 1, 0);
  }
  op.erase();
  return success();
}

/// A copy between buffers as a linalg.generic.
static void generalizeCopy(memref::CopyOp copy) {
  OpBuilder builder(copy);
  int64_t rank = cast<MemRefType>(copy.getTarget().getType()).getRank();
  AffineMap map = builder.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  linalg::GenericOp::create(builder, copy.getLoc(), copy.getSource(),
                            copy.getTarget(), ArrayRef<AffineMap>{map, map},
                            iterators,
                            [](OpBuilder &b, Location loc, ValueRange args) {
                              linalg::YieldOp::create(b, loc, args[0]);
                            });
  copy.erase();
}

namespace {
struct LinalgToVectorLoops
    : public mlir::attn::impl::LinalgToVectorLoopsPassBase<
          LinalgToVectorLoops> {
  using Base::Base;
  void runOnOperation() override {
    if (width < 1 || width > 4096) {
      getOperation().emitError()
          << "expects 'width' from 1 to 4096, got " << width.getValue();
      return signalPassFailure();
    }
    getOperation().walk([](memref::CopyOp copy) {
      if (isa<MemRefType>(copy.getSource().getType()) &&
          isa<MemRefType>(copy.getTarget().getType()))
        generalizeCopy(copy);
    });
    WalkResult result =
        getOperation().walk([&](linalg::GenericOp op) -> WalkResult {
          return LoopNest(op, width).emit();
        });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
