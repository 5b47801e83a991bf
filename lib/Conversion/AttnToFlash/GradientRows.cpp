// See GradientRows.h.
#include "GradientRows.h"

#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

static constexpr double log2e = 1.4426950408889634;

RowStatistics::RowStatistics(ImplicitLocOpBuilder &builder,
                             AttentionBackwardOp op,
                             const BackwardOperands &operands, int64_t rows)
    : TileBuilder(builder), operands(operands), rows(rows),
      valueDim(llvm::alignTo(op.getValueDim(), 16)) {}

Statistics RowStatistics::make(Value batch, Value head, Value first,
                               Value gradOut) {
  Value at[] = {batch, head, first};
  Value lse = makeLse(at);
  return {lse, makeDelta(at, gradOut)};
}

void RowStatistics::keep(Value statistic, int64_t place, ArrayRef<Value> at) {
  tile::StoreOp::create(b, statistic, operands.statistics,
                        ValueRange{at[0], at[1], index(place), at[2]});
}

Value RowStatistics::makeLse(ArrayRef<Value> at) {
  Value lse = loadRows(operands.lse, at);
  lse = elementwise({lse}, lse.getType(), [&](ValueRange in) -> Value {
    Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, in[0],
                                          f32(-INFINITY));
    return arith::SelectOp::create(b, isEmpty, f32(INFINITY),
                                   arith::MulFOp::create(b, in[0], f32(log2e)));
  });
  keep(lse, placeOfLse, at);
  return lse;
}

Value RowStatistics::makeDelta(ArrayRef<Value> at, Value gradOut) {
  Value out = load(operands.out, at[0], at[1], at[2], rows, valueDim);
  auto type = RankedTensorType::get({rows, valueDim}, b.getF32Type());
  Value products =
      elementwise({out, gradOut}, type, [&](ValueRange in) -> Value {
        return arith::MulFOp::create(b, wide(in[0]), wide(in[1]));
      });
  Value delta = reduceRows<arith::AddFOp>(products, splat({rows}, 0));
  if (operands.gradLse) {
    Value gradLse = loadRows(operands.gradLse, at);
    delta = elementwise({delta, gradLse}, delta.getType(),
                        [&](ValueRange in) -> Value {
                          return arith::SubFOp::create(b, in[0], in[1]);
                        });
  }
  keep(delta, placeOfDelta, at);
  return delta;
}

Value RowStatistics::loadRows(Value memory, ArrayRef<Value> at) {
  return tile::LoadOp::create(b, RankedTensorType::get({rows}, b.getF32Type()),
                              memory, at);
}

Value RowStatistics::wide(Value element) {
  return element.getType().isF32()
             ? element
             : arith::ExtFOp::create(b, b.getF32Type(), element);
}

/// A task for each tile of `rows` queries of `memory`, (batch, heads, queries,
/// channels): `body` emits it, for its batch, head, tile and first query.
static void
forEachTile(ImplicitLocOpBuilder &b, Value memory, int64_t rows,
            llvm::function_ref<void(Value, Value, Value, Value)> body) {
  auto dim = [&](int64_t i) -> Value {
    return memref::DimOp::create(b, memory, i);
  };
  Value size = arith::ConstantIndexOp::create(b, rows);
  Value tiles = arith::CeilDivSIOp::create(b, dim(2), size);
  auto forall = scf::ForallOp::create(
      b, getAsOpFoldResult(ValueRange{dim(0), dim(1), tiles}), ValueRange{},
      std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(forall.getTerminator());
  auto ids = forall.getInductionVars();
  body(ids[0], ids[1], ids[2], arith::MulIOp::create(b, ids[2], size));
}

void mlir::attn::buildGradientStart(ImplicitLocOpBuilder &builder,
                                    AttentionBackwardOp op,
                                    ScheduleAttr schedule,
                                    const BackwardOperands &operands) {
  TileBuilder tiles(builder);
  int64_t rows = schedule.getTiling().q;
  forEachTile(builder, operands.gradOut, rows,
              [&](Value batch, Value head, Value tile, Value first) {
                Value gradOut =
                    tiles.load(operands.gradOut, batch, head, first, rows,
                               llvm::alignTo(op.getValueDim(), 16));
                RowStatistics(builder, op, operands, rows)
                    .make(batch, head, first, gradOut);
                int64_t channels = llvm::alignTo(op.getHeadDim(), 16);
                tile::StoreOp::create(builder, tiles.splat({rows, channels}, 0),
                                      operands.gradQuerySum,
                                      ValueRange{batch, head, tile},
                                      /*held=*/true);
              });
}

void mlir::attn::buildGradientEnd(ImplicitLocOpBuilder &builder,
                                  AttentionBackwardOp op, ScheduleAttr schedule,
                                  const BackwardOperands &operands) {
  TileBuilder tiles(builder);
  int64_t rows = schedule.getTiling().q;
  forEachTile(
      builder, operands.gradQuery, rows,
      [&](Value batch, Value head, Value tile, Value first) {
        int64_t channels = llvm::alignTo(op.getHeadDim(), 16);
        Value sums = tile::LoadOp::create(
            builder,
            RankedTensorType::get({rows, channels}, builder.getF32Type()),
            operands.gradQuerySum, ValueRange{batch, head, tile},
            /*held=*/true);
        sums = tiles.elementwise(
            {sums}, sums.getType(), [&](ValueRange in) -> Value {
              return arith::MulFOp::create(builder, in[0],
                                           tiles.f32(op.getScaleValue()));
            });
        tile::StoreOp::create(
            builder, tiles.truncate(sums, op.getElementType()),
            operands.gradQuery, ValueRange{batch, head, first});
      });
}
