// The IR that a kernel is compiled from, for any target.
#ifndef ATTN_LIB_API_KERNELMODULE_H
#define ATTN_LIB_API_KERNELMODULE_H

#include "../Launch/CaptureGradients.h"
#include "../Launch/ScheduleNeeds.h"

#include "attn/API/Attention.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Runtime/Guard.h"
#include "attn/Runtime/Signature.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>
#include <vector>

namespace attn {

/// A module with one function `@attention` that returns one attention of its
/// arguments, of run-time shape, each with its role. Canonicalisation may have
/// dropped captures of programs that do nothing.
struct KernelModule {
  /// One of those that own keys, of a module of gradients.
  struct OfKeys {
    const char *function;
    int64_t queryTile, keyTile;
  };

  static constexpr const char *function = "attention";
  /// What becomes of it with gradients (attn-to-flash).
  static constexpr const char *gradQueryFunction = "attention_grad_query";
  static constexpr const char *gradKeyFunction = "attention_grad_key";
  static constexpr const char *gradValueFunction = "attention_grad_value";
  /// Of a sum for captures, by its number: what fills its slots, if it has
  /// some, and what ends it.
  std::string gradSlotsFunction(size_t sum) const;
  static std::string gradSumFunction(size_t sum);

  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string schedule; ///< of this module, as text
  LaunchPlan plan;      ///< of all launches
  int64_t queryTile = 0, keyTile = 0;
  // Of a module of gradients.
  std::vector<OfKeys> ofKeys; ///< in the order of their launches
  std::vector<CaptureSumPlan> sums;
};

/// Builds the module, inlines mods, and selects schedules for `target` of
/// attn-select-schedule: `variant` of the plan, or the one for launches of any
/// sizes. The caller holds the mod's mutex. Errors: dimensions that attention
/// does not take; a schedule that does not parse.
Result<KernelModule>
buildKernelModule(const Mod &mod, const KernelSpec &spec, const char *target,
                  std::optional<size_t> variant = std::nullopt);

/// The same with a function that returns the gradients of query, key and value,
/// and of the captures `wrt`.
Result<KernelModule>
buildGradientModule(const Mod &mod, const KernelSpec &spec,
                    std::vector<int64_t> wrt, const char *target,
                    std::optional<size_t> variant = std::nullopt);

/// What a launch of the function `name` in `module`, lowered or not, fills.
Signature signatureIn(mlir::ModuleOp module, const std::string &name);

/// What the schedule `text`, or one of variants, needs. Errors: it does not
/// parse.
Result<ScheduleNeeds> needsOfSchedule(const Mod &mod, const std::string &text);

/// The same of schedules for gradients. Errors besides: some have producers,
/// some not.
Result<ScheduleNeeds> needsOfGradientSchedules(const Mod &mod,
                                               const std::string &text);

} // namespace attn

#endif // ATTN_LIB_API_KERNELMODULE_H
