// attn-print-schedule-costs: what the kernels of schedules take of a GPU.
#include "attn/Analysis/ScheduledKernels.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNPRINTSCHEDULECOSTSPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

/// A line; `where` it is launched, if that is said.
static void print(Operation *op, const ScheduledKernel &kernel,
                  const std::string &where) {
  llvm::raw_ostream &os = llvm::outs();
  ScheduleCost cost = costOf(kernel.schedule, kernel.shape);
  auto func = op->getParentOfType<FunctionOpInterface>();
  os << "@" << (func ? func.getName() : StringRef()) << kernel.suffix << where
     << ": " << cost.threads << " threads, " << cost.sharedBytes
     << " shared bytes, about " << cost.registers << " of "
     << cost.registerLimit << " registers\n";
}

/// Kernels of the schedules of `op`, then of each of its variants.
template <typename Op> static void printAll(Op op) {
  for (const ScheduledKernel &kernel : scheduledKernels(op))
    print(op, kernel, "");
  std::optional<VariantsAttr> variants = op.getVariants();
  if (!variants)
    return;
  for (VariantAttr variant : variants->getVariants()) {
    std::string where = " where " + ::attn::toString(variant.getGuard());
    for (const ScheduledKernel &kernel : scheduledKernels(op, variant))
      print(op, kernel, where);
  }
}

namespace {
struct PrintScheduleCosts
    : mlir::attn::impl::AttnPrintScheduleCostsPassBase<PrintScheduleCosts> {
  using AttnPrintScheduleCostsPassBase::AttnPrintScheduleCostsPassBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    getOperation().walk([](Operation *op) {
      if (auto attention = dyn_cast<AttentionOp>(op))
        printAll(attention);
      if (auto gradients = dyn_cast<AttentionBackwardOp>(op))
        printAll(gradients);
    });
  }
};
} // namespace
