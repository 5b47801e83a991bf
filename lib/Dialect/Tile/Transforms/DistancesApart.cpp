// tile-distances-apart: see its description in Passes.td.
#include "Distances.h"
#include "Recompute.h"

#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEDISTANCESAPARTPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// The elements of `value`, of the body of `op`, by the second index less the
/// first, from the least on.
Value makeVector(linalg::GenericOp op, Value value, ArrayRef<int64_t> shape) {
  ImplicitLocOpBuilder b(value.getLoc(), op);
  int64_t count = shape[0] + shape[1] - 1;
  Value empty = tensor::EmptyOp::create(b, {count}, value.getType());
  return linalg::GenericOp::create(
             b, empty.getType(), ValueRange{}, empty,
             b.getMultiDimIdentityMap(1), utils::IteratorType::parallel,
             [&](OpBuilder &builder, Location loc, ValueRange) {
               ImplicitLocOpBuilder inner(loc, builder);
               Value first = arith::ConstantIndexOp::create(inner, 0);
               Value second = arith::SubIOp::create(
                   inner, linalg::IndexOp::create(inner, 0),
                   arith::ConstantIndexOp::create(inner, shape[0] - 1));
               IRMapping mapping;
               for (auto position : op.getBody()->getOps<linalg::IndexOp>())
                 mapping.map(position.getResult(),
                             position.getDim() == 0 ? first : second);
               for (OpOperand *input : op.getDpsInputOperands())
                 if (!isa<RankedTensorType>(input->get().getType()))
                   mapping.map(op.getMatchingBlockArgument(input),
                               input->get());
               Value made = recompute(inner, value, op.getRegion(), mapping);
               linalg::YieldOp::create(inner, made);
             })
      .getResult(0);
}

struct TileDistancesApart
    : tile::impl::TileDistancesApartPassBase<TileDistancesApart> {
  using TileDistancesApartPassBase::TileDistancesApartPassBase;

  void runOnOperation() override {
    getOperation().walk([](linalg::GenericOp op) {
      if (op.getNumResults() != 1 || op.getNumReductionLoops() != 0)
        return;
      auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
      if (!type || type.getRank() != 2 || !type.hasStaticShape() ||
          op.getNumLoops() != 2)
        return;
      AffineExpr first, second;
      bindDims(op.getContext(), first, second);
      auto map =
          AffineMap::get(2, 0, second - first + (type.getDimSize(0) - 1));
      while (Value value = Distances(op).findLast())
        op = replaceByInput(op, value, makeVector(op, value, type.getShape()),
                            map);
    });
  }
};

} // namespace
