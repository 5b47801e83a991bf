// tile-lag-maximum: see its description in Passes.td.
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILELAGMAXIMUMPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// How often weights may double before the maximum follows.
static constexpr float doublings = 8;

/// The old maximum of each row, or the new one where that is greater by more
/// than the slack.
static void lagBehind(linalg::ReduceOp reduce) {
  auto unit = cast<FloatAttr>(reduce->removeAttr(runningMaximumMark));
  ImplicitLocOpBuilder b(reduce.getLoc(), reduce);
  b.setInsertionPointAfter(reduce);
  FloatAttr slack = b.getF32FloatAttr(
      doublings * static_cast<float>(unit.getValueAsDouble()));
  Value maximum = reduce->getResult(0), old = reduce.getInits()[0];
  auto type = cast<RankedTensorType>(old.getType());
  AffineMap rows = b.getMultiDimIdentityMap(1);
  Value empty =
      tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
  auto kept = linalg::GenericOp::create(
      b, type, ValueRange{maximum, old}, empty,
      ArrayRef<AffineMap>{rows, rows, rows}, utils::IteratorType::parallel,
      [&](OpBuilder &nested, Location loc, ValueRange in) {
        Value most = arith::AddFOp::create(
            nested, loc, in[1], arith::ConstantOp::create(nested, loc, slack));
        // False for the first tile, whose old maximum is -inf.
        Value isSmall = arith::CmpFOp::create(
            nested, loc, arith::CmpFPredicate::OLE, in[0], most);
        Value next =
            arith::SelectOp::create(nested, loc, isSmall, in[1], in[0]);
        linalg::YieldOp::create(nested, loc, next);
      });
  kept->setAttr(slackMark, slack);
  maximum.replaceAllUsesExcept(kept.getResult(0), kept);
}

/// Whether `op` is a tile each row of which is multiplied by its element of
/// `factor`.
static bool isProductOfTile(linalg::GenericOp op, Value factor) {
  auto isTile = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getRank() == 2;
  };
  return op.hasPureTensorSemantics() && op.getNumDpsInputs() == 2 &&
         op.getNumResults() == 1 && isTile(op.getResult(0)) &&
         isTile(op.getInputs()[0]) && op.getInputs()[1] == factor &&
         isa_and_nonnull<arith::MulFOp>(
             op.getBody()->getTerminator()->getOperand(0).getDefiningOp());
}

namespace {
struct TileLagMaximum : tile::impl::TileLagMaximumPassBase<TileLagMaximum> {
  using TileLagMaximumPassBase::TileLagMaximumPassBase;

  void runOnOperation() override {
    auto schedule =
        getOperation()->getAttrOfType<ScheduleAttr>("attn.schedule");
    if (schedule && !schedule.getRoles().hasProducers())
      return;
    getOperation().walk([](linalg::ReduceOp op) {
      if (op->hasAttr(runningMaximumMark))
        lagBehind(op);
    });
    getOperation().walk([](linalg::GenericOp decay) {
      if (!decay->hasAttr(oneIfKeptMark))
        return;
      for (Operation *user : decay->getUsers())
        if (auto product = dyn_cast<linalg::GenericOp>(user);
            product && isProductOfTile(product, decay.getResult(0)))
          product->setAttr(skipOnesMark, UnitAttr::get(decay->getContext()));
    });
  }
};
} // namespace
