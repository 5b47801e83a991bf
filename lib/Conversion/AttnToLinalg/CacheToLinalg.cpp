// See CacheToLinalg.h. The definitions as they are written down, the obvious
// way.
#include "CacheToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <limits>

using namespace mlir;
using namespace mlir::attn;

using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// MergeOp
//===----------------------------------------------------------------------===//

namespace {
class MergeLowering {
public:
  MergeLowering(MergeOp op, FloatType real)
      : op(op), real(real), b(op.getLoc(), op),
        parts(static_cast<unsigned>(op.getOuts().size())) {}

  void lower() {
    SmallVector<Value> results{
        elementwise(/*loops=*/4, op.getOut().getType(),
                    [&](ValueRange in) { return mean(weightsOf(in), in); })};
    if (op.getLse())
      results.push_back(elementwise(
          /*loops=*/3, op.getLse().getType(),
          [&](ValueRange in) { return logSumExp(weightsOf(in)); }));
    op->replaceAllUsesWith(results);
    op.erase();
  }

private:
  /// exp(lse_i - base) of each part, and of the sink behind them.
  struct Weights {
    Value base;
    SmallVector<Value> each;
    Value sum;
  };

  /// Over batch, head, query and, of four loops, channel. `body` gets the
  /// LSEs, the sink if there is one, and with four loops the outs.
  Value elementwise(unsigned loops, Type type,
                    llvm::function_ref<Value(ValueRange)> body) {
    SmallVector<Value> inputs(op.getLses());
    SmallVector<AffineMap> maps(
        parts, AffineMap::getMultiDimIdentityMap(loops, op.getContext())
                   .getMajorSubMap(3));
    if (op.getSink()) {
      inputs.push_back(op.getSink());
      maps.push_back(AffineMap::get(loops, 0, b.getAffineDimExpr(1)));
    }
    if (loops == 4) {
      llvm::append_range(inputs, op.getOuts());
      maps.append(parts, b.getMultiDimIdentityMap(4));
    }
    maps.push_back(b.getMultiDimIdentityMap(loops));
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, b.getLoc(), op.getOuts()[0]);
    sizes.resize(loops);
    Value init = tensor::EmptyOp::create(b, sizes, tensor.getElementType());
    SmallVector<utils::IteratorType> iterators(loops,
                                               utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        b, init.getType(), inputs, init, maps, iterators,
        [&](OpBuilder &nested, Location, ValueRange in) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          linalg::YieldOp::create(b, toType(body(in), tensor.getElementType()));
        });
    Value result = generic.getResult(0);
    if (result.getType() != type)
      result = tensor::CastOp::create(b, type, result);
    return result;
  }

  Weights weightsOf(ValueRange in) {
    SmallVector<Value> exponents;
    for (unsigned i = 0; i < parts; ++i)
      exponents.push_back(ofPart(i, toType(in[i], real)));
    if (op.getSink())
      exponents.push_back(toType(in[parts], real));
    Value greatest = minusInfinity();
    for (Value exponent : exponents)
      greatest = arith::MaximumFOp::create(b, greatest, exponent);
    Weights weights;
    weights.base = arith::SelectOp::create(b, is(greatest, minusInfinity()),
                                           number(0), greatest);
    weights.sum = number(0);
    for (Value exponent : exponents) {
      weights.each.push_back(math::ExpOp::create(
          b, arith::SubFOp::create(b, exponent, weights.base)));
      weights.sum = arith::AddFOp::create(b, weights.sum, weights.each.back());
    }
    return weights;
  }

  /// The LSE of a part, -inf if it does not count.
  Value ofPart(unsigned part, Value lse) {
    if (!op.getCount())
      return lse;
    Value number = arith::ConstantIntOp::create(b, part, 32);
    Value counts =
        arith::CmpIOp::create(b, Predicate::slt, number, op.getCount());
    return arith::SelectOp::create(b, counts, lse, minusInfinity());
  }

  Value mean(const Weights &weights, ValueRange in) {
    ValueRange outs = in.take_back(parts + 1).drop_back();
    Value sum = number(0);
    for (unsigned i = 0; i < parts; ++i) {
      Value product =
          arith::MulFOp::create(b, weights.each[i], toType(outs[i], real));
      Value added = arith::SelectOp::create(b, is(weights.each[i], number(0)),
                                            number(0), product);
      sum = arith::AddFOp::create(b, sum, added);
    }
    return arith::SelectOp::create(b, is(weights.sum, number(0)), number(0),
                                   arith::DivFOp::create(b, sum, weights.sum));
  }

  Value logSumExp(const Weights &weights) {
    return arith::AddFOp::create(b, weights.base,
                                 math::LogOp::create(b, weights.sum));
  }

  Value number(double value) {
    return arith::ConstantOp::create(b, b.getFloatAttr(real, value));
  }
  Value minusInfinity() {
    return number(-std::numeric_limits<double>::infinity());
  }
  Value is(Value x, Value y) {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
  }
  Value toType(Value x, Type type) {
    unsigned from = x.getType().getIntOrFloatBitWidth(),
             to = type.getIntOrFloatBitWidth();
    if (from == to)
      return x;
    if (from < to)
      return arith::ExtFOp::create(b, type, x);
    return arith::TruncFOp::create(b, type, x);
  }

  MergeOp op;
  FloatType real;
  ImplicitLocOpBuilder b;
  unsigned parts;
};
} // namespace

void mlir::attn::lowerMergeToLinalg(MergeOp op, FloatType real) {
  MergeLowering(op, real).lower();
}

//===----------------------------------------------------------------------===//
// AppendOp
//===----------------------------------------------------------------------===//

namespace {
class AppendLowering {
public:
  explicit AppendLowering(AppendOp op) : op(op), b(op.getLoc(), op) {}

  void lower() {
    Value sequences = dim(op.getLengths(), 0), heads = dim(op.getNewKey(), 1);
    SmallVector<Value> cache = loop(
        sequences, {op.getKey(), op.getValue()},
        [&](Value sequence, ValueRange ofAll) {
          std::pair<Value, Value> rows = newRowsOf(sequence);
          Value first = rows.first, count = rows.second;
          return loop(count, ofAll, [&](Value row, ValueRange ofSequence) {
            return loop(heads, ofSequence, [&](Value head, ValueRange before) {
              Value from = arith::AddIOp::create(b, first, row);
              return appendRow(sequence, head, row, from, before);
            });
          });
        });
    op->replaceAllUsesWith(cache);
    op.erase();
  }

private:
  using Body = llvm::function_ref<SmallVector<Value>(Value, ValueRange)>;

  SmallVector<Value> loop(Value count, ValueRange start, Body body) {
    auto loop = scf::ForOp::create(
        b, index(0), count, index(1), start,
        [&](OpBuilder &nested, Location, Value i, ValueRange carried) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          scf::YieldOp::create(b, body(i, carried));
        });
    return llvm::to_vector_of<Value>(loop.getResults());
  }

  /// Where the new rows of a sequence begin, and how many they are.
  std::pair<Value, Value> newRowsOf(Value sequence) {
    Value rows = dim(op.getNewKey(), 2);
    if (!op.getStarts())
      return {index(0), rows};
    Value first = clamped(at(op.getStarts(), sequence), rows);
    Value next = arith::AddIOp::create(b, sequence, index(1));
    Value end = clamped(at(op.getStarts(), next), rows);
    return {first, arith::SubIOp::create(b, end, first)};
  }

  /// Key and value of `cache` with new row `number` of the sequence, which is
  /// row `from` of its tensor.
  SmallVector<Value> appendRow(Value sequence, Value head, Value number,
                               Value from, ValueRange cache) {
    Value length =
        arith::MaxSIOp::create(b, at(op.getLengths(), sequence), index(0));
    Value position = arith::AddIOp::create(b, length, number);
    Value rows = dim(op.getKey(), 2), room = rows;
    if (op.getPages())
      room = arith::MulIOp::create(b, dim(op.getPages(), 1), rows);
    Value batch = op.getStarts() ? index(0) : sequence;
    return onlyIf(is(Predicate::slt, position, room), cache, [&] {
      if (!op.getPages())
        return withRow({batch, head, from}, {sequence, head, position}, cache);
      Value entry = arith::DivSIOp::create(b, position, rows);
      Value page = at(op.getPages(), {sequence, entry});
      Value isPage =
          arith::AndIOp::create(b, is(Predicate::sge, page, index(0)),
                                is(Predicate::slt, page, dim(op.getKey(), 0)));
      return onlyIf(isPage, cache, [&] {
        Value row = arith::RemSIOp::create(b, position, rows);
        return withRow({batch, head, from}, {page, head, row}, cache);
      });
    });
  }

  SmallVector<Value> withRow(ArrayRef<Value> from, ArrayRef<Value> to,
                             ValueRange cache) {
    SmallVector<Value> result, news{op.getNewKey(), op.getNewValue()};
    for (auto [rows, tensor] : llvm::zip(news, cache)) {
      int64_t channels = cast<RankedTensorType>(tensor.getType()).getDimSize(3);
      SmallVector<OpFoldResult> source = getAsOpFoldResult(from),
                                target = getAsOpFoldResult(to);
      source.push_back(b.getIndexAttr(0));
      target.push_back(b.getIndexAttr(0));
      SmallVector<OpFoldResult> ones(4, b.getIndexAttr(1)), sizes = ones;
      sizes.back() = b.getIndexAttr(channels);
      Value row = tensor::ExtractSliceOp::create(b, rows, source, sizes, ones);
      result.push_back(
          tensor::InsertSliceOp::create(b, row, tensor, target, sizes, ones));
    }
    return result;
  }

  SmallVector<Value> onlyIf(Value condition, ValueRange otherwise,
                            llvm::function_ref<SmallVector<Value>()> then) {
    auto branch = scf::IfOp::create(b, otherwise.getTypes(), condition,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, then());
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, otherwise);
    return llvm::to_vector_of<Value>(branch.getResults());
  }

  Value at(Value tensor, ValueRange indices) {
    Value element = tensor::ExtractOp::create(b, tensor, indices);
    return arith::IndexCastOp::create(b, b.getIndexType(), element);
  }
  Value clamped(Value x, Value high) {
    return arith::MinSIOp::create(b, arith::MaxSIOp::create(b, x, index(0)),
                                  high);
  }
  Value dim(Value tensor, int64_t i) {
    return tensor::DimOp::create(b, tensor, i);
  }
  Value is(Predicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(b, predicate, x, y);
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  AppendOp op;
  ImplicitLocOpBuilder b;
};
} // namespace

void mlir::attn::lowerAppendToLoops(AppendOp op) { AppendLowering(op).lower(); }
