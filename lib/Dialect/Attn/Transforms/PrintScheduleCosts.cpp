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

/// A line; `when` it is launched, if that is said.
static void print(Operation *op, const ScheduledKernel &kernel,
                  const ::attn::Guard *when = nullptr) {
  llvm::raw_ostream &os = llvm::outs();
  ScheduleCost cost = costOf(kernel.schedule, kernel.shape);
  auto func = op->getParentOfType<FunctionOpInterface>();
  os << "@" << (func ? func.getName() : StringRef()) << kernel.suffix;
  if (when) {
    os << " where " << ::attn::toString(when->kind);
    for (auto [i, number] : llvm::enumerate(when->numbers))
      os << (i ? ", " : "(") << number;
    os << (when->numbers.empty() ? "" : ")");
  }
  os << ": " << cost.threads << " threads, " << cost.sharedBytes
     << " shared bytes, about " << cost.registers << " of "
     << cost.registerLimit << " registers\n";
}

namespace {
struct PrintScheduleCosts
    : mlir::attn::impl::AttnPrintScheduleCostsPassBase<PrintScheduleCosts> {
  using AttnPrintScheduleCostsPassBase::AttnPrintScheduleCostsPassBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    getOperation().walk([&](Operation *op) {
      if (auto attention = dyn_cast<AttentionOp>(op))
        printForward(attention);
      if (auto gradients = dyn_cast<AttentionBackwardOp>(op))
        for (const ScheduledKernel &kernel : scheduledKernels(gradients))
          print(op, kernel);
    });
  }

private:
  static void printForward(AttentionOp op) {
    if (op.getSchedule())
      print(op, scheduledKernel(op, *op.getSchedule()));
    if (std::optional<VariantsAttr> variants = op.getVariants())
      for (VariantAttr variant : variants->getVariants()) {
        ::attn::Guard guard = variant.getGuard();
        print(op, scheduledKernel(op, variant.getSchedule()), &guard);
      }
  }
};
} // namespace
