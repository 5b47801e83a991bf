// See ModOnTiles.h.
#include "ModOnTiles.h"

#include "CaptureSumKernels.h"

#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

static bool isFinite(Value value) {
  FloatAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return constant.getValue().isFinite();
  return value.getType().isF32() &&
         value.getDefiningOp<arith::SIToFPOp>() != nullptr;
}

/// Whether `value` is 0 wherever `gradient` is, as a sum of finite multiples of
/// it.
static bool vanishesWith(Value value, Value gradient) {
  if (value == gradient)
    return true;
  Operation *source = value.getDefiningOp();
  auto vanishes = [&](unsigned i) {
    return vanishesWith(source->getOperand(i), gradient);
  };
  if (isa_and_nonnull<arith::NegFOp>(source))
    return vanishes(0);
  if (isa_and_nonnull<arith::AddFOp, arith::SubFOp>(source))
    return vanishes(0) && vanishes(1);
  return isa_and_nonnull<arith::MulFOp>(source) &&
         ((vanishes(0) && isFinite(source->getOperand(1))) ||
          (vanishes(1) && isFinite(source->getOperand(0))));
}

ModOnTiles::ModOnTiles(TileBuilder &tiles, ModOp mod, double scale,
                       ValueRange captures, const ScorePosition &at)
    : t(tiles), b(tiles.b), scale(static_cast<float>(scale)),
      captures(captures),
      scoreProgram(tiles, mod ? mod.getScore() : nothing, captures, at),
      maskProgram(tiles, mod ? mod.getMask() : nothing, captures, at),
      adjointProgram(tiles, mod ? mod.getAdjoint() : nothing, captures, at) {}

Value ModOnTiles::scaled(Value product) {
  return arith::MulFOp::create(b, product, t.f32(scale));
}

Value ModOnTiles::score(Value products, Value firstColumn,
                        TileProgram::PairRead read) {
  if (!scoreProgram.isEmpty())
    return scoreProgram.onTiles(
        products, firstColumn,
        [&](ValueRange in, TileProgram::Evaluate evaluate, bool) {
          return evaluate(scaled(in[0]));
        },
        /*elementType=*/{}, read);
  if (scale == 1.0f)
    return products;
  return t.elementwise({products}, products.getType(),
                       [&](ValueRange in) { return scaled(in[0]); });
}

Value ModOnTiles::mask(Value scores, Value firstColumn, KeepColumn keepColumn) {
  auto select = [&](Value keep, Value s) -> Value {
    if (keepColumn)
      keep = arith::AndIOp::create(b, keep,
                                   keepColumn(maskProgram.column(firstColumn)));
    return arith::SelectOp::create(b, keep, s, t.f32(-INFINITY));
  };
  if (maskProgram.isEmpty())
    return t.elementwise({scores}, scores.getType(), [&](ValueRange in) {
      return select(maskProgram.isInside(firstColumn), in[0]);
    });
  return maskProgram.onTiles(
      scores, firstColumn,
      [&](ValueRange in, TileProgram::Evaluate evaluate,
          bool wholeTile) -> Value {
        if (wholeTile)
          return select(evaluate({}), in[0]);
        Value inside = maskProgram.isInside(firstColumn);
        return select(arith::AndIOp::create(b, inside, evaluate({})), in[0]);
      });
}

/// Scores would say it too, but nothing else looks at them any more, and a tile
/// of them takes many registers.
Value ModOnTiles::ifAny(Value gradient, Value value,
                        ArrayRef<Value> inProgram) {
  if (llvm::all_of(inProgram, [&](Value part) {
        return vanishesWith(part, adjointProgram.argument(1));
      }))
    return value;
  Value none =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, gradient, t.f32(0));
  return arith::SelectOp::create(b, none, t.f32(0), value);
}

Value ModOnTiles::adjoint(Value products, Value gradients, Value firstColumn) {
  if (adjointProgram.isEmpty() ||
      adjointProgram.result() == adjointProgram.argument(1))
    return gradients;
  return adjointProgram.onTiles(
      {gradients, products}, firstColumn,
      [&](ValueRange in, TileProgram::Evaluate evaluate, bool) -> Value {
        return ifAny(in[0], evaluate({scaled(in[1]), in[0]}),
                     adjointProgram.result());
      });
}

Value ModOnTiles::additions(ArrayRef<AccumulateOp> parts, Value products,
                            Value gradients, Value firstColumn) {
  SmallVector<Value> values;
  for (AccumulateOp part : parts)
    values.push_back(part.getValue());
  return adjointProgram.onTiles(
      {gradients, products}, firstColumn,
      [&](ValueRange in, TileProgram::Evaluate evaluate, bool) -> Value {
        Value sum;
        evaluate({scaled(in[1]), in[0]},
                 [&](OpBuilder &, AccumulateOp part, ValueRange, Value value) {
                   if (llvm::is_contained(parts, part))
                     sum = sum ? arith::AddFOp::create(b, sum, value) : value;
                 });
        return ifAny(in[0], sum, values);
      });
}

Value ModOnTiles::additionsInside(ArrayRef<AccumulateOp> parts, Value products,
                                  Value gradients, Value firstColumn) {
  return inside(additions(parts, products, gradients, firstColumn));
}

Value ModOnTiles::inside(Value tile) {
  return t.elementwise({tile}, tile.getType(), [&](ValueRange in) -> Value {
    return arith::SelectOp::create(b, adjointProgram.isRowInside(), in[0],
                                   t.f32(0));
  });
}

Value ModOnTiles::places(AccumulateOp part, Value products, Value firstColumn) {
  return adjointProgram.onTiles(
      {products}, firstColumn,
      [&](ValueRange in, TileProgram::Evaluate evaluate, bool) -> Value {
        Value place;
        evaluate({scaled(in[0]), t.f32(0)}, [&](OpBuilder &, AccumulateOp other,
                                                ValueRange indices, Value) {
          if (other == part)
            place = placeOf(t, part, indices, captures);
        });
        return place;
      },
      b.getI64Type());
}
