// Keeps what the arguments of kernels are for where conversions take them
// apart. See AttnRecordSignaturesPass in Passes.td.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "attn/Dialect/Attn/IR/KernelSignature.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNRECORDSIGNATURESPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

static void record(FunctionOpInterface func) {
  SmallVector<RoleAttr> roles;
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    roles.push_back(cast<RoleAttr>(
        func.removeArgAttr(i, StringAttr::get(func.getContext(), roleName))));
  func->setAttr(signatureName,
                SignatureAttr::get(func.getContext(), roles,
                                   llvm::to_vector(func.getArgumentTypes())));
}

namespace {
struct RecordSignatures
    : mlir::attn::impl::AttnRecordSignaturesPassBase<RecordSignatures> {
  using Base::Base;

  void runOnOperation() override {
    getOperation()->walk([](FunctionOpInterface func) {
      bool hasRoles =
          llvm::any_of(llvm::seq(func.getNumArguments()), [&](unsigned i) {
            return func.getArgAttrOfType<RoleAttr>(i, roleName);
          });
      // A declaration says by its roles what a call takes (replaceByKernels).
      if (hasRoles && hasSignature(func) && !func.isExternal())
        record(func);
    });
  }
};
} // namespace
