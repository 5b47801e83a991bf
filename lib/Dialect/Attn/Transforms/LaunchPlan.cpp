// See LaunchPlan.h.
#include "LaunchPlan.h"

#include <functional>

using namespace mlir;
using namespace mlir::attn;
using ::attn::Condition;
using ::attn::Guard;

/// Whether it has what only kernels for sm_90a have.
static bool isForSM90a(VariantAttr variant) {
  return llvm::any_of(variant.getSchedules(),
                      std::mem_fn(&ScheduleAttr::isForSM90a));
}

static bool hasAligned(VariantAttr variant) {
  return llvm::any_of(variant.getSchedules(), [](ScheduleAttr schedule) {
    return !schedule.getPipeline().unaligned;
  });
}

static VariantAttr withGuard(VariantAttr v, Guard guard) {
  return VariantAttr::get(v.getContext(), std::move(guard), v.getSchedule(),
                          v.getKeySchedule(), v.getValueSchedule(),
                          v.getCaptureSchedule(), v.getStridedCaptures());
}

static VariantAttr forAnyStrides(VariantAttr v) {
  return VariantAttr::get(v.getContext(), v.getGuard(), v.getSchedule(),
                          v.getKeySchedule(), v.getValueSchedule(),
                          v.getCaptureSchedule(), /*strided_captures=*/true);
}

/// `s` may be null.
static ScheduleAttr forAnyRows(ScheduleAttr s) {
  if (!s)
    return s;
  Schedule schedule = s.getParts();
  schedule.pipeline.unaligned = true, schedule.pipeline.readOnce = false;
  return ScheduleAttr::get(s.getContext(), schedule);
}

/// Of those that are not for sm_90a, which need aligned rows.
static SmallVector<VariantAttr> forAnyRows(ArrayRef<VariantAttr> variants) {
  SmallVector<VariantAttr> result;
  for (VariantAttr v : variants)
    if (!isForSM90a(v))
      result.push_back(VariantAttr::get(
          v.getContext(), v.getGuard(), forAnyRows(v.getSchedule()),
          forAnyRows(v.getKeySchedule()), forAnyRows(v.getValueSchedule()),
          forAnyRows(v.getCaptureSchedule()), v.getStridedCaptures()));
  return result;
}

namespace {
class PlanBuilder {
public:
  explicit PlanBuilder(const PlanFacts &facts) : facts(facts) {}

  /// Whether guards ask for all that kernels need, and the last for nothing.
  bool isComplete(ArrayRef<VariantAttr> variants) const {
    return variants.back().getGuard().isAlways() &&
           llvm::all_of(variants, [&](VariantAttr variant) {
             return variant == guarded(variant);
           });
  }

  /// For captures with strides of 1, then for any.
  void add(ArrayRef<VariantAttr> variants) {
    if (!isWhole() && !(facts.stridedCaptures && facts.hasTables))
      for (VariantAttr variant : variants)
        plan.push_back(guarded(variant));
    if (!isWhole() && facts.hasTables)
      for (VariantAttr variant : variants)
        plan.push_back(guarded(forAnyStrides(variant)));
  }

  ArrayRef<VariantAttr> get() const { return plan; }

private:
  bool isWhole() const {
    return !plan.empty() && plan.back().getGuard().isAlways();
  }

  /// With what its kernel needs of memory.
  VariantAttr guarded(VariantAttr variant) const {
    Guard guard = variant.getGuard();
    auto need = [&](Condition::Kind kind) {
      if (!guard.has(kind))
        guard.conditions.insert(guard.conditions.begin(), Condition{kind});
    };
    if (facts.hasTables && !variant.getStridedCaptures())
      need(Condition::Kind::UnitCaptures);
    if (!facts.isCPU && isForSM90a(variant))
      need(Condition::Kind::SM90a);
    else if (!facts.isCPU && hasAligned(variant))
      need(Condition::Kind::Aligned);
    return withGuard(variant, std::move(guard));
  }

  PlanFacts facts;
  SmallVector<VariantAttr> plan;
};
} // namespace

VariantsAttr
mlir::attn::completePlan(ArrayRef<VariantAttr> given, const PlanFacts &facts,
                         function_ref<VariantAttr(bool aligned)> portable) {
  PlanBuilder plan(facts);
  if (plan.isComplete(given))
    return VariantsAttr::get(given.back().getContext(), given);
  bool needsSM90a = !facts.isCPU && isForSM90a(given.back());
  if (facts.aligned) {
    plan.add(given);
    if (needsSM90a)
      plan.add(portable(/*aligned=*/true));
  }
  plan.add(needsSM90a ? SmallVector<VariantAttr>{portable(/*aligned=*/false)}
                      : forAnyRows(given));
  return VariantsAttr::get(given.back().getContext(), plan.get());
}

void mlir::attn::takeVariant(Operation *op, VariantAttr variant) {
  auto set = [&](StringRef name, Attribute value) {
    if (value)
      op->setAttr(name, value);
    else
      op->removeAttr(name);
  };
  set("schedule", variant.getSchedule());
  set("key_schedule", variant.getKeySchedule());
  set("value_schedule", variant.getValueSchedule());
  set("capture_schedule", variant.getCaptureSchedule());
  set("strided_captures", variant.getStridedCaptures()
                              ? UnitAttr::get(op->getContext())
                              : UnitAttr());
}
