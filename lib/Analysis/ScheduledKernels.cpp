// See ScheduledKernels.h.
#include "attn/Analysis/ScheduledKernels.h"

#include "attn/Analysis/ProgramDependence.h"

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

static SmallVector<ScheduledKernel> forwardKernels(AttentionOp op,
                                                   ScheduleAttr schedule) {
  if (!schedule)
    return {};
  return {kernelOf(op, "", Kind::Forward, schedule)};
}

SmallVector<ScheduledKernel> mlir::attn::scheduledKernels(AttentionOp op) {
  return forwardKernels(op, op.getScheduleAttr());
}

SmallVector<ScheduledKernel> mlir::attn::scheduledKernels(AttentionOp op,
                                                          VariantAttr variant) {
  return forwardKernels(op, variant.getSchedule());
}

namespace {
/// Each may be null.
struct GradientSchedules {
  ScheduleAttr queries, keys, values, captures;
};
} // namespace

/// Whether a gradient is asked for of a table that is read at an element that
/// depends on the query: others are carried (attn/Conversion/CaptureSums.h). Of
/// what only adds to all scores of a query nothing is summed in the end.
static bool addsPairs(AttentionBackwardOp op) {
  ModOp mod = op.lookupMod();
  if (op.getWrt().empty() || !mod || !mod.hasScore())
    return false;
  Region &program = mod.getScore();
  ProgramDependence dependence(program);
  dependence.assume(program.getArgument(mod.getNumCaptures()),
                    QueryPosition | KeyPosition);
  return program
      .walk([&](LoadOp load) {
        auto table = dyn_cast<BlockArgument>(load.getTable());
        bool isAsked =
            table && llvm::is_contained(op.getWrt(), table.getArgNumber());
        return isAsked && llvm::any_of(load.getIndices(),
                                       [&](Value index) {
                                         return dependence.of(index) &
                                                QueryPosition;
                                       })
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

static SmallVector<ScheduledKernel>
gradientKernels(AttentionBackwardOp op, const GradientSchedules &of) {
  SmallVector<ScheduledKernel> kernels;
  auto add = [&](StringRef suffix, Kind kind, ScheduleAttr schedule) {
    if (schedule)
      kernels.push_back(kernelOf(op, suffix, kind, schedule));
  };
  bool once = of.keys && of.keys.getTiling().once;
  if (once)
    add("_grad_start", Kind::GradRows, of.queries);
  add("_grad_query", once ? Kind::GradRows : Kind::GradQuery, of.queries);
  add("_grad_key",
      once        ? Kind::GradAll
      : of.values ? Kind::GradKey
                  : Kind::GradKeyAndValue,
      of.keys);
  add("_grad_value", Kind::GradValue, of.values);
  if (addsPairs(op))
    add("_grad_pairs_0", Kind::CapturePairs, of.captures);
  return kernels;
}

SmallVector<ScheduledKernel>
mlir::attn::scheduledKernels(AttentionBackwardOp op) {
  return gradientKernels(op, {op.getScheduleAttr(), op.getKeyScheduleAttr(),
                              op.getValueScheduleAttr(),
                              op.getCaptureScheduleAttr()});
}

SmallVector<ScheduledKernel>
mlir::attn::scheduledKernels(AttentionBackwardOp op, VariantAttr variant) {
  return gradientKernels(op, {variant.getSchedule(), variant.getKeySchedule(),
                              variant.getValueSchedule(),
                              variant.getCaptureSchedule()});
}
