# One precompiled header for every source that includes MLIR: reading MLIR's
# headers is over 90 % of compiling such a source (24 s against 1 s). It holds
# nothing of this project, so a change here never rebuilds it.

file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/attn-pch.cpp CONTENT "")
add_library(attn-pch OBJECT ${PROJECT_BINARY_DIR}/attn-pch.cpp)
target_compile_options(attn-pch PRIVATE ${ATTN_WARNINGS})
target_link_libraries(attn-pch PRIVATE attn_mlir_headers)
# Not through ccache: the file names its own directory, so no other tree could
# use it, and hashing it doubles the time.
set_target_properties(attn-pch PROPERTIES CXX_COMPILER_LAUNCHER "")
target_precompile_headers(attn-pch PRIVATE
  <mlir/Conversion/LLVMCommon/ConversionTarget.h>
  <mlir/Conversion/LLVMCommon/TypeConverter.h>
  <mlir/Dialect/Affine/IR/AffineOps.h>
  <mlir/Dialect/Arith/IR/Arith.h>
  <mlir/Dialect/Bufferization/IR/Bufferization.h>
  <mlir/Dialect/ControlFlow/IR/ControlFlowOps.h>
  <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Dialect/GPU/IR/GPUDialect.h>
  <mlir/Dialect/LLVMIR/LLVMDialect.h>
  <mlir/Dialect/LLVMIR/NVVMDialect.h>
  <mlir/Dialect/Linalg/IR/Linalg.h>
  <mlir/Dialect/Math/IR/Math.h>
  <mlir/Dialect/MemRef/IR/MemRef.h>
  <mlir/Dialect/NVGPU/IR/NVGPUDialect.h>
  <mlir/Dialect/SCF/IR/SCF.h>
  <mlir/Dialect/Tensor/IR/Tensor.h>
  <mlir/Dialect/Utils/StructuredOpsUtils.h>
  <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/IR/IRMapping.h>
  <mlir/IR/DialectImplementation.h>
  <mlir/IR/Matchers.h>
  <mlir/IR/OpImplementation.h>
  <mlir/IR/Verifier.h>
  <mlir/Interfaces/CallInterfaces.h>
  <mlir/Interfaces/FunctionImplementation.h>
  <mlir/Interfaces/InferTypeOpInterface.h>
  <mlir/Interfaces/SideEffectInterfaces.h>
  <mlir/Parser/Parser.h>
  <mlir/Pass/Pass.h>
  <mlir/Pass/PassManager.h>
  <mlir/Pass/PassOptions.h>
  <mlir/Pass/PassRegistry.h>
  <mlir/Transforms/DialectConversion.h>
  <mlir/Transforms/GreedyPatternRewriteDriver.h>
  <mlir/Transforms/Passes.h>
  <llvm/ADT/TypeSwitch.h>
  <llvm/Support/raw_ostream.h>)
