// attn-select-schedule: the only heuristic. Every number that a lowering of
// attention is free to choose is chosen here, in ForwardSchedules.cpp and in
// GradientSchedules.cpp.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "ForwardSchedules.h"
#include "GradientSchedules.h"
#include "LaunchPlan.h"

#include "attn/Analysis/ScheduledKernels.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNSELECTSCHEDULEPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

static ScheduleAttr attributeOf(Operation *op, const Schedule &schedule) {
  return ScheduleAttr::get(op->getContext(), schedule);
}

static VariantAttr variantOf(ScheduleAttr schedule, bool stridedCaptures) {
  return VariantAttr::get(schedule.getContext(), ::attn::Guard(), schedule,
                          ScheduleAttr(), ScheduleAttr(), ScheduleAttr(),
                          stridedCaptures);
}

/// Those that differ by sizes: such as are given, or else chosen.
static SmallVector<VariantAttr> variantsOf(AttentionOp op, StringRef target,
                                           bool aligned) {
  if (std::optional<VariantsAttr> given = op.getVariants())
    return SmallVector<VariantAttr>(given->getVariants());
  if (std::optional<ScheduleAttr> given = op.getSchedule())
    return {variantOf(*given, op.getStridedCaptures())};
  if (target == "cpu")
    return variantsForCPU(op, aligned);
  return target == "sm80" ? variantsForSM80(op, aligned) : variantsForSM90a(op);
}

/// Before each kernel of parts another for Hopper, behind which the one that
/// merges is launched early.
static SmallVector<VariantAttr> withDependent(AttentionOp op,
                                              ArrayRef<VariantAttr> variants) {
  SmallVector<VariantAttr> result;
  for (VariantAttr variant : variants) {
    Schedule schedule = variant.getSchedule().getParts();
    if (schedule.tiling.hasParts())
      result.push_back(VariantAttr::get(
          variant.getGuard(),
          ScheduleAttr::get(variant.getContext(), partsForSM90(op, schedule))));
    result.push_back(variant);
  }
  return result;
}

/// Writes what `op` has not: the schedule for `problem`, and the variants. Of
/// variants that are given, the last is the schedule.
static void select(AttentionOp op, StringRef target, const PlanFacts &facts,
                   ProblemKind problem) {
  SmallVector<VariantAttr> variants = variantsOf(op, target, facts.aligned);
  bool isGiven = op.getSchedule() || op.getVariants();
  if (!isGiven && facts.mayBeHopper && facts.aligned)
    variants = withDependent(op, variants);
  if (!op.getSchedule())
    takeVariant(op, variants.back());
  if (!isGiven && target == "sm90a")
    op.setScheduleAttr(attributeOf(op, selectForSM90a(op, problem)));
  op.setVariantsAttr(completePlan(variants, facts, [&](bool aligned) {
    return variantOf(attributeOf(op, selectForSM80(op, aligned)),
                     /*stridedCaptures=*/false);
  }));
}

//===--- gradients --------------------------------------------------------===//

static VariantAttr variantOf(const GradientSchedules &schedules,
                             ScheduleAttr ofCaptures, bool stridedCaptures) {
  return VariantAttr::get(schedules.query.getContext(), ::attn::Guard(),
                          schedules.query, schedules.key, schedules.value,
                          ofCaptures, stridedCaptures);
}

/// Writes schedules that `op` has not. Of variants that are given, the last has
/// them.
static void selectSchedules(AttentionBackwardOp op, StringRef target,
                            bool aligned) {
  if (op.getVariants() && !op.getSchedule())
    return takeVariant(op, op.getVariants()->getVariants().back());
  if (!op.getWrt().empty() && !op.getCaptureSchedule() && target != "cpu")
    op.setCaptureScheduleAttr(selectForCaptures(op, aligned));
  GradientSchedules schedules = selectGradients(op, target, aligned);
  if (op.getKeySchedule() && op.getKeySchedule()->getTiling().once)
    schedules.query = scheduleOfRows(op, aligned);
  if (!op.getKeySchedule()) {
    op.setKeyScheduleAttr(schedules.key);
    if (schedules.value && !op.getValueSchedule())
      op.setValueScheduleAttr(schedules.value);
  }
  if (!op.getSchedule())
    op.setScheduleAttr(schedules.query);
}

/// Writes what `op` has not: the schedules, and the variants.
static void select(AttentionBackwardOp op, StringRef target,
                   const PlanFacts &facts) {
  selectSchedules(op, target, facts.aligned);
  SmallVector<VariantAttr> variants;
  if (std::optional<VariantsAttr> given = op.getVariants())
    llvm::append_range(variants, given->getVariants());
  else
    variants.push_back(variantOf({op.getScheduleAttr(), op.getKeyScheduleAttr(),
                                  op.getValueScheduleAttr()},
                                 op.getCaptureScheduleAttr(),
                                 op.getStridedCaptures()));
  op.setVariantsAttr(completePlan(variants, facts, [&](bool aligned) {
    return variantOf(selectGradients(op, "sm80", aligned),
                     op.getWrt().empty() ? ScheduleAttr()
                                         : selectForCaptures(op, aligned),
                     /*stridedCaptures=*/false);
  }));
}

//===--- what no GPU has room for -----------------------------------------===//

static LogicalResult checkSharedMemory(Operation *op,
                                       ArrayRef<ScheduledKernel> kernels) {
  for (const ScheduledKernel &kernel : kernels) {
    ScheduleCost cost = costOf(kernel.schedule, kernel.shape);
    if (!cost.fitsSharedMemory())
      return op->emitOpError()
             << "expects schedules of at most " << ScheduleCost::mostSharedBytes
             << " bytes of shared memory, got " << cost.sharedBytes << " of "
             << ScheduleAttr::get(op->getContext(), kernel.schedule);
  }
  return success();
}

/// What is chosen fits; what is given must. `op` has variants.
template <typename Op> static LogicalResult checkSharedMemory(Op op) {
  SmallVector<ScheduledKernel> kernels = scheduledKernels(op);
  for (VariantAttr variant : op.getVariants()->getVariants())
    llvm::append_range(kernels, scheduledKernels(op, variant));
  return checkSharedMemory(op, kernels);
}

namespace {
struct AttnSelectSchedulePass
    : public mlir::attn::impl::AttnSelectSchedulePassBase<
          AttnSelectSchedulePass> {
  using AttnSelectSchedulePassBase::AttnSelectSchedulePassBase;

  void runOnOperation() override {
    if (target != "cpu" && target != "sm80" && target != "sm90a") {
      emitError(getOperation().getLoc())
          << "expects 'target' cpu, sm80 or sm90a, got '" << target << "'";
      return signalPassFailure();
    }
    bool done = true;
    getOperation().walk([&](AttentionOp op) {
      PlanFacts facts = factsOf(op);
      select(op, familyFor(op), facts, problem);
      done &= succeeded(finish(op, facts));
    });
    getOperation().walk([&](AttentionBackwardOp op) {
      PlanFacts facts = factsOf(op);
      select(op, familyFor(op), facts);
      done &= succeeded(finish(op, facts));
    });
    if (!done)
      signalPassFailure();
  }

private:
  /// Rows of pages do not lie one after the other; and of queries that do, TMA
  /// would read those of the next sequence, which invariant results must not
  /// see.
  static bool suitsTMA(AttentionOp op) {
    return !op.getPages() && !(op.getInvariant() && op.getCuQ());
  }
  static bool suitsTMA(AttentionBackwardOp) { return true; }

  /// Products of f32, and rows that TMA does not take, have the kernels of
  /// every GPU.
  template <typename Op> StringRef familyFor(Op op) {
    bool suits = aligned && !op.getElementType().isF32() && suitsTMA(op);
    return target == "sm90a" && !suits ? "sm80" : StringRef(target);
  }

  template <typename Op> PlanFacts factsOf(Op op) {
    PlanFacts facts;
    facts.isCPU = target == "cpu";
    facts.mayBeHopper = target == "sm90a";
    facts.aligned = aligned;
    facts.stridedCaptures = stridedCaptures;
    facts.hasTables = llvm::any_of(op.getCaptures().getTypes(), [](Type type) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      return tensor && tensor.getRank() != 0;
    });
    return facts;
  }

  /// Of an attention that has its schedules and variants.
  template <typename Op> LogicalResult finish(Op op, const PlanFacts &facts) {
    if (!facts.isCPU && failed(checkSharedMemory(op)))
      return failure();
    return choose(op);
  }

  /// Makes one of the variants the schedule, if one is asked for.
  template <typename Op> LogicalResult choose(Op op) {
    ArrayRef<VariantAttr> variants = op.getVariants()->getVariants();
    if (stridedCaptures)
      op.setStridedCaptures(true);
    if (variant < 0)
      return success();
    if (variant >= static_cast<int64_t>(variants.size()))
      return op.emitOpError()
             << "expects 'variant' to number one of " << variants.size()
             << ", got " << variant.getValue();
    takeVariant(op, variants[variant]);
    return success();
  }
};
} // namespace
