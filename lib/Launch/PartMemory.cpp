// See PartMemory.h.
#include "PartMemory.h"

#include "attn/Conversion/Shares.h"

#include <algorithm>

using namespace attn;

bool attn::hasParts(const KernelEntry &kernel) {
  return takes(kernel.signature, Role::PartialOut);
}

static int64_t ceilDiv(int64_t x, int64_t y) { return (x + y - 1) / y; }

static int64_t channelsOf(const KernelSpec &spec) {
  return ceilDiv(spec.valueDim, 16) * 16;
}

PartMemory PartMemory::ofShares(const KernelEntry &kernel,
                                const KernelSpec &spec, int64_t shares) {
  return {shares, 2 * shares, shares, kernel.queryTile, channelsOf(spec)};
}

PartMemory PartMemory::ofChunks(const KernelEntry &kernel,
                                const KernelSpec &spec,
                                const ProblemSizes &sizes) {
  return ofChunks(kernel, spec, SizeRange{sizes, sizes});
}

/// Of a range the most that heads can be, and that can share keys.
PartMemory PartMemory::ofChunks(const KernelEntry &kernel,
                                const KernelSpec &spec,
                                const SizeRange &range) {
  const auto &[smallest, largest] = range;
  int64_t group = kernel.packsHeads
                      ? largest.heads / std::max<int64_t>(smallest.kvHeads, 1)
                      : 1;
  int64_t heads = kernel.packsHeads ? largest.kvHeads : largest.heads;
  int64_t tiles = ceilDiv(largest.queries * group, kernel.queryTile);
  int64_t visits = ceilDiv(largest.keys, kernel.keyTile);
  int64_t slotsOfEach = std::clamp<int64_t>(ceilDiv(visits, kernel.chunk), 1,
                                            mlir::attn::mostChunks);
  int64_t merged = largest.batch * heads * tiles, slots = merged * slotsOfEach;
  return {slots, slots, merged, kernel.queryTile, channelsOf(spec)};
}

/// Of queries that heads own, or those that share keys.
static int64_t rowsOfHead(const KernelEntry &kernel,
                          const ProblemSizes &sizes) {
  return kernel.packsHeads
             ? sizes.queries * sizes.heads / std::max<int64_t>(sizes.kvHeads, 1)
             : sizes.queries;
}

static int64_t queryTilesOf(const KernelEntry &kernel,
                            const ProblemSizes &sizes) {
  int64_t heads = kernel.packsHeads ? sizes.kvHeads : sizes.heads;
  return sizes.batch * heads *
         ceilDiv(rowsOfHead(kernel, sizes), kernel.queryTile);
}

/// As many shares as there may be, or a few less, if these begin and end where
/// query tiles do, as far as they are equally long: less is merged then.
static int64_t evenShares(int64_t tiles, int64_t most) {
  int64_t ofShare = ceilDiv(tiles, most), even = most;
  if (tiles <= most)
    even = most / std::max<int64_t>(tiles, 1) * tiles;
  else if (tiles % ofShare == 0)
    even = tiles / ofShare;
  return 10 * even >= 9 * most ? even : most;
}

/// A query tile has a position for itself, and one for each visit at most, of
/// which a share has `leastShare`.
PartMemory PartMemory::forLaunch(const KernelEntry &kernel,
                                 const ProblemSizes &sizes) const {
  PartMemory launch = *this;
  if (kernel.chunk)
    return launch;
  int64_t tiles = queryTilesOf(kernel, sizes);
  int64_t line = tiles * (1 + ceilDiv(sizes.keys, kernel.keyTile));
  launch.tasks = std::clamp<int64_t>(line / mlir::attn::leastShare, 1,
                                     evenShares(tiles, tasks));
  launch.slots = 2 * launch.tasks;
  launch.merged = launch.tasks;
  return launch;
}

int64_t PartMemory::bytes() const {
  int64_t words = slots * rows * (channels + 2) + 2 * merged;
  return words * static_cast<int64_t>(sizeof(float));
}

void PartMemory::bind(Bindings &bindings, void *memory) const {
  auto *out = static_cast<float *>(memory);
  bindings.memory({Role::PartialOut}, out, {slots, rows, channels});
  float *sums = out + slots * rows * channels;
  bindings.memory({Role::PartialSums}, sums, {slots, 2, rows});
  bindings.memory({Role::PartialCounts}, sums + slots * 2 * rows, {merged, 2});
}

int64_t PartMemory::mergeTasks(const KernelEntry &kernel,
                               const ProblemSizes &sizes) const {
  int64_t headRows = rowsOfHead(kernel, sizes);
  return std::min(queryTilesOf(kernel, sizes), merged) *
         std::clamp<int64_t>(headRows, 1, rows) * channels /
         mlir::attn::mergedChannels;
}

Result<void> attn::checkWorkspace(const Workspace &workspace,
                                  const PartMemory &wanted) {
  if (!workspace.data)
    return {};
  if (workspace.bytes < wanted.bytes())
    return Error{"expects a workspace of at least " +
                 std::to_string(wanted.bytes()) + " bytes, got " +
                 std::to_string(workspace.bytes)};
  if (reinterpret_cast<uintptr_t>(workspace.data) % 16)
    return Error{"expects a workspace aligned to 16 bytes"};
  return {};
}
