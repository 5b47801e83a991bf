// See ForwardSchedules.h.
#include "ForwardSchedules.h"

#include "attn/Analysis/MaskLogic.h"
#include "attn/Analysis/PairReads.h"

#include <functional>

using namespace mlir;
using namespace mlir::attn;
using ::attn::Condition;

Schedule mlir::attn::selectForCPU(bool aligned) {
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
/// (docs/notebook.md compares the candidates, on an H100). What is read at a
/// position takes registers, and so does where a row of a page lies.
Schedule mlir::attn::selectForSM80(AttentionOp op, bool aligned) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  int64_t q = widest <= 128 ? 128 : 64, kv = widest <= 64 ? 112 : 64;
  if (op.getPages())
    q = 64, kv = 64;
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

/// Whether a kernel gets the tiles that it visits from lists.
static bool hasLists(AttentionOp op) {
  ModOp mod = op.lookupMod();
  return !op.getCuQ() && !op.getCuK() && mod && mod.hasMask() &&
         mod.standsAlone() && !MaskLogic(mod.getMask()).hasOneRun(Axis::Key);
}

/// Of the wider of keys and values, as tiles have them.
static int64_t rowBytesOf(AttentionOp op) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  return llvm::alignTo(widest, 16) *
         op.getElementType().getIntOrFloatBitWidth() / 8;
}

/// Even shares of the keys; where results do not depend on the batch, chunks of
/// 1024 keys for each 16 rows: what is written of a part is then at most 2% of
/// what is read for it.
static Schedule withParts(AttentionOp op, Schedule schedule) {
  Tiling &tiling = schedule.tiling;
  tiling.shares = !op.getInvariant();
  if (op.getInvariant())
    tiling.chunk = llvm::divideCeil(1024 * tiling.q / 16, tiling.kv);
  return schedule;
}

/// A warp for each 16 rows, and parts of the keys, as tasks are few. On a GPU
/// several blocks share a multiprocessor, so that the copies of some run while
/// others compute.
static Schedule selectPacked(AttentionOp op, int64_t rows, bool isCPU,
                             bool aligned) {
  Schedule schedule =
      isCPU ? selectForCPU(aligned) : selectForSM80(op, aligned);
  schedule.tiling.q = rows;
  schedule.tiling.pack = true;
  if (isCPU)
    return withParts(op, schedule);
  int64_t bytes = rowBytesOf(op);
  // At 64 channels 96 keys are 4% faster, but spill with some mods.
  schedule.tiling.kv =
      (bytes <= 256 ? 64 : 32) / (op.getElementType().isF32() ? 2 : 1);
  schedule.roles.warps = rows / 16;
  // Copies one tile ahead take registers that wide rows have not.
  schedule.pipeline.stages = bytes <= 256 ? 2 : 1;
  schedule.pipeline.readOnce = aligned;
  return withParts(op, schedule);
}

/// One warp cannot hide what it waits for, and blocks of one read the memory in
/// many places at once: where a block may have most of a multiprocessor's
/// shared memory, several deal the keys of a step among them. Of rows of 256
/// bytes two blocks of two warps are up to 4% faster than one of four, as one
/// begins or ends while the other reads. Not where each warp first asks in
/// which page its rows are: fewer rows a step hide that less
/// (docs/notebook.md).
Schedule mlir::attn::partsForSM90(AttentionOp op, Schedule schedule) {
  schedule.pipeline.dependent = true;
  int64_t bytes = rowBytesOf(op);
  if (schedule.tiling.getRows() != 16 || bytes > 256 || op.getPages())
    return schedule;
  schedule.roles.keyWarps = bytes == 256 ? 2 : 4;
  int64_t ofWarp =
      (bytes <= 128 ? 64 : 32) / (op.getElementType().isF32() ? 2 : 1);
  schedule.tiling.kv = schedule.roles.keyWarps * ofWarp;
  return withParts(op, schedule);
}

/// Whether the threads of a block for so many rows have registers to copy what
/// it visits (test/Target/PTX/no-spills-packed.test): one of a single warp
/// copies much of a tile, one of two walks down columns only where these divide
/// them.
static bool canCopy(AttentionOp op, int64_t rows) {
  int64_t bytes = rowBytesOf(op);
  return rows >= 64 ||
         (bytes <= 512 && (rows <= 16 || llvm::isPowerOf2_64(bytes)));
}

/// For the GPUs of sm_80 and newer, or for a CPU, and launches of few queries:
/// kernels whose rows are those of all heads that share keys. None for a mask
/// whose tiles come from lists, which are of one head's, nor where sequences
/// lie one behind another.
static SmallVector<VariantAttr> packedVariants(AttentionOp op, bool isCPU,
                                               bool aligned) {
  SmallVector<VariantAttr> variants;
  if (hasLists(op) || op.getCuQ() || op.getCuK())
    return variants;
  for (int64_t rows : {16, 32, 64})
    if (isCPU || canCopy(op, rows))
      variants.push_back(VariantAttr::get(
          {{{Condition::Kind::PackedRows, {rows}}}},
          ScheduleAttr::get(op.getContext(),
                            selectPacked(op, rows, isCPU, aligned))));
  return variants;
}

SmallVector<VariantAttr> mlir::attn::variantsForCPU(AttentionOp op,
                                                    bool aligned) {
  SmallVector<VariantAttr> variants =
      packedVariants(op, /*isCPU=*/true, aligned);
  variants.push_back(VariantAttr::get(
      {}, ScheduleAttr::get(op.getContext(), selectForCPU(aligned))));
  return variants;
}

SmallVector<VariantAttr> mlir::attn::variantsForSM80(AttentionOp op,
                                                     bool aligned) {
  auto any = ScheduleAttr::get(op.getContext(), selectForSM80(op, aligned));
  SmallVector<VariantAttr> variants =
      packedVariants(op, /*isCPU=*/false, aligned);
  variants.push_back(VariantAttr::get({}, any));
  return variants;
}

/// What is read of pairs is on its way while scores are made: one tile of
/// registers more, and those of what other tables have. As many keys as that
/// leaves room for: at 128 channels 64 take 8% longer than 96
/// (docs/notebook.md).
static int64_t keysWithPairs(size_t tables, int64_t widest, bool threeGroups) {
  if (threeGroups)
    return tables == 1 ? 64 : 48;
  if (tables == 1)
    return widest <= 128 ? 96 : widest <= 192 ? 80 : 64;
  return widest <= 128 ? 64 : 48;
}

static bool hasMediumRows(AttentionOp op) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  return widest > 64 && widest <= 96;
}

/// Whether three groups with fewer keys are faster than two where rows are
/// long: by 6 to 12%, without a mask. What tables have takes registers.
static bool gainsByFewerKeys(AttentionOp op) {
  ModOp mod = op.lookupMod();
  return hasMediumRows(op) && !(mod && mod.hasMask()) &&
         !readsTablesByPosition(mod);
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
Schedule mlir::attn::selectForSM90a(AttentionOp op, ProblemKind problem) {
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  bool narrow = widest <= 64;
  Schedule schedule;
  auto &[tiling, roles, pipeline] = schedule;
  roles.producers = 4;
  ModOp mod = op.lookupMod();
  size_t pairTables = 0;
  if (mod && mod.standsAlone())
    pairTables = findPairReads(mod.getScore()).size();
  if (problem == ProblemKind::FewTasks) {
    tiling.q = 64;
    tiling.kv = widest <= 128 ? 128 : widest <= 192 ? 112 : 80;
    if (pairTables)
      tiling.kv = keysWithPairs(pairTables, widest, /*threeGroups=*/false);
    roles.warps = 4;
    pipeline.stages = widest <= 128 ? 3 : 2;
    return schedule;
  }
  // Tiles of 192 queries leave more of a short row out, and see more that a
  // mask drops, than three groups gain: with a mask two groups are 13 to 18%
  // faster, without one 3 to 9% slower.
  bool shortRows = problem == ProblemKind::ShortRows;
  bool hasMask = mod && mod.hasMask();
  bool threeGroups =
      narrow && problem != ProblemKind::FewRounds && !(shortRows && hasMask);
  bool fewerKeys = problem == ProblemKind::Any && gainsByFewerKeys(op);
  threeGroups |= fewerKeys;
  // In long rows `eager` costs up to 6%, as the exponentials of the two groups
  // meet more often; from 65 to 96 channels it gains 3 to 10%.
  bool eager =
      shortRows ? widest <= 192 && (threeGroups || !narrow) : hasMediumRows(op);
  pipeline.eager = eager;
  tiling.q = threeGroups ? 192 : 128;
  // 160 and 176 keys do not divide the usual lengths, and the last step is then
  // partial; 64 with four stages are 6 to 20% slower.
  tiling.kv = fewerKeys       ? 96
              : widest <= 128 ? 128
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
  if (threeGroups && narrow && readsTablesByPosition(mod))
    tiling.kv = 112;
  if (pairTables)
    tiling.kv =
        std::min<int64_t>(shortRows ? 64 : tiling.kv,
                          keysWithPairs(pairTables, widest, threeGroups));
  roles.warps = tiling.q / 16;
  // Two groups without turns are 0 to 4% slower.
  roles.pingpong = !threeGroups;
  pipeline.stages = !narrow ? 2 : threeGroups ? 3 : 4;
  pipeline.taskStages = twoQueries ? 2 : 1;
  pipeline.persistent = true;
  // TMA would write behind a sequence, into the next one.
  pipeline.drain = op.getValueDim() <= op.getHeadDim() && !op.getCuQ();
  return schedule;
}

/// The kernels of sm_90a and their launches. Up to 64 channels, two groups of
/// 64 rows take 1.25 times as long for a row as three, and yet may have done
/// first. Rows are short up to where the kernel for them was measured to be
/// faster: a third tile of values gains 7% at 512 keys, nothing at 1024, and
/// costs 1 to 4% from 2048 on; with 192 channels 2048 keys still gain 9%, 4096
/// lose 4%; with 256, where 64 keys a step divide 512 and 80 do not, 512 gain
/// 4% and 1024 lose up to 1.5%. Lists are for the tiles of one kernel.
SmallVector<VariantAttr> mlir::attn::variantsForSM90a(AttentionOp op) {
  SmallVector<VariantAttr> variants;
  auto add = [&](std::vector<Condition> conditions, ProblemKind problem) {
    if (op.getInvariant() &&
        llvm::any_of(conditions, std::mem_fn(&Condition::isOfBatch)))
      return;
    variants.push_back(VariantAttr::get(
        {std::move(conditions)},
        ScheduleAttr::get(op.getContext(), selectForSM90a(op, problem))));
  };
  int64_t widest = std::max(op.getHeadDim(), op.getValueDim());
  if (!hasLists(op)) {
    // Shares of packed rows have a second kernel behind, which costs more than
    // they gain where rows are short (1024 keys: 13 against 15 us with keys
    // that are dealt to warps, else 16), and where tasks of a head each fill
    // the GPU (B8 H16 of 8192: 145 against 135).
    int64_t shortRow = rowBytesOf(op) <= 256 ? 512 : 1024;
    add({{Condition::Kind::FewTasks, {64}},
         {Condition::Kind::ShortRows, {shortRow}}},
        ProblemKind::FewTasks);
    add({{Condition::Kind::FullRound, {64, 75}}}, ProblemKind::FewTasks);
    llvm::append_range(variants,
                       packedVariants(op, /*isCPU=*/false, /*aligned=*/true));
    add({{Condition::Kind::FewTasks, {64}}}, ProblemKind::FewTasks);
    if (widest <= 64)
      add({{Condition::Kind::FewRounds, {128, 192, 125}}},
          ProblemKind::FewRounds);
    else if (gainsByFewerKeys(op))
      add({{Condition::Kind::FewRounds, {128, 192, 107}}},
          ProblemKind::FewRounds);
    int64_t keys = widest <= 128 ? 1024 : widest <= 192 ? 2048 : 512;
    add({{Condition::Kind::ShortRows, {keys}}}, ProblemKind::ShortRows);
  }
  // What the last would do as well needs no guard.
  auto any =
      ScheduleAttr::get(op.getContext(), selectForSM90a(op, ProblemKind::Any));
  while (!variants.empty() && variants.back().getSchedule() == any)
    variants.pop_back();
  add({}, ProblemKind::Any);
  return variants;
}
