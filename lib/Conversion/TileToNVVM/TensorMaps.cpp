// tensor-maps-to-nvvm: see its description in Passes.td.
#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Builders.h"

namespace mlir::attn {
#define GEN_PASS_DEF_TENSORMAPSTONVVMPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

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

namespace {
struct TensorMapsToNVVM
    : attn::impl::TensorMapsToNVVMPassBase<TensorMapsToNVVM> {
  using TensorMapsToNVVMPassBase::TensorMapsToNVVMPassBase;

  void runOnOperation() override {
    for (auto func : getOperation().getOps<LLVM::LLVMFuncOp>()) {
      auto shapes = func->getAttrOfType<DenseI64ArrayAttr>("tile.tensor_maps");
      if (!shapes)
        continue;
      unsigned count = shapes.size() / 2, arguments = func.getNumArguments();
      auto isPointer = [](Type type) {
        return isa<LLVM::LLVMPointerType>(type);
      };
      if (count > arguments ||
          !llvm::all_of(func.getArgumentTypes().take_back(count), isPointer)) {
        func.emitOpError() << "expects " << count
                           << " pointers to tensor maps as its last parameters";
        return signalPassFailure();
      }
      for (unsigned i = arguments - count; i < arguments; ++i)
        makeConstant(func, i);
    }
  }
};
} // namespace
