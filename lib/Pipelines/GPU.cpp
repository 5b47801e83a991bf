// See GPU.h.
#include "attn/Pipelines/GPU.h"

#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"
#include "attn/Pipelines/Mods.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::attn;
using mlir::attn::ScheduleAttr;

/// Whether warps have roles: the family of passes around tensor copies and
/// wgmma.
static bool hasRoles(const mlir::attn::GPUPipelineOptions &options) {
  return options.target == "sm90a";
}

/// Loads by one role for another: what each pass leaves is a program that the
/// next one can be shown.
static void giveRolesToWarps(OpPassManager &kernel) {
  kernel.addPass(tile::createTileTaskNumbersPass());
  kernel.addPass(tile::createTileMakeRingsPass());
  kernel.addPass(tile::createTileInspectApartPass());
  kernel.addPass(tile::createTileDrainOutputPass());
  kernel.addPass(tile::createTileStoreSumsPass());
  kernel.addPass(tile::createTileGiveRolesPass());
  kernel.addPass(tile::createTileHandOnTasksPass());
  kernel.addPass(tile::createTileReceiveAgainPass());
  kernel.addPass(tile::createTileRolesToWarpsPass());
  kernel.addPass(tile::createTileShareOperandsPass());
}

/// From tiles of a block to those of threads, for kernels whose warps have
/// roles or for others.
static void dealToThreads(OpPassManager &kernel, bool roles) {
  kernel.addPass(tile::createTileAssignLayoutsPass());
  if (roles)
    giveRolesToWarps(kernel);
  else
    kernel.addPass(tile::createTileStageLoadsPass());
  kernel.addPass(tile::createTilePlaceSharedPass());
  kernel.addPass(tile::createTileSplitNonfinitePass());
  kernel.addPass(tile::createTileDeferRowSumsPass());
  if (roles)
    kernel.addPass(tile::createTileKeepMaximumPass());
  kernel.addPass(roles ? tile::createTileOverlapProductsPass()
                       : tile::createTileRetryNonfinitePass());
  if (roles) {
    kernel.addPass(tile::createTileStartProductsPass());
    kernel.addPass(tile::createTileReadEarlyPass());
  }
  kernel.addPass(tile::createTileShareDiagonalsPass());
  kernel.addPass(mlir::attn::createTileToNVVMPass());
}

namespace {
/// dealToThreads() by the schedule of each kernel: beside kernels whose warps
/// have roles, a module has some whose warps have none, of rows and for
/// captures.
class DealKernelToThreads
    : public PassWrapper<DealKernelToThreads, OperationPass<gpu::GPUFuncOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DealKernelToThreads)

  DealKernelToThreads() {
    for (bool roles : {false, true})
      dealToThreads(passes[roles], roles);
  }

  StringRef getName() const override { return "DealKernelToThreads"; }
  StringRef getArgument() const override { return "deal-kernel-to-threads"; }

  void getDependentDialects(DialectRegistry &registry) const override {
    for (const OpPassManager &family : passes)
      family.getDependentDialects(registry);
  }

  void runOnOperation() override {
    auto schedule =
        getOperation()->getAttrOfType<ScheduleAttr>("attn.schedule");
    bool roles = schedule && schedule.getRoles().hasProducers();
    if (failed(runPipeline(passes[roles], getOperation())))
      signalPassFailure();
  }

private:
  OpPassManager passes[2] = {OpPassManager(gpu::GPUFuncOp::getOperationName()),
                             OpPassManager(gpu::GPUFuncOp::getOperationName())};
};
} // namespace

void mlir::attn::buildGPUTilePipeline(OpPassManager &manager,
                                      const GPUPipelineOptions &options) {
  manager.addPass(createAttnOutlineAttentionsPass());
  buildModsPipeline(manager);
  AttnSelectSchedulePassOptions schedule;
  schedule.target = options.target;
  schedule.aligned = options.aligned;
  schedule.stridedCaptures = options.stridedCaptures;
  manager.addPass(createAttnSelectSchedulePass(schedule));
  manager.addPass(createAttnToFlashPass());
  bool roles = hasRoles(options);
  OpPassManager &function = manager.nest<func::FuncOp>();
  function.addPass(tile::createTileHoistRowReadsPass({/*packed=*/!roles}));
  if (roles)
    function.addPass(tile::createTileLagMaximumPass());
  manager.addPass(createFlashToGPUPass());
  tile::TileFindTasksPassOptions search;
  search.warps = true;
  manager.nest<gpu::GPUModuleOp>().nest<gpu::GPUFuncOp>().addPass(
      tile::createTileFindTasksPass(search));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  OpPassManager &kernel =
      manager.nest<gpu::GPUModuleOp>().nest<gpu::GPUFuncOp>();
  if (roles)
    kernel.addPass(std::make_unique<DealKernelToThreads>());
  else
    dealToThreads(kernel, roles);
  // From the bottom up: the other way, loops that carry hundreds of registers
  // take twenty times as long.
  kernel.addPass(createCanonicalizerPass(GreedyRewriteConfig()));
  kernel.addPass(createCSEPass());
}

void mlir::attn::buildGPUToNVVMPipeline(OpPassManager &manager,
                                        const GPUPipelineOptions &options) {
  AttnAttachGPUTargetPassOptions target;
  target.target = options.target;
  manager.addPass(createAttnAttachGPUTargetPass(target));
  manager.addPass(createAttnRecordSignaturesPass());
  OpPassManager &module = manager.nest<gpu::GPUModuleOp>();
  MathToPTXPassOptions math;
  math.exact = options.exact;
  module.addPass(createMathToPTXPass(math));
  module.addPass(createAllowContractionPass());
  module.addPass(createSCFToControlFlowPass());
  module.addPass(createConvertVectorToLLVMPass());
  module.addPass(createConvertGpuOpsToNVVMOps());
  // Waiting for a barrier with a parity, and arriving at a named one, have no
  // intrinsics. Where it is not needed, the assembly costs registers.
  if (hasRoles(options)) {
    module.addPass(createTensorMapsToNVVMPass());
    module.addPass(createConvertNVVMToLLVMPass());
  }
  module.addPass(createCheckLoweredPass());
  module.addPass(createReconcileUnrealizedCastsPass());
  module.addPass(createCanonicalizerPass());
  module.addPass(createCSEPass());
}

void mlir::attn::buildGPUTileListsPipeline(OpPassManager &manager,
                                           const std::string &functions) {
  manager.addPass(createAttnOutlineAttentionsPass());
  buildModsPipeline(manager);
  AttnSelectSchedulePassOptions schedule;
  schedule.target = "sm80";
  manager.addPass(createAttnSelectSchedulePass(schedule));
  AttnToTileListsPassOptions lists;
  lists.warps = true;
  lists.functions = functions;
  manager.addPass(createAttnToTileListsPass(lists));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void mlir::attn::registerGPUPipeline() {
  PassPipelineRegistration<GPUTileListsPipelineOptions>(
      "attn-gpu-tile-lists-pipeline",
      "From attention to the NVVM kernels that find its tiles",
      [](OpPassManager &manager, const GPUTileListsPipelineOptions &options) {
        buildGPUTileListsPipeline(manager, options.functions);
        buildGPUToNVVMPipeline(manager, options);
      });
  PassPipelineRegistration<GPUPipelineOptions>(
      "attn-gpu-pipeline",
      "From attention to NVVM, one gpu.module for each kernel",
      [](OpPassManager &manager, const GPUPipelineOptions &options) {
        buildGPUTilePipeline(manager, options);
        buildGPUToNVVMPipeline(manager, options);
      });
}
