// attn-select-schedule: the only heuristic. Every number that a lowering of
// attention is free to choose is chosen here.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "LaunchPlan.h"

#include "attn/Analysis/AdditiveScore.h"
#include "attn/Analysis/MaskLogic.h"
#include "attn/Analysis/ScheduledKernels.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNSELECTSCHEDULEPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

static ScheduleAttr attributeOf(Operation *op, const Schedule &schedule) {
  return ScheduleAttr::get(op->getContext(), schedule);
}

/// For a core of a CPU: no warps, no shared memory.
static Schedule selectForCPU(bool aligned) {
  Schedule schedule;
  schedule.tiling.q = schedule.tiling.kv = 64;
  schedule.pipeline.unaligned = !aligned;
  return schedule;
}

/// Whether a program reads a table at the query or the key, so that each row
/// and column of a tile needs registers for what it reads.
static bool readsTablesByPosition(ModOp mod) {
  auto reads = [&](Region &program, unsigned leading) {
    if (program.empty())
      return false;
    // Batch and head follow the captures and, in a score program, the score.
    auto arguments = program.front().getArguments();
    Value batch = arguments[leading], head = arguments[leading + 1];
    return program
        .walk([&](LoadOp load) {
          return llvm::all_of(load.getIndices(),
                              [&](Value index) {
                                return index == batch || index == head;
                              })
                     ? WalkResult::advance()
                     : WalkResult::interrupt();
        })
        .wasInterrupted();
  };
  return mod && (reads(mod.getScore(), mod.getNumCaptures() + 1) ||
                 reads(mod.getMask(), mod.getNumCaptures()));
}

/// For sm_80 and newer: 255 registers a thread hold the output, the scores of
/// one step and what moves them, without a spill. Two blocks of four warps fill
/// a multiprocessor. At 128 channels tiles of 64 queries are up to a quarter
/// slower, eight warps up to a third; fewer keys have more barriers. At 64
/// channels 128 keys are fastest, but spill with some mods: 112 leave room
/// (docs/notebook.md compares the candidates, on an H100).
static Schedule selectForSM80(AttentionOp op, bool aligned) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  int64_t q = widest <= 128 ? 128 : 64, kv = widest <= 64 ? 112 : 64;
  if (readsTablesByPosition(op.lookupMod()))
    kv = widest <= 64 ? 64 : 48;
  if (op.getElementType().isF32())
    q = 64, kv = widest <= 128 ? 32 : 16;
  Schedule schedule;
  schedule.tiling.q = q, schedule.tiling.kv = kv;
  schedule.roles.warps = 4;
  schedule.pipeline.unaligned = !aligned;
  return schedule;
}

/// For sm_90a: groups of four warps with 64 rows each, and four that copy. The
/// output and the scores of one step fill the registers that setmaxnreg leaves
/// each thread; the stages of keys and values fill shared memory, with a second
/// query tile where there is room. Three groups hide more of each other's
/// softmax where the products are short. The output drains through the query
/// tile where that is as wide. With few tasks, each is as small as can be, and
/// there is no next one. With few rounds of tasks, two groups leave less of the
/// GPU idle than three. With short rows, what is ahead is the next task more
/// than the next step, so that smaller key tiles make room for its queries and
/// values. docs/notebook.md has the measurements behind each entry.
static Schedule selectForSM90a(AttentionOp op, ProblemKind problem) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  bool narrow = widest <= 64;
  Schedule schedule;
  auto &[tiling, roles, pipeline] = schedule;
  roles.producers = 4;
  if (problem == ProblemKind::FewTasks) {
    tiling.q = 64;
    tiling.kv = widest <= 128 ? 128 : widest <= 192 ? 112 : 80;
    roles.warps = 4;
    pipeline.stages = widest <= 128 ? 3 : 2;
    return schedule;
  }
  // Tiles of 192 queries leave more of a short row out, and see more that a
  // mask drops, than three groups gain: with a mask two groups are 13 to 18%
  // faster, without one 3 to 9% slower.
  ModOp mod = op.lookupMod();
  bool shortRows = problem == ProblemKind::ShortRows;
  bool threeGroups = narrow && problem != ProblemKind::FewRounds &&
                     !(shortRows && mod && mod.hasMask());
  // In long rows `eager` costs up to 6%: the exponentials of the two groups
  // meet more often.
  bool eager = shortRows && widest <= 192 && (threeGroups || !narrow);
  pipeline.eager = eager;
  tiling.q = threeGroups ? 192 : 128;
  // 160 and 176 keys do not divide the usual lengths, and the last step is then
  // partial; 64 with four stages are 6 to 20% slower.
  tiling.kv = widest <= 128   ? 128
              : widest <= 192 ? 112
              : shortRows     ? 64 // divides 512
                              : 80;
  // Up to 192 channels, smaller key tiles leave room for a second query tile:
  // with it short rows, then eager, are 9 to 14% faster, and long ones with
  // wide values 1%.
  bool wideValues = op.getValueDim() > 128;
  bool twoQueries = widest <= 128;
  if (widest > 128 && widest <= 192 && (eager || wideValues))
    tiling.kv = eager && wideValues ? 64 : 80, twoQueries = true;
  // Three groups have 160 registers a thread: what a mod reads needs some.
  if (threeGroups && readsTablesByPosition(mod))
    tiling.kv = 112;
  roles.warps = tiling.q / 16;
  // Two groups without turns are 0 to 4% slower.
  roles.pingpong = !threeGroups;
  pipeline.stages = threeGroups ? 3 : narrow ? 4 : 2;
  pipeline.taskStages = twoQueries ? 2 : 1;
  pipeline.persistent = true;
  pipeline.drain = op.getValueDim() <= op.getHeadDim();
  return schedule;
}

/// The kernels of sm_90a and their launches. Up to 64 channels, two groups of
/// 64 rows take 1.25 times as long for a row as three, and yet may have done
/// first. Rows are short up to where the kernel for them was measured to be
/// faster: a third tile of values gains 7% at 512 keys, nothing at 1024, and
/// costs 1 to 4% from 2048 on; with 192 channels 2048 keys still gain 9%, 4096
/// lose 4%; with 256, where 64 keys a step divide 512 and 80 do not, 512 gain
/// 4% and 1024 lose up to 1.5%. Lists are for the tiles of one kernel.
static SmallVector<VariantAttr> variantsForSM90a(AttentionOp op) {
  using ::attn::Condition;
  SmallVector<VariantAttr> variants;
  auto add = [&](std::vector<Condition> conditions, ProblemKind problem) {
    variants.push_back(VariantAttr::get(
        {std::move(conditions)}, attributeOf(op, selectForSM90a(op, problem))));
  };
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  ModOp mod = op.lookupMod();
  bool hasLists = mod && mod.hasMask() && mod.standsAlone() &&
                  !MaskLogic(mod.getMask()).hasOneRun(Axis::Key);
  if (!hasLists) {
    add({{Condition::Kind::FewTasks, {64}}}, ProblemKind::FewTasks);
    if (widest <= 64)
      add({{Condition::Kind::FewRounds, {128, 192, 125}}},
          ProblemKind::FewRounds);
    int64_t keys = widest <= 128 ? 1024 : widest <= 192 ? 2048 : 512;
    add({{Condition::Kind::ShortRows, {keys}}}, ProblemKind::ShortRows);
  }
  add({}, ProblemKind::Any);
  return variants;
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
    return {variantOf(attributeOf(op, selectForCPU(aligned)),
                      /*stridedCaptures=*/false)};
  if (target == "sm80")
    return {variantOf(attributeOf(op, selectForSM80(op, aligned)),
                      /*stridedCaptures=*/false)};
  return variantsForSM90a(op);
}

/// Writes what `op` has not: the schedule for `problem`, and the variants. Of
/// variants that are given, the last is the schedule.
static void select(AttentionOp op, StringRef target, const PlanFacts &facts,
                   ProblemKind problem) {
  SmallVector<VariantAttr> variants = variantsOf(op, target, facts.aligned);
  bool isGiven = op.getSchedule() || op.getVariants();
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

namespace {
/// Of the kernels of gradients. `value` is null where the kernel of keys makes
/// the gradients of both.
struct GradientSchedules {
  ScheduleAttr query, key, value;
};

/// What kernels that own queries and those that own keys have in common.
struct GradientTiles {
  int64_t rows, columns; ///< of a tile that a task owns, and that it visits
  int64_t warps, stages;
};
} // namespace

/// For warps that all copy and compute.
static Schedule scheduleOf(GradientTiles tiles, bool ownsKeys, bool aligned) {
  Schedule schedule;
  schedule.tiling.q = ownsKeys ? tiles.columns : tiles.rows;
  schedule.tiling.kv = ownsKeys ? tiles.rows : tiles.columns;
  schedule.tiling.ownsKeys = ownsKeys;
  schedule.roles.warps = tiles.warps;
  schedule.pipeline.stages = tiles.stages;
  schedule.pipeline.unaligned = !aligned;
  return schedule;
}

/// For warps that have roles, in persistent blocks.
static Schedule scheduleWithRoles(GradientTiles tiles, bool ownsKeys) {
  Schedule schedule = scheduleOf(tiles, ownsKeys, /*aligned=*/true);
  schedule.roles.producers = 4;
  schedule.pipeline.persistent = true;
  return schedule;
}

/// Any GPU has 99 KiB of shared memory for a block: two tiles that are owned
/// and two that are visited, twice where copies are to run beside products.
/// Products of f32 split what they multiply, which takes registers: with more
/// columns the kernel of keys spills.
static GradientTiles gradientTilesForSM80(AttentionBackwardOp op,
                                          bool ownsKeys) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  if (op.getElementType().isF32()) {
    if (widest <= 64 && !ownsKeys)
      return {/*rows=*/64, /*columns=*/32, /*warps=*/4, /*stages=*/2};
    if (widest <= 128)
      return {64, 16, 4, 1};
    return {32, 16, 2, 1};
  }
  if (widest <= 64)
    return {64, 64, 4, 2};
  if (widest <= 128)
    return {64, 32, 4, 2};
  if (widest <= 192)
    return {64, 32, 4, 1};
  return {64, 16, 4, 1};
}

/// Whether gradients of scores need the scores, which then stay in registers
/// until the gradients of weights are there.
static bool keepsScores(ModOp mod) { return !hasAdditiveScore(mod); }

/// For the kernels around one that makes all gradients in one pass.
static ScheduleAttr scheduleOfRows(AttentionBackwardOp op, bool aligned) {
  return attributeOf(op, scheduleOf({/*rows=*/64, /*columns=*/64, /*warps=*/4,
                                     /*stages=*/1},
                                    /*ownsKeys=*/false, aligned));
}

/// Of all gradients in one pass over the pairs, where it takes less time than
/// two: 5 products of tiles instead of 7, one after the other. 64 queries a
/// step leave registers for accumulators of 128 channels, 128 for those of 64;
/// their gradients are two groups' shares of whole 128-byte rows. A mod whose
/// scores stay in registers takes half of the queries; at 128 channels it
/// spills even then, and takes half as long again as in two passes.
static std::optional<ScheduleAttr> gradientsAtOnce(AttentionBackwardOp op) {
  if (op.getSchedule() || op.getKeySchedule() || op.getValueSchedule())
    return std::nullopt; // each kernel's own
  int64_t channels = llvm::alignTo(op.getHeadDim(), 16);
  bool fits = (channels == 64 || channels == 128) && op.getValueDim() <= 128;
  bool wide = channels == 128 || op.getValueDim() > 64;
  bool scores = keepsScores(op.lookupMod());
  if (!fits || op.getDeterministic() || (wide && scores))
    return std::nullopt;
  GradientTiles tiles{/*rows=*/128, /*columns=*/64, /*warps=*/8, /*stages=*/2};
  if (scores)
    tiles.stages = 3;
  else if (!wide)
    tiles.columns = 128;
  Schedule schedule = scheduleWithRoles(tiles, /*ownsKeys=*/true);
  schedule.tiling.once = true;
  return attributeOf(op, schedule);
}

/// For sm_90a: groups of four warps with 64 rows each. What a thread holds of a
/// step (two tiles of scores' size, and one or two accumulators) fits the
/// registers that setmaxnreg leaves it; the rest of shared memory is for tiles
/// ahead.
static GradientSchedules gradientsForSM90a(AttentionBackwardOp op) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  if (std::optional<ScheduleAttr> once = gradientsAtOnce(op))
    return {scheduleOfRows(op, /*aligned=*/true), *once, ScheduleAttr()};
  auto schedule = [&](GradientTiles tiles, bool ownsKeys) {
    return attributeOf(op, scheduleWithRoles(tiles, ownsKeys));
  };
  bool scores = keepsScores(op.lookupMod());
  GradientTiles usual{/*rows=*/128, /*columns=*/64, /*warps=*/8, /*stages=*/2};
  if (widest <= 64)
    return {schedule(scores ? GradientTiles{128, 64, 8, 3}
                            : GradientTiles{192, 64, 12, 3},
                     false),
            schedule({128, scores ? 64 : 96, 8, 2}, true), ScheduleAttr()};
  // With 48 queries nothing spills with any mod; with 64, a few bytes with
  // some, the kernels are 3 to 8% faster.
  if (widest <= 128)
    return {schedule(usual, false),
            schedule({128, scores ? 32 : 64, 8, 4}, true), ScheduleAttr()};
  // A thread has no registers for two accumulators. The kernel of values has no
  // tile of these.
  if (widest <= 192)
    return {schedule(usual, false), schedule(usual, true),
            schedule(usual, true)};
  GradientTiles narrow{128, scores ? 32 : 48, 8, 2};
  return {schedule(narrow, false), schedule(narrow, true),
          schedule(usual, true)};
}

static GradientSchedules selectGradients(AttentionBackwardOp op,
                                         StringRef target, bool aligned) {
  if (target == "sm90a")
    return gradientsForSM90a(op);
  auto schedule = [&](bool ownsKeys) {
    GradientTiles tiles = target == "cpu" ? GradientTiles{64, 64, 1, 1}
                                          : gradientTilesForSM80(op, ownsKeys);
    return attributeOf(op, scheduleOf(tiles, ownsKeys, aligned));
  };
  GradientSchedules schedules{schedule(false), schedule(true), ScheduleAttr()};
  // A thread has no registers for two accumulators of 16 rows a warp and so
  // many channels. Then scores are made once more.
  int64_t most = op.getElementType().isF32() ? 64 : 128;
  if (target == "sm80" && std::max(op.getHeadDim(), op.getValueDim()) > most)
    schedules.value = schedule(true);
  return schedules;
}

/// Kernels for captures are those of every GPU. Without accumulators they have
/// no need of many columns, whose elements and places take registers.
static ScheduleAttr selectForCaptures(AttentionBackwardOp op, bool aligned) {
  GradientTiles tiles = gradientTilesForSM80(op, /*ownsKeys=*/false);
  tiles.columns = std::min<int64_t>(tiles.columns, 32);
  return attributeOf(op, scheduleOf(tiles, /*ownsKeys=*/false, aligned));
}

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
  /// Products of f32, and rows that TMA does not take, have the kernels of
  /// every GPU.
  template <typename Op> StringRef familyFor(Op op) {
    bool suits = aligned && !op.getElementType().isF32();
    return target == "sm90a" && !suits ? "sm80" : StringRef(target);
  }

  template <typename Op> PlanFacts factsOf(Op op) {
    PlanFacts facts;
    facts.isCPU = target == "cpu";
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
