// attn-to-linalg: the definition of attention written down step by step on
// whole tensors. The oracle that other lowerings are compared with, so it
// shares nothing with them but the evaluation of mods, and prefers the obvious
// way.
#include "attn/Conversion/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <cmath>
#include <limits>

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNTOLINALGPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

namespace {
/// Lowers one attention. Tensors of scores have the dimensions (batch, query
/// head, query, key), statistics of a row the first three of them; all are of
/// the type `real`.
class AttentionLowering {
public:
  AttentionLowering(AttentionOp op, FloatType real);

  LogicalResult lower();

private:
  using Body = function_ref<Value(OpBuilder &, Location, ValueRange)>;

  // The steps of the definition, in their order.
  Value dotProducts();
  Value applyMod(Value scores);
  Value rowMaximum(Value scores);
  Value weights(Value scores, Value maximum);
  Value rowSum(Value weights);
  Value weightedValues(Value scores, Value weights);
  Value normalize(Value sums, Value denominator);
  Value logSumExp(Value maximum, Value denominator);

  Value elementOfHead(OpBuilder &b, Location loc, Value tensor, Value batch,
                      Value head, Value key, Value channel);
  Value generic(ValueRange inputs, ArrayRef<ArrayRef<unsigned>> inputDims,
                Value init, ArrayRef<unsigned> outDims, unsigned loops,
                Body body);
  Value
  reduce(Value scores, double init,
         function_ref<Value(OpBuilder &, Location, Value, Value)> combine);
  Value filled(ArrayRef<OpFoldResult> sizes, Type type, double value);
  Value queryOffset(OpBuilder &b, Location loc, Value batch);
  Value empty(ArrayRef<OpFoldResult> sizes, Type type) {
    return tensor::EmptyOp::create(builder, sizes, type);
  }
  Value constant(OpBuilder &b, Location loc, double value) {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(real, value));
  }
  Value isMinusInfinity(OpBuilder &b, Location loc, Value value) {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, value,
                                 constant(b, loc, kMinusInfinity));
  }
  /// Sizes of query's batch, heads and length.
  ArrayRef<OpFoldResult> rowSizes() {
    return ArrayRef(scoreSizes).take_front(3);
  }

  static constexpr double kMinusInfinity =
      -std::numeric_limits<double>::infinity();

  AttentionOp op;
  FloatType real;
  ImplicitLocOpBuilder builder;
  SmallVector<OpFoldResult> scoreSizes; ///< batch, query head, query, key
  Value group; ///< how many query heads share one key head, an index
};
} // namespace

/// `value` as a float of type `to`. Between 16 bits and f64 through f32: those
/// conversions have no instruction and often no library function, and a second
/// rounding is far below what an oracle of 16-bit results resolves.
static Value convert(OpBuilder &b, Location loc, Value value, FloatType to) {
  unsigned from = cast<FloatType>(value.getType()).getWidth();
  if (value.getType() == to)
    return value;
  if (from + to.getWidth() == 16 + 64)
    return convert(b, loc, convert(b, loc, value, b.getF32Type()), to);
  if (from < to.getWidth())
    return arith::ExtFOp::create(b, loc, to, value);
  return arith::TruncFOp::create(b, loc, to, value);
}

AttentionLowering::AttentionLowering(AttentionOp op, FloatType real)
    : op(op), real(real), builder(op.getLoc(), op) {
  auto sizes = tensor::getMixedSizes(builder, op.getLoc(), op.getQuery());
  auto keySizes = tensor::getMixedSizes(builder, op.getLoc(), op.getKey());
  scoreSizes = {sizes[0], sizes[1], sizes[2], keySizes[2]};
  // No heads at all: the quotient is not used.
  auto index = [&](OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(builder, op.getLoc(), size);
  };
  Value one = arith::ConstantIndexOp::create(builder, 1);
  Value keyHeads = arith::MaxUIOp::create(builder, index(keySizes[1]), one);
  group = arith::DivUIOp::create(builder, index(sizes[1]), keyHeads);
}

Value AttentionLowering::filled(ArrayRef<OpFoldResult> sizes, Type type,
                                double value) {
  Value element =
      arith::ConstantOp::create(builder, builder.getFloatAttr(type, value));
  return linalg::FillOp::create(builder, element, empty(sizes, type))
      .getResult(0);
}

/// A linalg.generic of `loops` loops, of which those that `outDims` does not
/// name are reductions. `body` gets the elements of inputs, then of `init`.
Value AttentionLowering::generic(ValueRange inputs,
                                 ArrayRef<ArrayRef<unsigned>> inputDims,
                                 Value init, ArrayRef<unsigned> outDims,
                                 unsigned loops, Body body) {
  MLIRContext *context = builder.getContext();
  SmallVector<AffineMap> maps;
  for (ArrayRef<unsigned> dims : inputDims)
    maps.push_back(AffineMap::getMultiDimMapWithTargets(loops, dims, context));
  maps.push_back(AffineMap::getMultiDimMapWithTargets(loops, outDims, context));
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::reduction);
  for (unsigned dim : outDims)
    iterators[dim] = utils::IteratorType::parallel;
  return linalg::GenericOp::create(
             builder, init.getType(), inputs, init, maps, iterators,
             [&](OpBuilder &b, Location loc, ValueRange elements) {
               linalg::YieldOp::create(b, loc, body(b, loc, elements));
             })
      .getResult(0);
}

/// tensor[batch, head / group, key, channel] as `real`.
Value AttentionLowering::elementOfHead(OpBuilder &b, Location loc, Value tensor,
                                       Value batch, Value head, Value key,
                                       Value channel) {
  Value keyHead = arith::DivUIOp::create(b, loc, head, group);
  Value element = tensor::ExtractOp::create(
      b, loc, tensor, ValueRange{batch, keyHead, key, channel});
  return convert(b, loc, element, real);
}

/// dot(query[b,h,q,:], key[b,hk,kv,:])
Value AttentionLowering::dotProducts() {
  return generic(op.getQuery(), {{0, 1, 2, 4}}, filled(scoreSizes, real, 0.0),
                 {0, 1, 2, 3}, /*loops=*/5,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   auto index = [&](int64_t i) -> Value {
                     return linalg::IndexOp::create(b, loc, i);
                   };
                   Value query = convert(b, loc, elements[0], real);
                   Value key = elementOfHead(b, loc, op.getKey(), index(0),
                                             index(1), index(3), index(4));
                   Value product = arith::MulFOp::create(b, loc, query, key);
                   return arith::AddFOp::create(b, loc, elements[1], product);
                 });
}

/// Reads a captured tensor in memory that linalg still calls a tensor.
static Value loadFromTensor(OpBuilder &b, LoadOp load, ValueRange indices,
                            Value table) {
  Location loc = load.getLoc();
  SmallVector<Value> positions;
  for (Value index : indices)
    positions.push_back(
        arith::IndexCastOp::create(b, loc, b.getIndexType(), index));
  return tensor::ExtractOp::create(b, loc, table, positions);
}

/// The score program of scale * score, and -inf where the mask program drops.
/// What is added to the positions of the queries of `batch`, an i32.
Value AttentionLowering::queryOffset(OpBuilder &b, Location loc, Value batch) {
  Value offset = op.getQueryOffset();
  if (!isa<RankedTensorType>(offset.getType()))
    return offset;
  Value index = arith::IndexCastOp::create(b, loc, b.getIndexType(), batch);
  return tensor::ExtractOp::create(b, loc, offset, index);
}

Value AttentionLowering::applyMod(Value scores) {
  ModOp mod = op.lookupMod();
  double scale = op.getScale() ? op.getScale()->convertToDouble()
                               : 1.0 / std::sqrt(double(op.getHeadDim()));
  auto inlined = [&](OpBuilder &b, Region &program, ValueRange args) {
    return inlineProgram(b, program, op.getCaptures(), args, loadFromTensor);
  };
  return generic(
      scores, {{0, 1, 2, 3}}, empty(scoreSizes, real), {0, 1, 2, 3},
      /*loops=*/4,
      [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
        Value t =
            arith::MulFOp::create(b, loc, elements[0], constant(b, loc, scale));
        SmallVector<Value> args{convert(b, loc, t, b.getF32Type())};
        for (int64_t i = 0; i < 4; ++i)
          args.push_back(arith::IndexCastOp::create(
              b, loc, b.getI32Type(), linalg::IndexOp::create(b, loc, i)));
        if (op.getQueryOffset())
          args[3] = arith::AddIOp::create(b, loc, args[3],
                                          queryOffset(b, loc, args[1]));
        if (mod && mod.hasScore())
          t = convert(b, loc, inlined(b, mod.getScore(), args), real);
        if (!mod || !mod.hasMask())
          return t;
        Value keep = inlined(b, mod.getMask(), ArrayRef(args).drop_front());
        Value dropped = constant(b, loc, kMinusInfinity);
        return arith::SelectOp::create(b, loc, keep, t, dropped);
      });
}

/// Combines each row of scores, over the keys.
Value AttentionLowering::reduce(
    Value scores, double init,
    function_ref<Value(OpBuilder &, Location, Value, Value)> combine) {
  return linalg::ReduceOp::create(
             builder, scores, filled(rowSizes(), real, init),
             /*dimensions=*/ArrayRef<int64_t>{3},
             [&](OpBuilder &b, Location loc, ValueRange elements) {
               linalg::YieldOp::create(
                   b, loc, combine(b, loc, elements[0], elements[1]));
             })
      .getResult(0);
}

Value AttentionLowering::rowMaximum(Value scores) {
  return reduce(scores, kMinusInfinity,
                [](OpBuilder &b, Location loc, Value x, Value y) -> Value {
                  return arith::MaximumFOp::create(b, loc, x, y);
                });
}

/// exp(t - maximum). A row that is empty, maximum -inf, has weights of zero.
Value AttentionLowering::weights(Value scores, Value maximum) {
  return generic({scores, maximum}, {{0, 1, 2, 3}, {0, 1, 2}},
                 empty(scoreSizes, real), {0, 1, 2, 3}, /*loops=*/4,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   Value isEmpty = isMinusInfinity(b, loc, elements[1]);
                   Value shift = arith::SelectOp::create(
                       b, loc, isEmpty, constant(b, loc, 0.0), elements[1]);
                   Value x = arith::SubFOp::create(b, loc, elements[0], shift);
                   return math::ExpOp::create(b, loc, x);
                 });
}

Value AttentionLowering::rowSum(Value weights) {
  return reduce(weights, 0.0,
                [](OpBuilder &b, Location loc, Value x, Value y) -> Value {
                  return arith::AddFOp::create(b, loc, x, y);
                });
}

/// sum over kv of weight * value[b,hk,kv,:]. What is dropped adds nothing,
/// whatever the value is: zero times NaN would.
Value AttentionLowering::weightedValues(Value scores, Value weights) {
  SmallVector<OpFoldResult> sizes(rowSizes());
  sizes.push_back(builder.getIndexAttr(op.getValueDim()));
  return generic({scores, weights}, {{0, 1, 2, 4}, {0, 1, 2, 4}},
                 filled(sizes, real, 0.0), {0, 1, 2, 3}, /*loops=*/5,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   auto index = [&](int64_t i) -> Value {
                     return linalg::IndexOp::create(b, loc, i);
                   };
                   Value value = elementOfHead(b, loc, op.getValue(), index(0),
                                               index(1), index(4), index(3));
                   Value product =
                       arith::MulFOp::create(b, loc, elements[1], value);
                   Value added = arith::SelectOp::create(
                       b, loc, isMinusInfinity(b, loc, elements[0]),
                       constant(b, loc, 0.0), product);
                   return arith::AddFOp::create(b, loc, elements[2], added);
                 });
}

/// sums / denominator in the element type; 0 in a row that is empty.
Value AttentionLowering::normalize(Value sums, Value denominator) {
  SmallVector<OpFoldResult> sizes(rowSizes());
  sizes.push_back(builder.getIndexAttr(op.getValueDim()));
  auto type = cast<FloatType>(op.getElementType());
  return generic({sums, denominator}, {{0, 1, 2, 3}, {0, 1, 2}},
                 empty(sizes, type), {0, 1, 2, 3}, /*loops=*/4,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   Value zero = constant(b, loc, 0.0);
                   Value isEmpty = arith::CmpFOp::create(
                       b, loc, arith::CmpFPredicate::OEQ, elements[1], zero);
                   Value quotient =
                       arith::DivFOp::create(b, loc, elements[0], elements[1]);
                   quotient =
                       arith::SelectOp::create(b, loc, isEmpty, zero, quotient);
                   return convert(b, loc, quotient, type);
                 });
}

/// maximum + log denominator; -inf, not NaN, in a row that is empty.
Value AttentionLowering::logSumExp(Value maximum, Value denominator) {
  return generic({maximum, denominator}, {{0, 1, 2}, {0, 1, 2}},
                 empty(rowSizes(), builder.getF32Type()), {0, 1, 2},
                 /*loops=*/3,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   Value log = math::LogOp::create(b, loc, elements[1]);
                   Value sum = arith::AddFOp::create(b, loc, elements[0], log);
                   return convert(b, loc, sum, b.getF32Type());
                 });
}

LogicalResult AttentionLowering::lower() {
  if (ModOp mod = op.lookupMod(); mod && !mod.standsAlone())
    return op.emitOpError() << "expects '@" << mod.getSymName()
                            << "' to apply no other mod: run attn-inline-mods";
  Value scores = applyMod(dotProducts());
  Value maximum = rowMaximum(scores);
  Value weight = weights(scores, maximum);
  Value denominator = rowSum(weight);
  SmallVector<Value> results{
      normalize(weightedValues(scores, weight), denominator)};
  if (op.getLse())
    results.push_back(logSumExp(maximum, denominator));
  for (auto [result, old] : llvm::zip_equal(results, op.getResults())) {
    if (result.getType() != old.getType())
      result = tensor::CastOp::create(builder, old.getType(), result);
    old.replaceAllUsesWith(result);
  }
  op.erase();
  return success();
}

namespace {
struct AttnToLinalgPass
    : public mlir::attn::impl::AttnToLinalgPassBase<AttnToLinalgPass> {
  using AttnToLinalgPassBase::AttnToLinalgPassBase;

  void runOnOperation() override {
    if (precision != "f64" && precision != "f32") {
      emitError(getOperation().getLoc())
          << "expects 'precision' f64 or f32, got '" << precision << "'";
      return signalPassFailure();
    }
    FloatType real = Float64Type::get(&getContext());
    if (precision == "f32")
      real = Float32Type::get(&getContext());
    WalkResult walk = getOperation().walk([&](AttentionOp op) {
      return WalkResult(AttentionLowering(op, real).lower());
    });
    if (walk.wasInterrupted())
      return signalPassFailure();
    eraseUnusedMods();
  }

  /// A mod that nothing names any more would only stand in the way of what
  /// translates the rest, and so would what makes its data.
  void eraseUnusedMods() {
    for (ModOp mod : llvm::make_early_inc_range(getOperation().getOps<ModOp>()))
      if (mod.symbolKnownUseEmpty(getOperation()))
        mod.erase();
    for (auto fill :
         llvm::make_early_inc_range(getOperation().getOps<FillOp>()))
      if (fill.symbolKnownUseEmpty(getOperation()))
        fill.erase();
  }
};
} // namespace
