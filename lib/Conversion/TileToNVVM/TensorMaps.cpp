// tensor-maps-to-nvvm: see its description in Passes.td.
#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Builders.h"

namespace mlir::attn {
#define GEN_PASS_DEF_TENSORMAPSTONVVMPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;
using ::attn::Parameter;

/// What a CUtensorMap is: 128 bytes, aligned to 64.
static void makeConstant(LLVM::LLVMFuncOp func, unsigned argument) {
  Builder builder(func.getContext());
  auto descriptor = LLVM::LLVMArrayType::get(builder.getI8Type(), 128);
  func.setArgAttr(argument, LLVM::LLVMDialect::getByValAttrName(),
                  TypeAttr::get(descriptor));
  func.setArgAttr(argument, LLVM::LLVMDialect::getAlignAttrName(),
                  builder.getI64IntegerAttr(64));
  func.setArgAttr(argument, NVVM::NVVMDialect::getGridConstantAttrName(),
                  builder.getUnitAttr());
}

/// Finds the maps among the arguments that the parameters have become.
static LogicalResult makeMapsConstant(LLVM::LLVMFuncOp func) {
  if (!func->hasAttr(signatureName))
    return success();
  ::attn::Signature signature = signatureOf(func);
  if (::attn::flatCount(signature) != func.getNumArguments())
    return func.emitOpError()
           << "expects " << ::attn::flatCount(signature)
           << " arguments for its signature, got " << func.getNumArguments();
  unsigned argument = 0;
  for (const Parameter &parameter : signature) {
    if (parameter.kind == Parameter::Kind::TensorMap) {
      if (!isa<LLVM::LLVMPointerType>(func.getArgumentTypes()[argument]))
        return func.emitOpError() << "expects a pointer to a tensor map, got "
                                  << func.getArgumentTypes()[argument];
      makeConstant(func, argument);
    }
    argument += ::attn::flatCount(parameter);
  }
  return success();
}

namespace {
struct TensorMapsToNVVM
    : mlir::attn::impl::TensorMapsToNVVMPassBase<TensorMapsToNVVM> {
  using TensorMapsToNVVMPassBase::TensorMapsToNVVMPassBase;

  void runOnOperation() override {
    for (auto func : getOperation().getOps<LLVM::LLVMFuncOp>())
      if (failed(makeMapsConstant(func)))
        return signalPassFailure();
  }
};
} // namespace
