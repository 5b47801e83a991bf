// See GradientSchedules.h.
#include "GradientSchedules.h"

#include "attn/Analysis/PairReads.h"
#include "attn/Analysis/ScoreForm.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn;

static ScheduleAttr attributeOf(Operation *op, const Schedule &schedule) {
  return ScheduleAttr::get(op->getContext(), schedule);
}

namespace {
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
  schedule.pipeline.dependent = ownsKeys;
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

/// Whether gradients of scores, or of what multiplies them, need the products,
/// which then stay in registers until the gradients of weights are there.
static bool keepsProducts(AttentionBackwardOp op) {
  ScoreForm most =
      op.getWrt().empty() ? ScoreForm::Affine : ScoreForm::Additive;
  return scoreFormOf(op.lookupMod()) > most;
}

/// Whether a tile of registers is for what is read of pairs.
static bool readsPairs(AttentionBackwardOp op) {
  ModOp mod = op.lookupMod();
  return mod && mod.standsAlone() && !findPairReads(mod.getScore()).empty();
}

ScheduleAttr mlir::attn::scheduleOfRows(AttentionBackwardOp op, bool aligned) {
  return attributeOf(op, scheduleOf({/*rows=*/64, /*columns=*/64, /*warps=*/4,
                                     /*stages=*/1},
                                    /*ownsKeys=*/false, aligned));
}

/// Of all gradients in one pass over the pairs, where it takes less time than
/// two: 5 products of tiles instead of 7, one after the other. 64 queries a
/// step leave registers for accumulators of 128 channels, 128 for those of 64;
/// their gradients are two groups' shares of whole 128-byte rows. A mod whose
/// products stay in registers takes half of the queries; at 128 channels it
/// spills even then, and takes half as long again as in two passes.
static std::optional<ScheduleAttr> gradientsAtOnce(AttentionBackwardOp op) {
  if (op.getSchedule() || op.getKeySchedule() || op.getValueSchedule())
    return std::nullopt; // each kernel's own
  int64_t channels = llvm::alignTo(op.getHeadDim(), 16);
  bool fits = (channels == 64 || channels == 128) && op.getValueDim() <= 128;
  bool wide = channels == 128 || op.getValueDim() > 64;
  bool keeps = keepsProducts(op);
  if (!fits || op.getDeterministic() || (wide && keeps))
    return std::nullopt;
  GradientTiles tiles{/*rows=*/128, /*columns=*/64, /*warps=*/8, /*stages=*/2};
  if (keeps)
    tiles.stages = 3;
  else if (!wide && !readsPairs(op))
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
  bool keeps = keepsProducts(op);
  GradientTiles usual{/*rows=*/128, /*columns=*/64, /*warps=*/8, /*stages=*/2};
  if (widest <= 64)
    return {schedule(keeps ? GradientTiles{128, 64, 8, 3}
                           : GradientTiles{192, 64, 12, 3},
                     false),
            schedule({128, keeps ? 64 : 96, 8, 2}, true), ScheduleAttr()};
  // With 48 queries nothing spills with any mod; with 64, a few bytes with
  // some, the kernels are 3 to 8% faster.
  if (widest <= 128)
    return {schedule(usual, false),
            schedule({128, keeps ? 48 : 64, 8, 4}, true), ScheduleAttr()};
  // A thread has no registers for two accumulators. The kernel of values has no
  // tile of these.
  if (widest <= 192)
    return {schedule(usual, false), schedule(usual, true),
            schedule(usual, true)};
  GradientTiles narrow{128, keeps ? 32 : 48, 8, 2};
  return {schedule(narrow, false), schedule(narrow, true),
          schedule(usual, true)};
}

GradientSchedules mlir::attn::selectGradients(AttentionBackwardOp op,
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

ScheduleAttr mlir::attn::selectForCaptures(AttentionBackwardOp op,
                                           bool aligned) {
  GradientTiles tiles = gradientTilesForSM80(op, /*ownsKeys=*/false);
  tiles.columns = std::min<int64_t>(tiles.columns, 32);
  return attributeOf(op, scheduleOf(tiles, /*ownsKeys=*/false, aligned));
}
