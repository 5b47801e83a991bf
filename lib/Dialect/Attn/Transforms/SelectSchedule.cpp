// attn-select-schedule: the only heuristic. Every number that a lowering of
// attention is free to choose is chosen here.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNSELECTSCHEDULEPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

/// For a core of a CPU: no warps, no shared memory.
static ScheduleAttr selectForCPU(AttentionOp op, bool aligned) {
  return ScheduleAttr::get(op.getContext(), /*q=*/64, /*kv=*/64, /*warps=*/1,
                           /*stages=*/1, aligned);
}

/// For sm_80 and newer: what registers hold of the accumulator, and shared
/// memory of keys and values, falls with the head dimension.
static ScheduleAttr selectForSM80(AttentionOp op, bool aligned) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  int64_t q = widest <= 128 ? 128 : 64, kv = 64;
  if (op.getElementType().isF32())
    q = 64, kv = 32;
  return ScheduleAttr::get(op.getContext(), q, kv, /*warps=*/4, /*stages=*/1,
                           aligned);
}

namespace {
struct AttnSelectSchedulePass
    : public attn::impl::AttnSelectSchedulePassBase<AttnSelectSchedulePass> {
  using AttnSelectSchedulePassBase::AttnSelectSchedulePassBase;

  void runOnOperation() override {
    if (target != "cpu" && target != "sm80") {
      emitError(getOperation().getLoc())
          << "expects 'target' cpu or sm80, got '" << target << "'";
      return signalPassFailure();
    }
    getOperation().walk([&](AttentionOp op) {
      if (!op.getSchedule())
        op.setScheduleAttr(target == "cpu" ? selectForCPU(op, aligned)
                                           : selectForSM80(op, aligned));
    });
  }
};
} // namespace
