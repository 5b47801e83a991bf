// See TensorScores.h.
#include "TensorScores.h"

#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::attn;

double TensorScores::defaultScale(int64_t headDim) {
  return 1.0 / std::sqrt(double(headDim));
}

void TensorScores::findSizes() {
  auto sizes = tensor::getMixedSizes(builder, builder.getLoc(), query);
  auto keySizes = tensor::getMixedSizes(builder, builder.getLoc(), key);
  scoreSizes = {sizes[0], sizes[1], sizes[2], keySizes[2]};
  if (pages)
    scoreSizes[3] =
        arith::MulIOp::create(builder, tensor::DimOp::create(builder, pages, 1),
                              tensor::DimOp::create(builder, key, 2))
            .getResult();
  // No heads at all: the quotient is not used.
  auto index = [&](OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(builder, builder.getLoc(), size);
  };
  Value one = arith::ConstantIndexOp::create(builder, 1);
  Value keyHeads = arith::MaxUIOp::create(builder, index(keySizes[1]), one);
  group = arith::DivUIOp::create(builder, index(sizes[1]), keyHeads);
}

/// `value` as a float of type `to`. Between 16 bits and f64 through f32: those
/// conversions have no instruction and often no library function, and a second
/// rounding is far below what an oracle of 16-bit results resolves.
Value TensorScores::convert(OpBuilder &b, Location loc, Value value,
                            FloatType to) {
  unsigned from = cast<FloatType>(value.getType()).getWidth();
  if (value.getType() == to)
    return value;
  if (from + to.getWidth() == 16 + 64)
    return convert(b, loc, convert(b, loc, value, b.getF32Type()), to);
  if (from < to.getWidth())
    return arith::ExtFOp::create(b, loc, to, value);
  return arith::TruncFOp::create(b, loc, to, value);
}

Value TensorScores::filled(ArrayRef<OpFoldResult> sizes, Type type,
                           double value) {
  Value element =
      arith::ConstantOp::create(builder, builder.getFloatAttr(type, value));
  return linalg::FillOp::create(builder, element, empty(sizes, type))
      .getResult(0);
}

Value TensorScores::empty(ArrayRef<OpFoldResult> sizes, Type type) {
  return tensor::EmptyOp::create(builder, sizes, type);
}

Value TensorScores::constant(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(b, loc, b.getFloatAttr(real, value));
}

Value TensorScores::isMinusInfinity(OpBuilder &b, Location loc, Value value) {
  return arith::CmpFOp::create(
      b, loc, arith::CmpFPredicate::OEQ, value,
      constant(b, loc, -std::numeric_limits<double>::infinity()));
}

SmallVector<OpFoldResult> TensorScores::rowSizesAnd(int64_t channels) {
  SmallVector<OpFoldResult> sizes(rowSizes());
  sizes.push_back(builder.getIndexAttr(channels));
  return sizes;
}

/// A linalg.generic of `loops` loops, of which those that `outDims` does not
/// name are reductions. `body` gets the elements of inputs, then of `init`.
Value TensorScores::generic(ValueRange inputs,
                            ArrayRef<ArrayRef<unsigned>> inputDims, Value init,
                            ArrayRef<unsigned> outDims, unsigned loops,
                            Body body) {
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

/// Combines each row of scores, over the keys.
Value TensorScores::reduce(
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

/// tensor[batch, head / group, key, channel] as `real`.
Value TensorScores::elementOfHead(OpBuilder &b, Location loc, Value tensor,
                                  Value batch, Value head, Value key,
                                  Value channel) {
  Value keyHead = arith::DivUIOp::create(b, loc, head, group);
  auto elementAt = [&](Value first, Value row) -> Value {
    Value element = tensor::ExtractOp::create(
        b, loc, tensor, ValueRange{first, keyHead, row, channel});
    return convert(b, loc, element, real);
  };
  if (!pages)
    return elementAt(batch, key);
  auto [page, exists] = pageOf(b, loc, batch, key);
  auto read = scf::IfOp::create(b, loc, real, exists, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(read.thenBlock());
  Value rows = tensor::DimOp::create(b, loc, tensor, 2);
  Value row = arith::RemUIOp::create(b, loc, key, rows);
  scf::YieldOp::create(b, loc, elementAt(page, row));
  b.setInsertionPointToStart(read.elseBlock());
  scf::YieldOp::create(b, loc, constant(b, loc, 0.0));
  return read.getResult(0);
}

std::pair<Value, Value> TensorScores::pageOf(OpBuilder &b, Location loc,
                                             Value batch, Value key) {
  Value rows = tensor::DimOp::create(b, loc, this->key, 2);
  Value entry = arith::DivUIOp::create(b, loc, key, rows);
  Value page =
      tensor::ExtractOp::create(b, loc, pages, ValueRange{batch, entry});
  page = arith::IndexCastOp::create(b, loc, b.getIndexType(), page);
  // Below zero is far beyond.
  Value exists =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, page,
                            tensor::DimOp::create(b, loc, this->key, 0));
  return {page, exists};
}

/// dot(query[b,h,q,:], key[b,hk,kv,:])
Value TensorScores::dotProducts() {
  return generic(query, {{0, 1, 2, 4}}, filled(scoreSizes, real, 0.0),
                 {0, 1, 2, 3}, /*loops=*/5,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   auto index = [&](int64_t i) -> Value {
                     return linalg::IndexOp::create(b, loc, i);
                   };
                   Value x = convert(b, loc, elements[0], real);
                   Value batch = keyBatchOf(b, loc, index(0), index(2));
                   Value y = elementOfHead(b, loc, key, batch, index(1),
                                           index(3), index(4));
                   Value product = arith::MulFOp::create(b, loc, x, y);
                   return arith::AddFOp::create(b, loc, elements[1], product);
                 });
}

/// Reads a captured tensor in memory that linalg still calls a tensor.
Value mlir::attn::loadFromTensor(OpBuilder &b, LoadOp load, ValueRange indices,
                                 Value table) {
  Location loc = load.getLoc();
  SmallVector<Value> places = placesInTable(
      b, loc, load.getIndices(), indices, [&](int64_t i) -> Value {
        return tensor::DimOp::create(b, loc, table, i);
      });
  return tensor::ExtractOp::create(b, loc, table, places);
}

SmallVector<Value> TensorScores::loopIndices(OpBuilder &b, Location loc) {
  SmallVector<Value> indices;
  for (int64_t i = 0; i < 4; ++i)
    indices.push_back(linalg::IndexOp::create(b, loc, i));
  return indices;
}

SmallVector<Value> TensorScores::modArguments(OpBuilder &b, Location loc,
                                              Value score,
                                              ValueRange positions) {
  Value s = arith::MulFOp::create(b, loc, score, constant(b, loc, scale));
  SmallVector<Value> arguments{convert(b, loc, s, b.getF32Type())};
  Value sequence = sequenceOf(b, loc, positions[0], positions[2]);
  Value query = positions[2], key = positions[3];
  if (queryRows)
    query = queryRows.positionIn(b, loc, sequence, query);
  if (keyRows)
    key = keyRows.positionIn(b, loc, sequence, key);
  for (Value position : {sequence, positions[1], query, key})
    arguments.push_back(
        arith::IndexCastOp::create(b, loc, b.getI32Type(), position));
  if (!queryOffset)
    return arguments;
  Value offset = queryOffset;
  if (isa<RankedTensorType>(offset.getType()))
    offset = tensor::ExtractOp::create(b, loc, offset, sequence);
  arguments[3] = arith::AddIOp::create(b, loc, arguments[3], offset);
  return arguments;
}

Value TensorScores::sequenceOf(OpBuilder &b, Location loc, Value batch,
                               Value row) {
  if (!queryRows)
    return batch;
  return arith::MaxSIOp::create(b, loc, queryRows.sequenceOf(b, loc, row),
                                arith::ConstantIndexOp::create(b, loc, 0));
}

Value TensorScores::keyBatchOf(OpBuilder &b, Location loc, Value batch,
                               Value row) {
  if (keyRows)
    return arith::ConstantIndexOp::create(b, loc, 0);
  return sequenceOf(b, loc, batch, row);
}

Value TensorScores::areTogether(OpBuilder &b, Location loc,
                                ValueRange positions) {
  if (!queryRows && !keyRows)
    return Value();
  Value ofQuery =
      queryRows ? queryRows.sequenceOf(b, loc, positions[2]) : positions[0];
  Value ofKey = keyRows ? keyRows.sequenceOf(b, loc, positions[3]) : ofQuery;
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  return arith::AndIOp::create(
      b, loc,
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, ofQuery, ofKey),
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, ofQuery, zero));
}

Value TensorScores::scoreOf(OpBuilder &b, Location loc, Value score,
                            ValueRange arguments) {
  if (mod && mod.hasScore())
    return convert(
        b, loc,
        inlineProgram(b, mod.getScore(), captures, arguments, loadFromTensor),
        real);
  return arith::MulFOp::create(b, loc, score, constant(b, loc, scale));
}

Value TensorScores::keepOf(OpBuilder &b, ValueRange arguments) {
  Location loc = builder.getLoc();
  Value keep;
  auto also = [&](Value condition) {
    keep = keep ? arith::AndIOp::create(b, loc, keep, condition) : condition;
  };
  auto toIndex = [&](Value position) -> Value {
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), position);
  };
  if (mod && mod.hasMask())
    also(inlineProgram(b, mod.getMask(), captures, arguments.drop_front(),
                       loadFromTensor));
  Value batch = arguments[1], key = arguments[4];
  if (lengths)
    also(arith::CmpIOp::create(
        b, loc, arith::CmpIPredicate::slt, key,
        tensor::ExtractOp::create(b, loc, lengths, toIndex(batch))));
  if (pages)
    also(pageOf(b, loc, toIndex(batch), toIndex(key)).second);
  return keep;
}

void TensorScores::replace(Operation *op, ValueRange results) {
  for (auto [result, old] : llvm::zip_equal(results, op->getResults())) {
    if (result.getType() != old.getType())
      result = tensor::CastOp::create(builder, old.getType(), result);
    old.replaceAllUsesWith(result);
  }
  op->erase();
}

LogicalResult mlir::attn::checkStandsAlone(Operation *op, ModOp mod) {
  if (!mod || mod.standsAlone())
    return success();
  return op->emitOpError() << "expects '@" << mod.getSymName()
                           << "' to apply no other mod: run attn-inline-mods";
}
