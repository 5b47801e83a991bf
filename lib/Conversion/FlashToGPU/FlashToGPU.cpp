// flash-to-gpu: a thread block for each task. The grid has one dimension, since
// y and z end at 65535.
#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {
#define GEN_PASS_DEF_FLASHTOGPUPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

/// Replaces the loop by its body for the iteration that the block's id names,
/// the last dimension running fastest.
static void mapToBlocks(scf::ForallOp forall) {
  ImplicitLocOpBuilder b(forall.getLoc(), forall);
  Value rest = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  SmallVector<Value> sizes = forall.getUpperBound(b), ids(sizes.size());
  for (int i = sizes.size() - 1; i > 0; --i) {
    ids[i] = arith::RemUIOp::create(b, rest, sizes[i]);
    rest = arith::DivUIOp::create(b, rest, sizes[i]);
  }
  ids[0] = rest;
  Block *body = forall.getBody();
  body->getTerminator()->erase();
  for (auto [variable, id] : llvm::zip(forall.getInductionVars(), ids))
    variable.replaceAllUsesWith(id);
  forall->getBlock()->getOperations().splice(forall->getIterator(),
                                             body->getOperations());
  forall.erase();
}

static LogicalResult convertKernel(func::FuncOp func) {
  auto schedule = func->getAttrOfType<ScheduleAttr>("attn.schedule");
  SmallVector<scf::ForallOp> loops(func.getOps<scf::ForallOp>());
  if (!schedule || loops.size() != 1)
    return func.emitOpError()
           << "expects a kernel in flash form with a schedule";

  OpBuilder builder(func);
  auto module = gpu::GPUModuleOp::create(
      builder, func.getLoc(), (func.getName() + "_module").str());
  builder.setInsertionPointToStart(&module.getBodyRegion().front());
  auto kernel = gpu::GPUFuncOp::create(builder, func.getLoc(), func.getName(),
                                       func.getFunctionType());
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                  builder.getUnitAttr());
  kernel->setAttr("attn.schedule", schedule);
  kernel.setKnownBlockSizeAttr(builder.getDenseI32ArrayAttr(
      {static_cast<int32_t>(
           32 * (schedule.getWarps() + schedule.getProducers())),
       1, 1}));

  Block &from = func.getBody().front(), &to = kernel.getBody().front();
  for (auto [a, b] : llvm::zip(from.getArguments(), to.getArguments()))
    a.replaceAllUsesWith(b);
  to.getOperations().splice(to.end(), from.getOperations());
  Operation *terminator = &to.back();
  builder.setInsertionPoint(terminator);
  gpu::ReturnOp::create(builder, func.getLoc());
  terminator->erase();
  func.erase();
  mapToBlocks(*kernel.getOps<scf::ForallOp>().begin());
  return success();
}

namespace {
struct FlashToGPU : attn::impl::FlashToGPUPassBase<FlashToGPU> {
  using FlashToGPUPassBase::FlashToGPUPassBase;

  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func->hasAttr("attn.kernel"))
        kernels.push_back(func);
    for (func::FuncOp kernel : kernels)
      if (failed(convertKernel(kernel)))
        return signalPassFailure();
    if (!kernels.empty())
      getOperation()->setAttr(
          gpu::GPUDialect::getContainerModuleAttrName(),
          UnitAttr::get(&getContext()));
  }
};
} // namespace
