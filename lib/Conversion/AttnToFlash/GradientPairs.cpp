// See GradientPairs.h.
#include "GradientPairs.h"

#include "attn/Analysis/ScoreForm.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

static constexpr double log2e = 1.4426950408889634;

Value GradientPairs::product(Value owned, Value visitor, Value statistic,
                             float divisor) {
  Value start = splat({own.tile, visited.tile}, 0);
  if (statistic)
    start = elementwise(
        {statistic}, start.getType(),
        [&](ValueRange in) -> Value {
          return arith::MulFOp::create(b, in[0], f32(-1 / divisor));
        },
        Along::Columns);
  return contract(owned, visitor, start, /*transposed=*/true);
}

bool GradientPairs::startsWithStatistics() {
  constexpr float leastScale = 0x1p-20f;
  return !ownsQueries() && rounds && hasFewRegisters &&
         scoreFormOf(op.lookupMod()) == ScoreForm::Additive &&
         std::abs(op.getScaleValue()) >= leastScale;
}

Pairs GradientPairs::weigh(ModOnTiles &mod, const Visit &visit, Value owned,
                           Value visitor, const Statistics &queries) {
  double scale = op.getScaleValue();
  Value lse = queries.lse, start;
  if (startsWithStatistics())
    std::swap(lse, start);
  TileProgram::PairRead read;
  if (readsAhead)
    read = mod.readPairs(
        RankedTensorType::get({own.tile, visited.tile}, b.getF32Type()),
        visit.first);
  Value products =
      product(owned, visitor, start, static_cast<float>(log2e * scale));
  if (isolated)
    products = either(
        isolated.getAny(),
        [&] {
          return elementwise({products, isolated.getRows()}, products.getType(),
                             [&](ValueRange in) -> Value {
                               return arith::AddFOp::create(b, in[0], in[1]);
                             });
        },
        [&] { return products; });
  // What scales products alone is part of what scales exponents.
  double factor = mod.hasScore() ? log2e : log2e * scale;
  Value scores =
      mod.hasScore() ? mod.score(products, visit.first, read) : products;
  scores = either(
      visit.partial,
      [&] {
        Value masked = mod.mask(scores, visit.first);
        return ownEnd ? keepOwned(masked) : masked;
      },
      [&] { return scores; });
  auto weight = [&](ValueRange in, Value lse) -> Value {
    Value x = arith::MulFOp::create(b, in[0], f32(static_cast<float>(factor)));
    return math::Exp2Op::create(
        b, lse ? arith::SubFOp::create(b, x, lse).getResult() : x);
  };
  // Behind the last query statistics may be anything.
  Value weights = either(
      visit.partial,
      [&] {
        return withStatistic(
            {scores}, lse, [&](ValueRange in, Value lse) -> Value {
              Value out = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ,
                                                in[0], f32(-INFINITY));
              return arith::SelectOp::create(b, out, f32(0), weight(in, lse));
            });
      },
      [&] { return withStatistic({scores}, lse, weight); });
  return {products, weights, /*gradients=*/{}};
}

/// Minus infinity behind the last of the owned positions: with a very small
/// LSE their weights would be infinite. What they add to is not stored, but
/// for gradients of queries.
Value GradientPairs::keepOwned(Value scores) {
  return elementwise({scores}, scores.getType(), [&](ValueRange in) -> Value {
    Value row = linalg::IndexOp::create(b, 0);
    Value inside =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, ownEnd);
    return arith::SelectOp::create(b, inside, in[0], f32(-INFINITY));
  });
}

void GradientPairs::addGradients(Pairs &pairs, const Visit &visit,
                                 Value ofWeights, const Statistics &queries) {
  auto times = [&](ValueRange in, Value delta) -> Value {
    Value x =
        delta ? arith::SubFOp::create(b, in[0], delta).getResult() : in[0];
    return arith::MulFOp::create(b, in[1], x);
  };
  pairs.gradients = either(
      visit.partial,
      [&] {
        return withStatistic({ofWeights, pairs.weights}, queries.delta,
                             [&](ValueRange in, Value delta) -> Value {
                               Value none = arith::CmpFOp::create(
                                   b, arith::CmpFPredicate::OEQ, in[1], f32(0));
                               return arith::SelectOp::create(b, none, f32(0),
                                                              times(in, delta));
                             });
      },
      [&] {
        return withStatistic({ofWeights, pairs.weights}, queries.delta, times);
      });
}

Value GradientPairs::ofScores(ModOnTiles &mod, const Visit &visit,
                              const Pairs &pairs) {
  return rounded(mod.adjoint(pairs.products, pairs.gradients, visit.first));
}

/// Elementwise on tiles, with a statistic of each element's query. Null: what
/// it is subtracted from has started with it.
Value GradientPairs::withStatistic(
    ValueRange tiles, Value statistic,
    llvm::function_ref<Value(ValueRange elements, Value)> body) {
  SmallVector<Value> inputs(tiles);
  if (!statistic)
    return elementwise(inputs, tiles[0].getType(),
                       [&](ValueRange in) { return body(in, Value()); });
  inputs.push_back(statistic);
  return elementwise(
      inputs, tiles[0].getType(),
      [&](ValueRange in) { return body(in.drop_back(), in.back()); },
      ownsQueries() ? Along::Rows : Along::Columns);
}
