// See Mods.h.
#include "attn/Pipelines/Mods.h"

#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::attn;

void mlir::attn::buildModsPipeline(OpPassManager &pm) {
  pm.addPass(createAttnApplyPositionsPass());
  pm.addPass(createAttnInlineModsPass());
  pm.addPass(createAttnTotalModsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createAttnMarkDecisionsPass());
  // What an adjoint program computes again must decide alike.
  pm.addPass(createAttnDifferentiatePass());
}

void mlir::attn::registerModsPipeline() {
  PassPipelineRegistration<>("attn-mods-pipeline",
                             "Mods as every lowering wants them",
                             buildModsPipeline);
}
