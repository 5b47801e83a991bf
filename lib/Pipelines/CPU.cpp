// The pipelines for a CPU. See CPU.h.
#include "attn/Pipelines/CPU.h"

#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"
#include "attn/Pipelines/Mods.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::attn;

void mlir::attn::buildLowerToLLVMPipeline(OpPassManager &pm) {
  pm.addPass(createAttnRecordSignaturesPass());
  // Numbers of 16 bits are for memory; a CPU that computes with them would
  // round otherwise than the others.
  OpPassManager &function = pm.nest<func::FuncOp>();
  function.addPass(math::createMathExtendToSupportedTypes());
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16", "f16"};
  function.addPass(arith::createArithEmulateUnsupportedFloats(emulate));
  function.addPass(createExpandMathPass());
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  function.addPass(arith::createArithExpandOpsPass(expand));
  function.addPass(createCanonicalizerPass());
  function.addPass(createCSEPass());
  function.addPass(createSCFToControlFlowPass());
  pm.addPass(createAllowContractionPass());
  pm.addPass(createBF16ToI16Pass());
  ConvertMathToFuncsOptions powers;
  powers.minWidthOfFPowIExponent = 1;
  pm.addPass(createConvertMathToFuncs(powers));
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createCheckLoweredPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void mlir::attn::buildFlashToLLVMPipeline(OpPassManager &pm,
                                          const CPUPipelineOptions &options) {
  pm.nest<func::FuncOp>().addPass(
      tile::createTileHoistRowReadsPass({/*packed=*/true}));
  pm.addPass(createFlashToTasksPass());
  OpPassManager &function = pm.nest<func::FuncOp>();
  function.addPass(tile::createTileFindTasksPass());
  function.addPass(tile::createTileQueriesInnermostPass());
  function.addPass(tile::createTileDistancesApartPass());
  function.addPass(tile::createTileBufferizePass());
  function.addPass(createCanonicalizerPass());
  function.addPass(createCSEPass());
  if (options.matrixUnits)
    function.addPass(createLinalgToMatrixUnitsPass());
  LinalgToMicroKernelsPassOptions kernels;
  kernels.lanes = options.lanes;
  kernels.registers = options.registers;
  function.addPass(createLinalgToMicroKernelsPass(kernels));
  LinalgToVectorLoopsPassOptions loops;
  loops.width = 2 * options.lanes;
  function.addPass(createLinalgToVectorLoopsPass(loops));
  buildLowerToLLVMPipeline(pm);
}

void mlir::attn::buildCPUPipeline(OpPassManager &pm,
                                  const CPUPipelineOptions &options) {
  pm.addPass(createAttnOutlineAttentionsPass());
  buildModsPipeline(pm);
  AttnSelectSchedulePassOptions schedule;
  schedule.stridedCaptures = options.stridedCaptures;
  pm.addPass(createAttnSelectSchedulePass(schedule));
  AttnToFlashPassOptions flash;
  flash.roundProbabilities = options.matrixUnits;
  flash.listsForCalls = false;
  pm.addPass(createAttnToFlashPass(flash));
  pm.addPass(createAttnCallKernelsPass());
  pm.addPass(createHostToLoopsPass());
  buildFlashToLLVMPipeline(pm, options);
}

void mlir::attn::buildCPUTileListsPipeline(OpPassManager &pm,
                                           const std::string &functions) {
  buildModsPipeline(pm);
  pm.addPass(createAttnSelectSchedulePass());
  AttnToTileListsPassOptions lists;
  lists.functions = functions;
  pm.addPass(createAttnToTileListsPass(lists));
  pm.addPass(createFlashToTasksPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  buildLowerToLLVMPipeline(pm);
}

void mlir::attn::registerCPUPipelines() {
  PassPipelineRegistration<>(
      "attn-cpu-tile-lists-pipeline",
      "From attention to the functions that find its tiles, for a CPU",
      [](OpPassManager &pm) { buildCPUTileListsPipeline(pm); });
  PassPipelineRegistration<CPUPipelineOptions>(
      "attn-cpu-pipeline", "From attention to the llvm dialect, for a CPU",
      buildCPUPipeline);
  PassPipelineRegistration<CPUPipelineOptions>(
      "attn-flash-to-llvm", "From flash form to the llvm dialect, for a CPU",
      buildFlashToLLVMPipeline);
}
