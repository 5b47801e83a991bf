// Registers the passes and pipelines that attn-opt offers: all of ours, and the
// upstream ones that are of use between them.
#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"
#include "attn/InitAll.h"
#include "attn/Pipelines/CPU.h"
#include "attn/Pipelines/GPU.h"
#include "attn/Pipelines/Mods.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::attn;

static void registerUpstreamPasses() {
  registerTransformsPasses();
  affine::registerAffinePasses();
  arith::registerArithPasses();
  bufferization::registerBufferizationPasses();
  LLVM::registerLLVMPasses();
  memref::registerMemRefPasses();
  registerLinalgPasses();
  registerSCFPasses();
  tensor::registerTensorPasses();
  vector::registerVectorPasses();

  registerConvertToLLVMPass();
  registerLowerAffinePass();
  registerReconcileUnrealizedCastsPass();
  registerSCFToControlFlowPass();
  registerConvertVectorToSCFPass();
  registerConvertVectorToLLVMPass();
}

void mlir::attn::registerAllPasses() {
  registerUpstreamPasses();
  registerAttnConversionPasses();
  registerAttnTransformsPasses();
  tile::registerTileTransformsPasses();
  registerCPUPipelines();
  registerGPUPipeline();
  registerModsPipeline();
}
