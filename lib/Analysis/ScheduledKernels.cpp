// See ScheduledKernels.h.
#include "attn/Analysis/ScheduledKernels.h"

using namespace mlir;
using namespace mlir::attn;
using Kind = KernelShape::Kind;

template <typename Op>
static ScheduledKernel kernelOf(Op op, StringRef suffix, Kind kind,
                                ScheduleAttr schedule) {
  KernelShape shape{kind, op.getElementType().getIntOrFloatBitWidth() / 8,
                    op.getHeadDim(), op.getValueDim()};
  return {suffix, shape, schedule.getParts()};
}

ScheduledKernel mlir::attn::scheduledKernel(AttentionOp op,
                                            ScheduleAttr schedule) {
  return kernelOf(op, "", Kind::Forward, schedule);
}

SmallVector<ScheduledKernel>
mlir::attn::scheduledKernels(AttentionBackwardOp op) {
  SmallVector<ScheduledKernel> kernels;
  auto add = [&](StringRef suffix, Kind kind,
                 std::optional<ScheduleAttr> schedule) {
    if (schedule)
      kernels.push_back(kernelOf(op, suffix, kind, *schedule));
  };
  bool once = op.getKeySchedule() && op.getKeySchedule()->getTiling().once;
  if (once)
    add("_grad_start", Kind::GradRows, op.getSchedule());
  add("_grad_query", once ? Kind::GradRows : Kind::GradQuery, op.getSchedule());
  add("_grad_key",
      once                    ? Kind::GradAll
      : op.getValueSchedule() ? Kind::GradKey
                              : Kind::GradKeyAndValue,
      op.getKeySchedule());
  add("_grad_value", Kind::GradValue, op.getValueSchedule());
  if (!op.getWrt().empty())
    add("_grad_pairs_0", Kind::CapturePairs, op.getCaptureSchedule());
  return kernels;
}
