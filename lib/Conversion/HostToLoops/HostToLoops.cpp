// host-to-loops: what stands around attentions, for a CPU. It is lowered by
// what MLIR has for tensors, which must not touch the kernels beside it.
#include "attn/Conversion/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Dialect/Arith/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/AllocationOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace mlir::attn {
#define GEN_PASS_DEF_HOSTTOLOOPSPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

static bool isKernel(func::FuncOp func) { return func->hasAttr("attn.kernel"); }

/// Whether `func` is on tensors and no kernel.
static bool isHostCode(func::FuncOp func) {
  if (isKernel(func))
    return false;
  auto isTensor = llvm::IsaPred<TensorType>;
  if (llvm::any_of(func.getArgumentTypes(), isTensor) ||
      llvm::any_of(func.getResultTypes(), isTensor))
    return true;
  return func
      .walk([&](Operation *op) {
        return llvm::any_of(op->getResultTypes(), isTensor)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Memory as kernels see it: strides of run time, but for the innermost of 1.
static bufferization::BufferLikeType
memoryOf(bufferization::TensorLikeType tensor, Attribute space, func::FuncOp,
         const bufferization::BufferizationOptions &) {
  auto ranked = dyn_cast<RankedTensorType>(tensor);
  if (!ranked)
    return cast<bufferization::BufferLikeType>(Type(UnrankedMemRefType::get(
        cast<TensorType>(Type(tensor)).getElementType(), space)));
  if (ranked.getRank() == 0)
    return cast<bufferization::BufferLikeType>(
        Type(MemRefType::get({}, ranked.getElementType())));
  SmallVector<int64_t> strides(ranked.getRank(), ShapedType::kDynamic);
  strides.back() = 1;
  auto layout = StridedLayoutAttr::get(ranked.getContext(),
                                       ShapedType::kDynamic, strides);
  return cast<bufferization::BufferLikeType>(Type(MemRefType::get(
      ranked.getShape(), ranked.getElementType(), layout, space)));
}

/// Contiguous memory, whatever layout of run time `type` has.
static FailureOr<Value> allocate(OpBuilder &b, Location loc, MemRefType type,
                                 ValueRange sizes, unsigned alignment) {
  auto contiguous = MemRefType::get(type.getShape(), type.getElementType(),
                                    AffineMap(), type.getMemorySpace());
  Value memory = memref::AllocOp::create(b, loc, contiguous, sizes,
                                         b.getI64IntegerAttr(alignment));
  if (contiguous == type)
    return memory;
  return memref::CastOp::create(b, loc, type, memory).getResult();
}

/// What a program gives a function that it calls, it keeps as it is: nothing
/// is written in the place of an argument.
static void keepArguments(func::FuncOp func) {
  if (!func.isPublic() || func.isExternal())
    return;
  using bufferization::BufferizationDialect;
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes()))
    if (isa<TensorType>(type))
      func.setArgAttr(i, BufferizationDialect::kWritableAttrName,
                      BoolAttr::get(func.getContext(), false));
}

/// What a tensor is a view of.
static Value rootOf(Value tensor) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (!isa<tensor::CastOp, tensor::ExtractSliceOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp, tensor::ReshapeOp>(op))
      break;
    tensor = op->getOperand(0);
  }
  return tensor;
}

/// Each result is memory of its own, since each is its caller's to free.
static void copySharedResults(func::FuncOp func) {
  func.walk([](func::ReturnOp op) {
    llvm::SmallPtrSet<Value, 4> seen;
    OpBuilder b(op);
    for (OpOperand &result : op->getOpOperands()) {
      Value tensor = result.get();
      if (!isa<RankedTensorType>(tensor.getType()) ||
          seen.insert(rootOf(tensor)).second)
        continue;
      auto type = cast<RankedTensorType>(tensor.getType());
      result.set(bufferization::AllocTensorOp::create(
          b, op.getLoc(), type, /*dynamicSizes=*/ValueRange(), tensor));
    }
  });
}

/// Tensors of functions that are not kernels become memory.
static LogicalResult bufferize(ModuleOp module) {
  bufferization::OneShotBufferizationOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.functionArgTypeConverterFn = memoryOf;
  options.inferFunctionResultLayout = false;
  options.opFilter.denyOperation([](Operation *op) {
    auto func = dyn_cast<func::FuncOp>(op);
    if (!func)
      func = op->getParentOfType<func::FuncOp>();
    return func && isKernel(func);
  });
  options.allocationFn = allocate;
  options.memCpyFn = [](OpBuilder &b, Location loc, Value from, Value to) {
    linalg::makeMemRefCopyOp(b, loc, from, to);
    return success();
  };
  bufferization::BufferizationState state;
  return bufferization::runOneShotModuleBufferize(module, options, state);
}

/// Copies become linalg: a copy of memref would call MLIR's runtime library.
/// What a function returns is its caller's to free, so an argument that is
/// returned is cloned.
static LogicalResult expandCopies(ArrayRef<func::FuncOp> hosts) {
  SmallVector<Operation *> copies;
  for (func::FuncOp host : hosts)
    host.walk([&](Operation *op) {
      if (isa<bufferization::CloneOp, memref::CopyOp>(op))
        copies.push_back(op);
    });
  for (Operation *op : copies) {
    OpBuilder b(op);
    Location loc = op->getLoc();
    if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      linalg::makeMemRefCopyOp(b, loc, copy.getSource(), copy.getTarget());
      copy.erase();
      continue;
    }
    auto clone = cast<bufferization::CloneOp>(op);
    auto from = dyn_cast<MemRefType>(clone.getInput().getType());
    auto to = dyn_cast<MemRefType>(clone.getType());
    if (!from || !to)
      return clone.emitOpError("expects memory of a known rank");
    SmallVector<Value> sizes;
    for (int64_t d = 0; d < from.getRank(); ++d)
      if (to.isDynamicDim(d))
        sizes.push_back(memref::DimOp::create(b, loc, clone.getInput(), d));
    FailureOr<Value> own = allocate(b, loc, to, sizes, /*alignment=*/64);
    linalg::makeMemRefCopyOp(b, loc, clone.getInput(), *own);
    clone.replaceAllUsesWith(*own);
    clone.erase();
  }
  return success();
}

namespace {
struct HostToLoops : mlir::attn::impl::HostToLoopsPassBase<HostToLoops> {
  HostToLoops() { build(); }
  HostToLoops(const HostToLoops &other) : HostToLoopsPassBase(other) {
    build();
  }

  void getDependentDialects(DialectRegistry &registry) const override {
    HostToLoopsPassBase::getDependentDialects(registry);
    arith::registerBufferizableOpInterfaceExternalModels(registry);
    bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
        registry);
    linalg::registerBufferizableOpInterfaceExternalModels(registry);
    scf::registerBufferizableOpInterfaceExternalModels(registry);
    tensor::registerBufferizableOpInterfaceExternalModels(registry);
    arith::registerBufferDeallocationOpInterfaceExternalModels(registry);
    cf::registerBufferDeallocationOpInterfaceExternalModels(registry);
    scf::registerBufferDeallocationOpInterfaceExternalModels(registry);
    memref::registerAllocationOpInterfaceExternalModels(registry);
    toLinalg.getDependentDialects(registry);
    toFreed.getDependentDialects(registry);
    lowerFreeing.getDependentDialects(registry);
    toLoops.getDependentDialects(registry);
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> hosts;
    for (auto func : module.getOps<func::FuncOp>())
      if (isHostCode(func))
        hosts.push_back(func);
    if (hosts.empty())
      return;
    for (func::FuncOp host : hosts) {
      keepArguments(host);
      copySharedResults(host);
    }
    if (failed(runOn(hosts, toLinalg)) || failed(bufferize(module)) ||
        failed(runOn(hosts, toFreed)) ||
        failed(runPipeline(lowerFreeing, module)) ||
        failed(expandCopies(hosts)) || failed(runOn(hosts, toLoops)))
      return signalPassFailure();
    for (func::FuncOp host : hosts)
      if (host.isPublic())
        host->setAttr("llvm.emit_c_interface", UnitAttr::get(&getContext()));
  }

private:
  LogicalResult runOn(ArrayRef<func::FuncOp> hosts, OpPassManager &passes) {
    for (func::FuncOp host : hosts)
      if (failed(runPipeline(passes, host)))
        return failure();
    return success();
  }

  void build() {
    toLinalg.addPass(createConvertElementwiseToLinalgPass());
    toFreed.addPass(createCanonicalizerPass());
    toFreed.addPass(
        bufferization::createOwnershipBasedBufferDeallocationPass());
    toFreed.addPass(createCanonicalizerPass());
    toFreed.addPass(
        bufferization::createBufferDeallocationSimplificationPass());
    // It adds a function to the module where ownership is known at run time.
    lowerFreeing.addPass(bufferization::createLowerDeallocationsPass());
    toLoops.addPass(createConvertLinalgToLoopsPass());
    toLoops.addPass(memref::createExpandStridedMetadataPass());
    toLoops.addPass(createLowerAffinePass());
    toLoops.addPass(createCanonicalizerPass());
    toLoops.addPass(createCSEPass());
  }

  OpPassManager toLinalg{func::FuncOp::getOperationName()};
  OpPassManager toFreed{func::FuncOp::getOperationName()};
  OpPassManager lowerFreeing{ModuleOp::getOperationName()};
  OpPassManager toLoops{func::FuncOp::getOperationName()};
};
} // namespace
