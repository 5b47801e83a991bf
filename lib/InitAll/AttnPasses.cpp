// Registers this project's passes and pipelines. Apart from the upstream ones,
// whose headers declare a function `mlir::tile`.
#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"
#include "attn/InitAll.h"
#include "attn/Pipelines/CPU.h"
#include "attn/Pipelines/GPU.h"
#include "attn/Pipelines/Mods.h"

void mlir::attn::registerAttnPasses() {
  registerAttnConversionPasses();
  registerAttnTransformsPasses();
  tile::registerTileTransformsPasses();
  registerCPUPipelines();
  registerGPUPipeline();
  registerModsPipeline();
}
