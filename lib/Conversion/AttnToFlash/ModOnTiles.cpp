// See ModOnTiles.h.
#include "ModOnTiles.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

ModOnTiles::ModOnTiles(TileBuilder &tiles, ModOp mod, double scale,
                       ValueRange captures, const ScorePosition &at)
    : t(tiles), b(tiles.b), scale(static_cast<float>(scale)),
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

Value ModOnTiles::mask(Value scores, Value firstColumn) {
  auto select = [&](Value keep, Value s) -> Value {
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

Value ModOnTiles::adjoint(Value products, Value gradients, Value masked,
                          Value firstColumn) {
  if (adjointProgram.isEmpty() || adjointProgram.yieldsArgument(1))
    return gradients;
  // Where a pair is left out the derivative may be anything.
  return adjointProgram.onTiles(
      {gradients, products, masked}, firstColumn,
      [&](ValueRange in, TileProgram::Evaluate evaluate, bool) -> Value {
        Value out = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, in[2],
                                          t.f32(-INFINITY));
        return arith::SelectOp::create(b, out, t.f32(0),
                                       evaluate({scaled(in[1]), in[0]}));
      });
}
