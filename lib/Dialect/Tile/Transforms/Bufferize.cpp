// Puts tiles into buffers on the stack, in place wherever it can be. See
// TileBufferizePass in Passes.td.
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "TileBufferization.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEBUFFERIZEPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;

/// Buffers of tiles start at cache lines.
static constexpr int64_t bufferAlignment = 64;

/// What the buffers of one task may take of a thread's stack (8 MiB by
/// default).
static constexpr int64_t maxStackBytes = int64_t(4) << 20;

/// A tile of one value, next to the operation that wants it.
static Value createFill(OpBuilder &builder, Location loc, RankedTensorType type,
                        Value scalar) {
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                        type.getElementType());
  MLIRContext *context = builder.getContext();
  AffineMap none = AffineMap::get(type.getRank(), 0, context);
  AffineMap all = AffineMap::getMultiDimIdentityMap(type.getRank(), context);
  SmallVector<utils::IteratorType> parallel(type.getRank(),
                                            utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, scalar, empty, ArrayRef<AffineMap>{none, all},
             parallel,
             [](OpBuilder &b, Location loc, ValueRange args) {
               linalg::YieldOp::create(b, loc, args[0]);
             })
      .getResult(0);
}

/// The scalar of which `tile` is full; null if it is not known to be uniform.
static Value getFillScalar(OpBuilder &builder, Value tile) {
  Operation *op = tile.getDefiningOp();
  if (auto constant = dyn_cast_or_null<arith::ConstantOp>(op)) {
    auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
    if (!splat)
      return {};
    return arith::ConstantOp::create(builder, tile.getLoc(),
                                     splat.getSplatValue<TypedAttr>());
  }
  if (auto fill = dyn_cast_or_null<linalg::FillOp>(op))
    return fill.getInputs()[0];
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  if (!generic || generic.getNumDpsInputs() != 1 ||
      generic.getNumDpsInits() != 1 ||
      isa<ShapedType>(generic.getInputs()[0].getType()))
    return {};
  auto yielded = dyn_cast<BlockArgument>(
      generic.getBlock()->getTerminator()->getOperand(0));
  bool isFill = yielded && yielded.getArgNumber() == 0;
  return isFill ? generic.getInputs()[0] : Value();
}

/// Gives each user of a tile of one value its own, so that all can be in place
/// and no tile of constants is kept.
static void refillAtUses(func::FuncOp function) {
  SmallVector<Operation *> fills;
  function.walk([&](Operation *op) {
    if (!isa<arith::ConstantOp, linalg::FillOp, linalg::GenericOp>(op) ||
        op->getNumResults() != 1)
      return;
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (type && type.hasStaticShape())
      fills.push_back(op);
  });
  for (Operation *op : fills) {
    OpBuilder builder(op);
    Value scalar = getFillScalar(builder, op->getResult(0));
    if (!scalar)
      continue;
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      builder.setInsertionPoint(use.getOwner());
      use.set(createFill(builder, op->getLoc(), type, scalar));
    }
    op->erase();
  }
}

/// Whether nothing reads the operand's value after its owner has: then the
/// owner may overwrite it.
static bool isLastUse(OpOperand &operand) {
  Value value = operand.get();
  Block *home = value.getParentBlock();
  for (Operation *op = operand.getOwner(); op->getBlock() != home;) {
    op = op->getParentOp();
    if (!isa_and_nonnull<scf::IfOp>(op))
      return false;
  }
  Operation *place = home->findAncestorOpInBlock(*operand.getOwner());
  for (OpOperand &use : value.getUses()) {
    if (&use == &operand)
      continue;
    Operation *other = home->findAncestorOpInBlock(*use.getOwner());
    if (other != place) {
      if (place->isBeforeInBlock(other))
        return false;
      continue;
    }
    // Both inside one scf.if: only the other branch is out of the way.
    if (!isa<scf::IfOp>(place) ||
        place->getRegion(0).isAncestor(use.getOwner()->getParentRegion()) ==
            place->getRegion(0).isAncestor(
                operand.getOwner()->getParentRegion()))
      return false;
  }
  return true;
}

/// Elementwise operations overwrite an input of the result's shape and type
/// that dies with them: the body reads the result's old value instead.
static void reuseDyingInputs(func::FuncOp function) {
  function.walk([](linalg::GenericOp op) {
    if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
        !op.getDpsInitOperand(0)->get().getDefiningOp<tensor::EmptyOp>())
      return;
    OpOperand *init = op.getDpsInitOperand(0);
    AffineMap map = op.getMatchingIndexingMap(init);
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (input->get().getType() != init->get().getType() ||
          op.getMatchingIndexingMap(input) != map || !map.isPermutation() ||
          !isLastUse(*input))
        continue;
      init->set(input->get());
      op.getMatchingBlockArgument(input).replaceAllUsesWith(
          op.getMatchingBlockArgument(init));
      return;
    }
  });
}

/// Whether `value` is what an inner loop makes of `carried`, in its place.
static bool isCarriedOn(Value value, Value carried) {
  auto inner = value.getDefiningOp<scf::ForOp>();
  return inner &&
         inner.getTiedLoopInit(cast<OpResult>(value))->get() == carried;
}

/// Makes every loop carry its tiles in the buffers of its iteration arguments.
static void carryInPlace(func::FuncOp function) {
  function.walk([](scf::ForOp loop) {
    Operation *yield = loop.getBody()->getTerminator();
    OpBuilder builder(yield);
    for (OpOperand &operand : yield->getOpOperands()) {
      Value carried = loop.getRegionIterArg(operand.getOperandNumber());
      if (!isa<RankedTensorType>(operand.get().getType()) ||
          isCarriedOn(operand.get(), carried))
        continue;
      auto inPlace = bufferization::MaterializeInDestinationOp::create(
          builder, operand.get().getLoc(), operand.get().getType(),
          operand.get(), carried);
      operand.set(inPlace.getResult());
    }
  });
}

static FailureOr<Value> allocateOnStack(OpBuilder &builder, Location loc,
                                        MemRefType type, ValueRange, unsigned) {
  auto function = builder.getInsertionBlock()
                      ->getParentOp()
                      ->getParentOfType<func::FuncOp>();
  if (!function)
    function = cast<func::FuncOp>(builder.getInsertionBlock()->getParentOp());
  if (!type.hasStaticShape())
    return emitError(loc, "expects a tile of static shape, got ") << type;
  OpBuilder entry = OpBuilder::atBlockBegin(&function.getBody().front());
  return memref::AllocaOp::create(entry, loc, type,
                                  entry.getI64IntegerAttr(bufferAlignment))
      .getResult();
}

static LogicalResult checkStack(func::FuncOp function) {
  int64_t bytes = 0;
  function.walk([&](memref::AllocaOp buffer) {
    MemRefType type = buffer.getType();
    bytes += type.getNumElements() *
             llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  });
  if (bytes <= maxStackBytes)
    return success();
  return function.emitError()
         << "expects tiles that take at most " << maxStackBytes
         << " bytes of stack, got " << bytes << ": choose a smaller schedule";
}

namespace {
struct TileBufferize : public tile::impl::TileBufferizePassBase<TileBufferize> {
  void getDependentDialects(DialectRegistry &registry) const override {
    tile::impl::TileBufferizePassBase<TileBufferize>::getDependentDialects(
        registry);
    tile::registerBufferizationModels(registry);
    arith::registerBufferizableOpInterfaceExternalModels(registry);
    linalg::registerBufferizableOpInterfaceExternalModels(registry);
    scf::registerBufferizableOpInterfaceExternalModels(registry);
    tensor::registerBufferizableOpInterfaceExternalModels(registry);
  }

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    refillAtUses(function);
    reuseDyingInputs(function);
    carryInPlace(function);
    bufferization::OneShotBufferizationOptions options;
    options.allocationFn = allocateOnStack;
    // Every tile is a buffer of its own: what a branch makes too, whose layout
    // is not inferred.
    options.unknownTypeConverterFn =
        [](TensorType type, Attribute space,
           const bufferization::BufferizationOptions &) {
          return bufferization::getMemRefTypeWithStaticIdentityLayout(type,
                                                                      space);
        };
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotBufferize(function, options, state)) ||
        failed(checkStack(function)))
      signalPassFailure();
  }
};
} // namespace
