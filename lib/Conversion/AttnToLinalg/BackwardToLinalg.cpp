// The gradients of an attention, by the formulas of attn.attention_backward on
// whole tensors.
#include "TensorScores.h"

#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

#include <limits>

using namespace mlir;
using namespace mlir::attn;

namespace {

class BackwardLowering : TensorScores {
public:
  BackwardLowering(AttentionBackwardOp op, FloatType real)
      : TensorScores(op, real), op(op) {}

  LogicalResult lower() {
    if (failed(checkStandsAlone(op, mod)))
      return failure();
    if (mod && mod.hasScore() && !mod.hasAdjoint())
      return op.emitOpError() << "expects '@" << mod.getSymName()
                              << "' to have an adjoint program: run "
                                 "attn-differentiate";
    scores = dotProducts();
    weights = makeWeights();
    gradients = makeGradients(gradientsOfWeights(), deltas());
    Value ofScores = gradientsOfScores();
    SmallVector<Value> results{
        gradientOfQuery(ofScores),
        gradientOfHeads(ofScores, query, headDim, scale),
        gradientOfHeads(weights, op.getGradOut(), valueDim, /*factor=*/1)};
    llvm::append_range(results, gradientsOfCaptures());
    replace(op, results);
    return success();
  }

private:
  static constexpr unsigned all[] = {0, 1, 2, 3}, rows[] = {0, 1, 2};

  /// Selects 0 where the pair is dropped: whatever it is multiplied by must not
  /// count.
  Value ifKept(OpBuilder &b, Location loc, ValueRange arguments, Value value) {
    Value keep = keepOf(b, arguments);
    return keep ? arith::SelectOp::create(b, loc, keep, value,
                                          constant(b, loc, 0.0))
                : value;
  }

  /// p = exp(t - lse), 0 where the mask drops and in a row that is empty.
  Value makeWeights() {
    return generic(
        {scores, op.getLse()}, {all, rows}, empty(scoreSizes, real), all,
        /*loops=*/4, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
          SmallVector<Value> arguments =
              modArguments(b, loc, in[0], loopIndices(b, loc));
          Value t = scoreOf(b, loc, in[0], arguments);
          Value lse = convert(b, loc, in[1], real);
          Value p = math::ExpOp::create(b, loc,
                                        arith::SubFOp::create(b, loc, t, lse));
          p = arith::SelectOp::create(b, loc, isMinusInfinity(b, loc, lse),
                                      constant(b, loc, 0.0), p);
          return ifKept(b, loc, arguments, p);
        });
  }

  /// dP[q,kv] = grad_out[b,h,q,:] . value[b,hk,kv,:]
  Value gradientsOfWeights() {
    return generic(
        op.getGradOut(), {{0, 1, 2, 4}}, filled(scoreSizes, real, 0.0), all,
        /*loops=*/5, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
          auto index = [&](int64_t i) -> Value {
            return linalg::IndexOp::create(b, loc, i);
          };
          Value x = convert(b, loc, in[0], real);
          Value y = elementOfHead(b, loc, value, index(0), index(1), index(3),
                                  index(4));
          Value product = arith::MulFOp::create(b, loc, x, y);
          return arith::AddFOp::create(b, loc, in[1], product);
        });
  }

  /// delta[q] = out[q,:] . grad_out[q,:] - grad_lse[q]
  Value deltas() {
    Value start = filled(rowSizes(), real, 0.0);
    if (op.getGradLse())
      start = generic(
          op.getGradLse(), {rows}, empty(rowSizes(), real), rows,
          /*loops=*/3, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
            return arith::NegFOp::create(b, loc, convert(b, loc, in[0], real));
          });
    return generic(
        {op.getOut(), op.getGradOut()}, {all, all}, start, rows, /*loops=*/4,
        [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
          Value product =
              arith::MulFOp::create(b, loc, convert(b, loc, in[0], real),
                                    convert(b, loc, in[1], real));
          return arith::AddFOp::create(b, loc, in[2], product);
        });
  }

  /// g = p (dP - delta)
  Value makeGradients(Value ofWeights, Value delta) {
    return generic(
        {weights, ofWeights, delta, scores}, {all, all, rows, all},
        empty(scoreSizes, real), all, /*loops=*/4,
        [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
          Value difference = arith::SubFOp::create(b, loc, in[1], in[2]);
          Value g = arith::MulFOp::create(b, loc, in[0], difference);
          return ifKept(b, loc,
                        modArguments(b, loc, in[3], loopIndices(b, loc)), g);
        });
  }

  /// The arguments of the adjoint program: s and g, then the positions.
  SmallVector<Value> adjointArguments(OpBuilder &b, Location loc, Value g,
                                      ValueRange arguments) {
    SmallVector<Value> result(arguments);
    result.insert(result.begin() + 1, convert(b, loc, g, b.getF32Type()));
    return result;
  }

  /// ds, of the scaled scores.
  Value gradientsOfScores() {
    if (!mod || !mod.hasScore())
      return gradients;
    return generic(
        {scores, gradients}, {all, all}, empty(scoreSizes, real), all,
        /*loops=*/4, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
          SmallVector<Value> arguments =
              modArguments(b, loc, in[0], loopIndices(b, loc));
          Value ds = inlineProgram(b, mod.getAdjoint(), captures,
                                   adjointArguments(b, loc, in[1], arguments),
                                   loadFromTensor);
          return ifKept(b, loc, arguments, convert(b, loc, ds, real));
        });
  }

  /// sum + x * y, but `sum` where the pair is dropped. `positions`: of the
  /// pair.
  Value addKept(OpBuilder &b, Location loc, Value sum, Value x, Value y,
                ValueRange positions) {
    Value product = arith::MulFOp::create(b, loc, x, y);
    SmallVector<Value> arguments =
        modArguments(b, loc, constant(b, loc, 0.0), positions);
    return arith::AddFOp::create(b, loc, sum,
                                 ifKept(b, loc, arguments, product));
  }

  Value scaledTo(Value sums, ArrayRef<OpFoldResult> sizes, Type type,
                 double factor) {
    return generic(sums, {all}, empty(sizes, type), all, /*loops=*/4,
                   [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
                     Value x = arith::MulFOp::create(b, loc, in[0],
                                                     constant(b, loc, factor));
                     return convert(b, loc, x, cast<FloatType>(type));
                   });
  }

  /// scale * sum over kv of ds * key[b,hk,kv,:]
  Value gradientOfQuery(Value ofScores) {
    SmallVector<OpFoldResult> sizes = rowSizesAnd(headDim);
    Value sums = generic(
        ofScores, {{0, 1, 2, 4}}, filled(sizes, real, 0.0), {0, 1, 2, 3},
        /*loops=*/5, [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
          auto index = [&](int64_t i) -> Value {
            return linalg::IndexOp::create(b, loc, i);
          };
          Value y = elementOfHead(b, loc, key, index(0), index(1), index(4),
                                  index(3));
          return addKept(b, loc, in[1], in[0], y,
                         {index(0), index(1), index(2), index(4)});
        });
    return scaledTo(sums, sizes, op.getElementType(), scale);
  }

  /// factor * sum over the heads of a group and over q of
  /// pairs[b,h,q,kv] * ofQueries[b,h,q,:].
  Value gradientOfHeads(Value pairs, Value ofQueries, int64_t channels,
                        double factor) {
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, builder.getLoc(), key);
    sizes[3] = builder.getIndexAttr(channels);
    // Loops: batch, key head, key, channel; head of the group, query. The
    // bounds of the last two are those of a tensor that nobody reads.
    Value bounds = empty({OpFoldResult(group), scoreSizes[2]}, real);
    Value sums = generic(
        bounds, {{4, 5}}, filled(sizes, real, 0.0), {0, 1, 2, 3}, /*loops=*/6,
        [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
          auto index = [&](int64_t i) -> Value {
            return linalg::IndexOp::create(b, loc, i);
          };
          Value head = arith::AddIOp::create(
              b, loc, arith::MulIOp::create(b, loc, index(1), group), index(4));
          SmallVector<Value> pair{index(0), head, index(5), index(2)};
          Value x = tensor::ExtractOp::create(b, loc, pairs, pair);
          Value y = tensor::ExtractOp::create(
              b, loc, ofQueries, ValueRange{pair[0], head, pair[2], index(3)});
          return addKept(b, loc, in[1], x, convert(b, loc, y, real), pair);
        });
    return scaledTo(sums, sizes, op.getElementType(), factor);
  }

  //===--- captures -------------------------------------------------------===//
  /// Pair by pair, into memory: an accumulation may be in a branch.
  SmallVector<Value> gradientsOfCaptures() {
    SmallVector<Value> sums;
    for (int64_t number : op.getWrt())
      sums.push_back(zeros(captures[number]));
    if (!sums.empty() && mod.hasScore())
      forEachPair([&](OpBuilder &b, Location loc, ValueRange pair) {
        accumulate(b, loc, pair, sums);
      });
    SmallVector<Value> results;
    for (auto [sum, result] : llvm::zip(sums, op.getGradCaptures()))
      results.push_back(fromMemory(sum, result.getType()));
    return results;
  }

  /// Memory of the shape of `capture`.
  Value zeros(Value capture) {
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamic;
    if (auto tensor = dyn_cast<RankedTensorType>(capture.getType())) {
      shape.assign(tensor.getShape().begin(), tensor.getShape().end());
      for (int64_t i = 0; i < tensor.getRank(); ++i)
        if (tensor.isDynamicDim(i))
          dynamic.push_back(tensor::DimOp::create(builder, capture, i));
    }
    Value memory =
        memref::AllocOp::create(builder, MemRefType::get(shape, real), dynamic);
    linalg::FillOp::create(builder, constant(builder, builder.getLoc(), 0.0),
                           memory);
    return memory;
  }

  void
  forEachPair(function_ref<void(OpBuilder &, Location, ValueRange)> visit) {
    Value zero = arith::ConstantIndexOp::create(builder, 0);
    Value one = arith::ConstantIndexOp::create(builder, 1);
    SmallVector<Value> ends, pair;
    for (OpFoldResult size : scoreSizes)
      ends.push_back(
          getValueOrCreateConstantIndexOp(builder, builder.getLoc(), size));
    OpBuilder::InsertionGuard guard(builder);
    for (Value end : ends) {
      auto loop = scf::ForOp::create(builder, zero, end, one);
      pair.push_back(loop.getInductionVar());
      builder.setInsertionPointToStart(loop.getBody());
    }
    visit(builder, builder.getLoc(), pair);
  }

  void accumulate(OpBuilder &b, Location loc, ValueRange pair,
                  ArrayRef<Value> sums) {
    Value s = tensor::ExtractOp::create(b, loc, scores, pair);
    Value g = tensor::ExtractOp::create(b, loc, gradients, pair);
    SmallVector<Value> arguments = modArguments(b, loc, s, pair);
    auto emit = [&] {
      inlineProgram(b, mod.getAdjoint(), captures,
                    adjointArguments(b, loc, g, arguments), loadFromTensor,
                    [&](OpBuilder &nested, AccumulateOp accumulate,
                        ValueRange indices, Value value) {
                      addTo(nested, accumulate, indices, value, sums);
                    });
    };
    if (Value keep = keepOf(b, arguments)) {
      auto branch = scf::IfOp::create(b, loc, keep);
      b.setInsertionPointToStart(branch.thenBlock());
      emit();
      return;
    }
    emit();
  }

  void addTo(OpBuilder &b, AccumulateOp accumulate, ValueRange indices,
             Value value, ArrayRef<Value> sums) {
    Location loc = accumulate.getLoc();
    unsigned number = cast<BlockArgument>(accumulate.getTable()).getArgNumber();
    const int64_t *found = llvm::find(op.getWrt(), number);
    if (found == op.getWrt().end()) // Another attention asks for it.
      return;
    Value memory = sums[found - op.getWrt().begin()];
    SmallVector<Value> at = placesInTable(
        b, loc, accumulate.getIndices(), indices, [&](int64_t i) -> Value {
          return memref::DimOp::create(b, loc, memory, i);
        });
    Value sum = memref::LoadOp::create(b, loc, memory, at);
    sum = arith::AddFOp::create(b, loc, sum, convert(b, loc, value, real));
    memref::StoreOp::create(b, loc, sum, memory, at);
  }

  Value fromMemory(Value memory, Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return convert(builder, builder.getLoc(),
                     memref::LoadOp::create(builder, memory),
                     builder.getF32Type());
    auto own = cast<MemRefType>(memory.getType());
    Value sums = bufferization::ToTensorOp::create(
        builder, RankedTensorType::get(own.getShape(), real), memory,
        /*restrict=*/true, /*writable=*/true);
    SmallVector<unsigned> dims =
        llvm::to_vector(llvm::seq<unsigned>(0, tensor.getRank()));
    return generic(sums, {dims},
                   empty(tensor::getMixedSizes(builder, builder.getLoc(), sums),
                         builder.getF32Type()),
                   dims, tensor.getRank(),
                   [&](OpBuilder &b, Location loc, ValueRange in) -> Value {
                     return convert(b, loc, in[0], b.getF32Type());
                   });
  }

  AttentionBackwardOp op;
  Value scores;    ///< dot products
  Value weights;   ///< p
  Value gradients; ///< g
};

} // namespace

LogicalResult mlir::attn::lowerBackwardToLinalg(AttentionBackwardOp op,
                                                FloatType real) {
  return BackwardLowering(op, real).lower();
}
