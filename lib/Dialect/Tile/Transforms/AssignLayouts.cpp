// tile-assign-layouts: see its description in Passes.td.
#include "Turned.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEASSIGNLAYOUTSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn::tile;

static RankedTensorType vectorType(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 1 ? type : RankedTensorType();
}

/// Whether an operation on matrices reads the vector `operand` at its columns.
static bool isReadAtColumns(OpOperand &operand) {
  auto op = dyn_cast<linalg::GenericOp>(operand.getOwner());
  if (!op || op.getNumLoops() != 2 || !op.isDpsInput(&operand))
    return false;
  AffineMap map = op.getMatchingIndexingMap(&operand);
  return map.getNumResults() == 1 &&
         map.getResult(0) == getAffineDimExpr(1, op.getContext());
}

/// Gives `tile` its encoding, or says that it cannot have it.
static LogicalResult encode(Value tile, Attribute encoding) {
  auto type = cast<RankedTensorType>(tile.getType());
  auto dealt = RankedTensorType::getChecked(
      [&] { return emitError(tile.getLoc()); }, type.getShape(),
      type.getElementType(), encoding);
  if (!dealt)
    return failure();
  tile.setType(dealt);
  return success();
}

/// Gives `vector`, which is read at columns, and what it is made of their
/// encoding.
static LogicalResult dealLikeColumns(Value vector) {
  if (isOfColumns(vectorType(vector)))
    return success();
  auto columns = ColumnsAttr::get(vector.getContext());
  Operation *definition = vector.getDefiningOp();
  if (isa_and_nonnull<LoadOp>(definition))
    return encode(vector, columns);
  auto op = dyn_cast_or_null<linalg::GenericOp>(definition);
  auto init = op && op.getNumResults() == 1
                  ? op.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>()
                  : tensor::EmptyOp();
  if (!init)
    return emitError(vector.getLoc())
           << "expects a vector of columns to be loaded, or made of such";
  if (failed(encode(vector, columns)))
    return failure();
  OpBuilder b(op);
  op.getDpsInitsMutable()[0].set(tensor::EmptyOp::create(
      b, init.getLoc(), vector.getType(), ValueRange()));
  if (init->use_empty())
    init.erase();
  for (Value input : op.getInputs())
    if (vectorType(input) && failed(dealLikeColumns(input)))
      return failure();
  return success();
}

/// Whether who uses `operand`, a vector of columns, takes it so.
static bool fits(OpOperand &operand) {
  auto op = dyn_cast<linalg::GenericOp>(operand.getOwner());
  return isReadAtColumns(operand) ||
         (op && op.getNumLoops() == 1 && op.getNumResults() == 1 &&
          isOfColumns(vectorType(op.getResult(0))));
}

/// Says how the result of `product`, whose rows are not what the block owns, is
/// dealt to `groups` of four warps.
static LogicalResult dealTurned(linalg::ContractOp product, int64_t groups) {
  constexpr int64_t rowsOfGroup = 64, columnsOfChunk = 64;
  auto type = cast<RankedTensorType>(product->getResult(0).getType());
  if (groups == 0)
    return product.emitOpError()
           << "expects groups of four warps for columns that are rows";
  if (type.getDimSize(0) == rowsOfGroup * groups)
    return success(); // like all others
  // Of whole chunks, or of one.
  bool fits = type.getDimSize(1) == columnsOfChunk
                  ? columnsOfChunk % (16 * groups) == 0
                  : type.getDimSize(1) % (columnsOfChunk * groups) == 0;
  if (type.getDimSize(0) != rowsOfGroup || !fits)
    return product.emitOpError()
           << "expects " << rowsOfGroup * groups << " rows, or " << rowsOfGroup
           << " and " << columnsOfChunk << " or a multiple of "
           << columnsOfChunk * groups << " columns, got " << type;
  SplatElementsAttr zero;
  Value init = product.getDpsInits()[0];
  if (!matchPattern(init, m_Constant(&zero)))
    return product.emitOpError() << "expects to start from a constant";
  Value result = product->getResult(0);
  if (failed(encode(result, ColumnGroupsAttr::get(type.getContext()))))
    return failure();
  auto dealt = cast<RankedTensorType>(result.getType());
  OpBuilder b(product);
  product.getDpsInitsMutable()[0].set(
      arith::ConstantOp::create(b, product.getLoc(), zero.resizeSplat(dealt)));
  if (init.use_empty())
    init.getDefiningOp()->erase();
  return success();
}

namespace {
struct TileAssignLayouts
    : mlir::attn::tile::impl::TileAssignLayoutsPassBase<TileAssignLayouts> {
  using TileAssignLayoutsPassBase::TileAssignLayoutsPassBase;

  void runOnOperation() override {
    SmallVector<Value> read;
    getOperation().walk([&](linalg::GenericOp op) {
      for (OpOperand *input : op.getDpsInputOperands())
        if (isReadAtColumns(*input))
          read.push_back(input->get());
    });
    for (Value vector : read)
      if (failed(dealLikeColumns(vector)))
        return signalPassFailure();
    auto schedule = getOperation()->getAttrOfType<mlir::attn::ScheduleAttr>(
        "attn.schedule");
    WalkResult dealt = getOperation().walk([&](linalg::ContractOp product) {
      return !schedule || !turnsRows(product) ||
                     succeeded(
                         dealTurned(product, schedule.getRoles().warps / 4))
                 ? WalkResult::advance()
                 : WalkResult::interrupt();
    });
    if (dealt.wasInterrupted())
      return signalPassFailure();
    WalkResult result = getOperation().walk([&](Operation *op) {
      for (OpOperand &operand : op->getOpOperands()) {
        RankedTensorType type = vectorType(operand.get());
        if (type && isOfColumns(type) &&
            !operand.get().getDefiningOp<tensor::EmptyOp>() && !fits(operand)) {
          op->emitOpError() << "expects a vector of rows, got one that is read "
                               "at columns too";
          return WalkResult::interrupt();
        }
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
