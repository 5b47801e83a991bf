// The pipeline from attention to NVVM, shared by attn-opt, the API and tests.
#ifndef ATTN_PIPELINES_GPU_H
#define ATTN_PIPELINES_GPU_H

#include "mlir/Pass/PassOptions.h"

#include <string>

namespace mlir {
class OpPassManager;
namespace attn {

struct GPUPipelineOptions : PassPipelineOptions<GPUPipelineOptions> {
  Option<std::string> target{
      *this, "target",
      llvm::cl::desc("sm80: every GPU since; sm90a: tensor copies, warps with "
                     "roles and wgmma"),
      llvm::cl::init("sm80")};
  Option<bool> aligned{*this, "aligned",
                       llvm::cl::desc("rows start at multiples of 16 bytes"),
                       llvm::cl::init(true)};
  Option<bool> exact{
      *this, "exact",
      llvm::cl::desc("f32 accuracy: IEEE division, no tanh.approx"),
      llvm::cl::init(false)};
  Option<bool> stridedCaptures{
      *this, "strided-captures",
      llvm::cl::desc("captured tensors have any innermost stride, else 1"),
      llvm::cl::init(false)};
};

struct GPUTileListsPipelineOptions : GPUPipelineOptions {
  Option<std::string> functions{
      *this, "functions",
      llvm::cl::desc("as in attn-to-tile-lists: lists, transposed or pairs"),
      llvm::cl::init("lists")};
};

/// attn -> flash form -> tiles of threads: what buildGPUToNVVMPipeline
/// takes.
void buildGPUTilePipeline(OpPassManager &manager,
                          const GPUPipelineOptions &options);

/// gpu.module of scf, arith, memref, vector, math, llvm -> llvm and nvvm only,
/// with the chip that they are for (attn-attach-gpu-target).
void buildGPUToNVVMPipeline(OpPassManager &manager,
                            const GPUPipelineOptions &options);

/// From attention to the GPU kernels that find its tiles, for
/// buildGPUToNVVMPipeline. `functions`: as in attn-to-tile-lists.
void buildGPUTileListsPipeline(OpPassManager &manager,
                               const std::string &functions = "lists");

/// Registers `attn-gpu-pipeline` and `attn-gpu-tile-lists-pipeline`, each down
/// to NVVM.
void registerGPUPipeline();

} // namespace attn
} // namespace mlir

#endif // ATTN_PIPELINES_GPU_H
