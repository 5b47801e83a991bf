// The pipeline from attention to code for a CPU.
#ifndef ATTN_PIPELINES_CPU_H
#define ATTN_PIPELINES_CPU_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

#include <string>

namespace mlir::attn {

/// What the code generator may use of a CPU.
struct CPUPipelineOptions : public PassPipelineOptions<CPUPipelineOptions> {
  Option<int64_t> lanes{*this, "lanes",
                        llvm::cl::desc("f32 elements of a vector register"),
                        llvm::cl::init(8)};
  Option<int64_t> registers{*this, "registers",
                            llvm::cl::desc("number of vector registers"),
                            llvm::cl::init(16)};
  Option<bool> matrixUnits{
      *this, "matrix-units",
      llvm::cl::desc("products of bf16 by AMX: weights are rounded for them"),
      llvm::cl::init(false)};
  Option<bool> stridedCaptures{
      *this, "strided-captures",
      llvm::cl::desc("captured tensors have any innermost stride, else 1"),
      llvm::cl::init(false)};
};

/// From attn operations to the llvm dialect: `attn-cpu-pipeline`.
void buildCPUPipeline(OpPassManager &pm, const CPUPipelineOptions &options);

/// The second half, from flash form on: `attn-flash-to-llvm`. A kernel
/// `@layer(args...)` becomes `@layer(args..., task)`, one of
/// `@layer_tasks(args...)` independent tasks.
void buildFlashToLLVMPipeline(OpPassManager &pm,
                              const CPUPipelineOptions &options);

/// From scf, vector, memref, math and arith to the llvm dialect: its last part.
void buildLowerToLLVMPipeline(OpPassManager &pm);

/// From attention to the functions that find its tiles, in the llvm dialect.
/// `functions`: as in attn-to-tile-lists.
void buildCPUTileListsPipeline(OpPassManager &pm,
                               const std::string &functions = "lists");

void registerCPUPipelines();

} // namespace mlir::attn

#endif // ATTN_PIPELINES_CPU_H
