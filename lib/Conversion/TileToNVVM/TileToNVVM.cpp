// tile-to-nvvm: a conversion with one pattern for each operation on tiles,
// which gives it to its emitter, and upstream's for the loops and branches that
// carry tiles.
#include "Distribution.h"
#include "PartTypes.h"

#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::attn {
#define GEN_PASS_DEF_TILETONVVMPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

bool isTile(Type type) { return isa<RankedTensorType>(type); }

bool hasTiles(Operation *op) {
  return llvm::any_of(op->getOperandTypes(), isTile) ||
         llvm::any_of(op->getResultTypes(), isTile);
}

/// What `emit` makes of an operation takes its place.
template <typename Op, void (*emit)(Distribution &, Op)>
class EmitPattern : public OpConversionPattern<Op> {
public:
  EmitPattern(const TypeConverter &types, Distribution &d)
      : OpConversionPattern<Op>(types, d.b.getContext()), d(d) {}

  LogicalResult
  matchAndRewrite(Op op,
                  typename OpConversionPattern<Op>::OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    d.begin(op, adaptor.getOperands(), rewriter);
    emit(d, op);
    SmallVector<SmallVector<Value>> results;
    for (Value result : op->getResults())
      results.push_back(d.parts.lookup(result));
    rewriter.replaceOpWithMultiple(op, std::move(results));
    return success();
  }

private:
  Distribution &d;
};

//===--- tiles without an emitter of their own ----------------------------===//

void emitConstant(Distribution &d, arith::ConstantOp op) {
  auto splat = cast<SplatElementsAttr>(op.getValue());
  Value scalar = arith::ConstantOp::create(
      d.b, cast<TypedAttr>(splat.getSplatValue<Attribute>()));
  auto type = cast<RankedTensorType>(op.getType());
  d.parts[op.getResult()] = Fragment(d.fragmentSize(type), scalar);
}

/// Nobody reads its elements.
void emitEmpty(Distribution &d, tensor::EmptyOp op) {
  RankedTensorType type = op.getType();
  Value none = LLVM::PoisonOp::create(d.b, type.getElementType());
  d.parts[op.getResult()] = Fragment(d.fragmentSize(type), none);
}

/// Behind carryWords(), which alone makes them.
void emitWords(Distribution &d, tensor::CastOp op) {
  d.parts[op.getResult()] = d.wordsOf(op.getSource());
}

void emitAnyLoad(Distribution &d, LoadOp op) {
  op.getHeld() ? emitHeldLoad(d, op) : emitLoad(d, op);
}

void emitAnyStore(Distribution &d, StoreOp op) {
  op.getHeld() ? emitHeldStore(d, op) : emitStore(d, op);
}

//===--- kernels after one another ----------------------------------------===//

void emitLaunchDependents(Distribution &d, LaunchDependentsOp) {
  NVVM::GriddepcontrolOp::create(d.b,
                                 NVVM::GridDepActionKind::launch_dependents);
}

void emitAwaitPrerequisites(Distribution &d, AwaitPrerequisitesOp) {
  NVVM::GriddepcontrolOp::create(d.b, NVVM::GridDepActionKind::wait);
}

//===--- the conversion ---------------------------------------------------===//

void addEmitters(RewritePatternSet &patterns, const TypeConverter &types,
                 Distribution &d) {
  patterns
      .add<EmitPattern<arith::ConstantOp, emitConstant>,
           EmitPattern<tensor::EmptyOp, emitEmpty>,
           EmitPattern<tensor::CastOp, emitWords>,
           EmitPattern<linalg::ContractOp, emitContract>,
           EmitPattern<linalg::GenericOp, emitElementwise>,
           EmitPattern<linalg::ReduceOp, emitReduce>,
           EmitPattern<LoadOp, emitAnyLoad>, EmitPattern<StoreOp, emitAnyStore>,
           EmitPattern<CopyOp, emitCopy>, EmitPattern<ViewOp, emitView>,
           EmitPattern<ScatterAddOp, emitScatterAdd>,
           EmitPattern<HasNonfiniteOp, emitHasNonfinite>,
           EmitPattern<AddNonfiniteOp, emitAddNonfinite>,
           EmitPattern<ClearNonfiniteOp, emitClearNonfinite>,
           EmitPattern<IsolateNonfiniteOp, emitIsolateNonfinite>,
           EmitPattern<AnyAboveOp, emitAnyAbove>,
           EmitPattern<AnyBeyondOp, emitAnyBeyond>,
           EmitPattern<CombineThreadsOp, emitCombineThreads>,
           EmitPattern<CombineWarpsOp, emitCombineWarps>,
           EmitPattern<DiagonalsOp, emitDiagonals>,
           EmitPattern<SumDiagonalsOp, emitSumDiagonals>,
           EmitPattern<RingOp, emitRing>, EmitPattern<FillOp, emitFill>,
           EmitPattern<FillVectorOp, emitFillVector>,
           EmitPattern<PeekOp, emitPeek>, EmitPattern<ReadOp, emitRead>,
           EmitPattern<ReleaseOp, emitRelease>, EmitPattern<ShareOp, emitShare>,
           EmitPattern<PutOp, emitPut>, EmitPattern<HandOnOp, emitHandOn>,
           EmitPattern<AddToMemoryOp, emitAddToMemory>,
           EmitPattern<DrawTaskOp, emitDrawTask>, EmitPattern<SendOp, emitSend>,
           EmitPattern<ReceiveOp, emitReceive>, EmitPattern<DrainOp, emitDrain>,
           EmitPattern<AwaitDrainOp, emitAwaitDrain>,
           EmitPattern<LaunchDependentsOp, emitLaunchDependents>,
           EmitPattern<AwaitPrerequisitesOp, emitAwaitPrerequisites>,
           EmitPattern<StartOp, emitStart>, EmitPattern<AwaitOp, emitAwait>,
           EmitPattern<TakeTurnOp, emitTakeTurn>,
           EmitPattern<PassTurnOp, emitPassTurn>>(types, d);
}

/// Marks, by casts, where words are made of what is carried in them: where it
/// is handed over. The framework would make them behind the elements, and LLVM
/// then keeps both.
void carryWords(gpu::GPUFuncOp func) {
  func.walk([](Operation *op) {
    if (!isa<scf::ForOp, scf::YieldOp, scf::ConditionOp>(op))
      return;
    OpBuilder b(op);
    for (OpOperand &operand : op->getOpOperands())
      if (Type type = operand.get().getType(); isCarriedInWords(type))
        operand.set(
            tensor::CastOp::create(b, op->getLoc(), type, operand.get()));
  });
}

LogicalResult convert(gpu::GPUFuncOp func, mlir::attn::ScheduleAttr schedule) {
  Distribution d(func, schedule);
  func.walk([&](scf::WhileOp loop) {
    if (!hasTiles(loop))
      return;
    d.b.setInsertionPointToStart(loop.getBeforeBody());
    d.b.setLoc(loop.getLoc());
    d.recomputed.push_back(d.anew(d.thread).getDefiningOp());
  });

  carryWords(func);

  PartTypes held(d, /*carried=*/false), carried(d, /*carried=*/true);
  ConversionTarget target(*func.getContext());
  target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  target.addIllegalDialect<TileDialect>();
  // Goes with the operation whose body it ends.
  target.addLegalOp<YieldOp>();
  target.addIllegalOp<tensor::EmptyOp, tensor::CastOp>();
  target.addDynamicallyLegalDialect<linalg::LinalgDialect>(
      [](Operation *op) { return !hasTiles(op); });
  target.addDynamicallyLegalOp<arith::ConstantOp>(
      [](Operation *op) { return !hasTiles(op); });
  RewritePatternSet patterns(func.getContext());
  addEmitters(patterns, held, d);
  scf::populateSCFStructuralTypeConversionsAndLegality(carried, patterns,
                                                       target);
  ConversionConfig config;
  config.allowPatternRollback = false;
  config.foldingMode = DialectConversionFoldingMode::Never;
  return applyPartialConversion(func, target, std::move(patterns), config);
}

struct TileToNVVMDriver
    : mlir::attn::impl::TileToNVVMPassBase<TileToNVVMDriver> {
  using TileToNVVMPassBase::TileToNVVMPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    auto schedule =
        func->getAttrOfType<mlir::attn::ScheduleAttr>("attn.schedule");
    if (!schedule)
      return;
    if (failed(checkKernel(func, schedule)) || failed(convert(func, schedule)))
      signalPassFailure();
  }
};

} // namespace
