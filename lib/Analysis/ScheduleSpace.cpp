// See ScheduleSpace.h.
#include "attn/Analysis/ScheduleSpace.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::attn;

namespace {
/// A schedule, and how far it is from the one that was chosen.
struct Candidate {
  Schedule schedule;
  int64_t distance = 0;
};
} // namespace

static bool areEqual(const Schedule &a, const Schedule &b) {
  return a.tiling == b.tiling && a.roles == b.roles && a.pipeline == b.pipeline;
}

/// How far apart two values lie in the order of an axis.
static int64_t stepsBetween(ArrayRef<int64_t> axis, int64_t from, int64_t to) {
  return std::abs(llvm::lower_bound(axis, from) - llvm::lower_bound(axis, to));
}

/// How much a step counts: tiles of another size decide more than copies, so
/// that a search looks at these first.
enum Step { OfTiles = 1, OfCopies = 3 };

/// Each candidate once for each value of an axis, which `set` gives it.
template <typename Set>
static void multiply(std::vector<Candidate> &all, Step step,
                     ArrayRef<int64_t> axis, int64_t chosen, Set set) {
  std::vector<Candidate> product;
  for (const Candidate &one : all)
    for (int64_t value : axis) {
      Candidate next = one;
      set(next.schedule, value);
      next.distance += step * stepsBetween(axis, chosen, value);
      product.push_back(next);
    }
  all = std::move(product);
}

//===--- what differs, by who has the kernel ------------------------------===//

static void setRows(Schedule &s, int64_t rows) {
  (s.tiling.ownsKeys ? s.tiling.kv : s.tiling.q) = rows;
}
static void setColumns(Schedule &s, int64_t columns) {
  (s.tiling.ownsKeys ? s.tiling.q : s.tiling.kv) = columns;
}
static void setStages(Schedule &s, int64_t stages) {
  s.pipeline.stages = stages;
}

/// A CPU's tasks are of one tile of rows each, on one core.
static std::vector<Candidate> ofCPU(const Schedule &chosen) {
  std::vector<Candidate> all = {{chosen}};
  multiply(all, OfTiles,
           chosen.tiling.pack ? ArrayRef<int64_t>{16, 32, 64}
                              : ArrayRef<int64_t>{16, 32, 48, 64, 96, 128},
           chosen.tiling.getRows(), setRows);
  multiply(all, OfTiles, {32, 48, 64, 96, 128, 192, 256},
           chosen.tiling.getColumns(), setColumns);
  return all;
}

/// Kernels of every GPU: all warps copy and compute, on rows of their own.
static std::vector<Candidate> ofSM80(const Schedule &chosen) {
  std::vector<Candidate> all = {{chosen}};
  multiply(all, OfTiles, {1, 2, 4, 8}, chosen.roles.warps,
           [](Schedule &s, int64_t warps) { s.roles.warps = warps; });
  multiply(
      all, OfTiles, {1, 2}, chosen.tiling.getRows() / (16 * chosen.roles.warps),
      [](Schedule &s, int64_t rows) { setRows(s, rows * 16 * s.roles.warps); });
  multiply(all, OfTiles, {16, 32, 48, 64, 80, 96, 112, 128},
           chosen.tiling.getColumns(), setColumns);
  multiply(all, OfCopies, {1, 2}, chosen.pipeline.stages, setStages);
  return all;
}

/// Gradients on sm_90a: groups of four warps as in the forward pass, whose
/// steps hold more than one tile of scores' size. In one pass over the pairs
/// those of queries are of whole instructions' rows, and at most two groups
/// have them.
static std::vector<Candidate> gradientsOfSM90a(const Schedule &chosen) {
  using Axis = ArrayRef<int64_t>;
  std::vector<Candidate> all = {{chosen}};
  bool once = chosen.tiling.once;
  multiply(all, OfTiles, once ? Axis{4, 8} : Axis{4, 8, 12}, chosen.roles.warps,
           [](Schedule &s, int64_t warps) {
             s.roles.warps = warps, setRows(s, 16 * warps);
             s.roles.pingpong &= warps == 8;
           });
  multiply(all, OfTiles,
           once ? Axis{64, 128} : Axis{32, 48, 64, 80, 96, 112, 128},
           chosen.tiling.getColumns(), setColumns);
  multiply(all, OfCopies, {2, 3, 4}, chosen.pipeline.stages, setStages);
  llvm::erase_if(all, [&](const Candidate &one) {
    const Tiling &tiling = one.schedule.tiling;
    return once && tiling.getColumns() > tiling.getRows();
  });
  return all;
}

/// Forward on sm_90a: groups of four warps with 16 rows each, beside those that
/// copy. What only goes with other values follows them, and is no step.
static std::vector<Candidate> ofSM90a(const Schedule &chosen) {
  std::vector<Candidate> all = {{chosen}};
  const auto &[tiling, roles, pipeline] = chosen;
  multiply(all, OfTiles, {4, 8, 12}, roles.warps,
           [&](Schedule &s, int64_t warps) {
             s.roles.warps = warps, s.tiling.q = 16 * warps;
             s.roles.pingpong &= warps == 8;
           });
  multiply(all, OfTiles, {48, 64, 80, 96, 112, 128, 144, 160, 176, 192},
           tiling.kv, [](Schedule &s, int64_t kv) { s.tiling.kv = kv; });
  multiply(all, OfCopies, {2, 3, 4}, pipeline.stages, setStages);
  multiply(all, OfCopies, {0, 1}, pipeline.persistent,
           [&](Schedule &s, int64_t stays) {
             s.pipeline.persistent = stays;
             if (!stays)
               s.pipeline.taskStages = 1, s.pipeline.eager = false;
           });
  multiply(all, OfCopies, {1, 2}, pipeline.taskStages,
           [](Schedule &s, int64_t stages) {
             s.pipeline.taskStages = stages;
             s.pipeline.eager &= stages == 2;
           });
  multiply(all, OfCopies, {0, 1}, pipeline.eager,
           [](Schedule &s, int64_t eager) { s.pipeline.eager = eager; });
  multiply(all, OfCopies, {0, 1}, roles.pingpong,
           [](Schedule &s, int64_t turns) { s.roles.pingpong = turns; });
  // Turns that three groups cannot take are not a step of their own.
  for (Candidate &one : all)
    if (roles.pingpong && one.schedule.roles.warps != 8 &&
        !one.schedule.roles.pingpong)
      one.distance -= OfCopies;
  return all;
}

//===--- what is out of the question --------------------------------------===//

static bool satisfiesConstraints(MLIRContext *context, const Schedule &s) {
  ScopedDiagnosticHandler quiet(context,
                                [](Diagnostic &) { return success(); });
  auto emitError = [&] { return mlir::emitError(UnknownLoc::get(context)); };
  return succeeded(
      ScheduleAttr::verify(emitError, s.tiling, s.roles, s.pipeline));
}

static bool suitsLengths(const Schedule &schedule, const LaunchShape &launch) {
  int64_t rows = launch.queries;
  if (schedule.tiling.pack)
    rows *= launch.sharedHeads;
  // The smallest tiles are for anything.
  return schedule.tiling.q <= std::max<int64_t>(2 * rows, 16) &&
         schedule.tiling.kv <= std::max<int64_t>(2 * launch.keys, 16);
}

/// Which part of the multiprocessors' time, in rounds of tasks, has rows that
/// are asked for.
static double useOf(const Schedule &schedule, const LaunchShape &launch) {
  // Shares are as many as there is room for.
  if (launch.multiprocessors == 0 || schedule.tiling.shares)
    return 1;
  int64_t rows = schedule.tiling.ownsKeys ? launch.keys : launch.queries;
  int64_t tasks =
      launch.tasks * llvm::divideCeil(rows, schedule.tiling.getRows());
  // Two blocks of four warps share a multiprocessor.
  int64_t places = launch.multiprocessors * (schedule.roles.warps <= 4 ? 2 : 1);
  int64_t rounds = llvm::divideCeil(tasks, places);
  return double(launch.tasks * rows) /
         double(rounds * places * schedule.tiling.getRows());
}

/// Without regard to what is out of the question.
static std::vector<Candidate>
variationsOf(const Schedule &chosen, const KernelShape &kernel, bool isCPU) {
  if (isCPU)
    return ofCPU(chosen);
  if (!chosen.roles.hasProducers())
    return ofSM80(chosen);
  return kernel.kind == KernelShape::Kind::Forward ? ofSM90a(chosen)
                                                   : gradientsOfSM90a(chosen);
}

std::vector<Schedule> mlir::attn::scheduleSpace(MLIRContext *context,
                                                const Schedule &chosen,
                                                const KernelShape &kernel,
                                                const LaunchShape &launch) {
  bool isCPU = launch.multiprocessors == 0;
  std::vector<Candidate> all = variationsOf(chosen, kernel, isCPU);
  llvm::erase_if(all, [&](const Candidate &one) {
    const Schedule &s = one.schedule;
    if (areEqual(s, chosen) || !satisfiesConstraints(context, s) ||
        !suitsLengths(s, launch))
      return true;
    if (isCPU)
      return false;
    ScheduleCost cost = costOf(s, kernel);
    return !cost.fitsSharedMemory() || !cost.fitsRegisters();
  });
  double most = useOf(chosen, launch);
  for (const Candidate &one : all)
    most = std::max(most, useOf(one.schedule, launch));
  llvm::erase_if(all, [&](const Candidate &one) {
    return useOf(one.schedule, launch) < 0.7 * most;
  });
  llvm::stable_sort(all, [](const Candidate &a, const Candidate &b) {
    return a.distance < b.distance;
  });
  std::vector<Schedule> space = {chosen};
  for (const Candidate &one : all)
    if (llvm::none_of(space, [&](const Schedule &s) {
          return areEqual(s, one.schedule);
        }))
      space.push_back(one.schedule);
  return space;
}
