// See ModOnTiles.h.
#include "ModOnTiles.h"

#include "CaptureSumKernels.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

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

Value ModOnTiles::score(Value products, Value firstColumn) {
  if (!scoreProgram.isEmpty())
    return scoreProgram.onTiles(products, firstColumn,
                                [&](ValueRange in,
                                    TileProgram::Evaluate evaluate,
                                    bool) { return evaluate(scaled(in[0])); });
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

Value ModOnTiles::ifNot(float none, Value of, Value value) {
  Value out =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, of, t.f32(none));
  return arith::SelectOp::create(b, out, t.f32(0), value);
}

Value ModOnTiles::ifKept(Value score, Value value) {
  // Where a pair is left out the derivative may be anything.
  return ifNot(-INFINITY, score, value);
}

bool ModOnTiles::passesGradientsOn() const {
  return adjointProgram.isEmpty() || adjointProgram.yieldsArgument(1);
}

Value ModOnTiles::adjoint(Value products, Value gradients, Value masked,
                          Value firstColumn) {
  if (passesGradientsOn())
    return gradients;
  return adjointProgram.onTiles(
      {gradients, products, masked}, firstColumn,
      [&](ValueRange in, TileProgram::Evaluate evaluate, bool) -> Value {
        return ifKept(in[2], evaluate({scaled(in[1]), in[0]}));
      });
}

Value ModOnTiles::additions(ArrayRef<AccumulateOp> parts, Value products,
                            Value gradients, Value masked, Value firstColumn) {
  // Where nothing else reads the scores any more, a gradient of zero says it:
  // a tile of them takes many registers.
  bool byGradient = passesGradientsOn();
  SmallVector<Value> inputs{gradients, products};
  if (!byGradient)
    inputs.push_back(masked);
  return adjointProgram.onTiles(
      inputs, firstColumn,
      [&](ValueRange in, TileProgram::Evaluate evaluate, bool) -> Value {
        Value sum;
        evaluate({scaled(in[1]), in[0]},
                 [&](OpBuilder &, AccumulateOp part, ValueRange, Value value) {
                   if (llvm::is_contained(parts, part))
                     sum = sum ? arith::AddFOp::create(b, sum, value) : value;
                 });
        return byGradient ? ifNot(0, in[0], sum) : ifKept(in[2], sum);
      });
}

Value ModOnTiles::additionsInside(ArrayRef<AccumulateOp> parts, Value products,
                                  Value gradients, Value masked,
                                  Value firstColumn) {
  return inside(additions(parts, products, gradients, masked, firstColumn));
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
