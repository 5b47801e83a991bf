// See ScheduleCost.h. The tiles of each kernel are those of AttnToFlash, their
// places those of tile-make-rings and tile-stage-loads.
#include "attn/Analysis/ScheduleCost.h"

#include "attn/Dialect/Tile/IR/SharedMemory.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir::attn;
namespace shared = mlir::attn::tile::shared;
using Kind = KernelShape::Kind;

std::optional<RegisterShares>
mlir::attn::registerShares(const Schedule &schedule, int64_t tileRegisters) {
  // All threads of a multiprocessor start with equal shares of its registers;
  // what some give up, the others may take, and no more: they would wait for it
  // forever. With one group everybody has enough from the start.
  const WarpRoles &roles = schedule.roles;
  constexpr int64_t all = 65536, granularity = 8;
  if (roles.warps == 4 && roles.minBlocks == 1)
    return std::nullopt;
  int64_t share = llvm::alignDown(all / (roles.minBlocks * roles.getThreads()),
                                  granularity);
  // Who produces for tasks that own keys follows two loops and fills vectors,
  // and has more where the others can do with less.
  int64_t producer =
      roles.warps == 12                                               ? 32
      : schedule.tiling.ownsKeys && tileRegisters <= fewTileRegisters ? 56
                                                                      : 40;
  int64_t left = share * roles.getThreads() - producer * 32 * roles.producers;
  return RegisterShares{static_cast<int32_t>(producer),
                        static_cast<int32_t>(llvm::alignDown(
                            left / roles.getComputingThreads(), granularity))};
}

namespace {
/// That an instruction can name.
constexpr int64_t mostRegisters = 255;

/// A matrix in shared memory: of a task or of what it visits.
struct Matrix {
  int64_t rows, columns;
};

/// What a kernel holds.
class Holdings {
public:
  Holdings(const Schedule &schedule, const KernelShape &kernel)
      : schedule(schedule), kernel(kernel), tiling(schedule.tiling),
        headDim(llvm::alignTo(kernel.headDim, 16)),
        valueDim(llvm::alignTo(kernel.valueDim, 16)) {
    int64_t rows = tiling.getRows(), columns = schedule.getOwnColumns();
    switch (kernel.kind) {
    case Kind::Forward:
      ofTask = {{rows, headDim}};
      visited = {{columns, headDim}, {columns, valueDim}};
      break;
    case Kind::GradRows:
      break;
    case Kind::GradValue:
      ofTask = {{rows, headDim}};
      visited = {{columns, headDim}, {columns, valueDim}};
      vectors = 1;
      break;
    case Kind::GradQuery:
    case Kind::CapturePairs:
    case Kind::GradKeyAndValue:
    case Kind::GradKey:
    case Kind::GradAll:
      ofTask = {{rows, headDim}, {rows, valueDim}};
      visited = {{columns, headDim}, {columns, valueDim}};
      vectors = tiling.ownsKeys ? 2 : 0;
      break;
    }
  }

  int64_t sharedBytes() const {
    if (visited.empty())
      return 0;
    return schedule.roles.hasProducers() ? bytesOfRings() : bytesOfBuffers();
  }

  /// Of tiles, as tile-roles-to-warps counts them.
  int64_t tileRegisters() const { return accumulators() + 2 * scores(); }

  /// 32-bit registers that a thread which computes cannot do without.
  int64_t registers() const {
    // Addresses, statistics of rows, and what a mod computes with.
    constexpr int64_t others = 32;
    if (kernel.kind == Kind::GradRows)
      return others;
    // A tile of scores, and the gradients of its weights, where sums for memory
    // come later. Products that run by themselves read all rounded weights
    // while the next scores are made; others take them as they go.
    int64_t registers = accumulators() + scores() + others;
    if (kernel.kind != Kind::Forward && kernel.kind != Kind::GradValue)
      return registers + scores();
    return schedule.roles.hasProducers() ? registers + scores() / 2 : registers;
  }

private:
  int64_t perThread(int64_t elements) const {
    return elements / schedule.roles.getComputingThreads();
  }

  /// Elements of f32 that a thread carries through its loop.
  int64_t accumulators() const {
    bool ofValues =
        kernel.kind == Kind::Forward || kernel.kind == Kind::GradKeyAndValue ||
        kernel.kind == Kind::GradValue || kernel.kind == Kind::GradAll;
    bool ofHead =
        kernel.kind == Kind::GradQuery || kernel.kind == Kind::GradKey ||
        kernel.kind == Kind::GradKeyAndValue || kernel.kind == Kind::GradAll;
    int64_t channels = (ofValues ? valueDim : 0) + (ofHead ? headDim : 0);
    return perThread(tiling.getRows() * channels);
  }

  /// Of a tile of scores.
  int64_t scores() const {
    return perThread(tiling.getRows() * schedule.getOwnColumns());
  }

  int64_t bytesOfRings() const {
    const CopyPipeline &pipeline = schedule.pipeline;
    int64_t bytes = shared::besideTiles, columns = tiling.getColumns();
    for (Matrix tile : ofTask)
      bytes +=
          pipeline.taskStages * shared::swizzledBytes(tile.rows, tile.columns);
    bool first = true;
    for (Matrix tile : visited) {
      bytes += pipeline.getStepStages(first) *
               shared::swizzledBytes(tile.rows, tile.columns);
      first = false;
    }
    bytes += vectors * pipeline.getStepStages(/*first=*/false) *
             shared::floatBytes(columns);
    if (kernel.kind == Kind::GradAll) {
      int64_t sums = shared::floatBytes(columns * headDim);
      bytes += shared::sumStages(sums, pipeline.stages) * sums +
               shared::sharedOperandStages *
                   shared::swizzledBytes(tiling.getRows(), columns);
    }
    return bytes;
  }

  int64_t bytesOfBuffers() const {
    int64_t bytes = 0;
    auto add = [&](Matrix tile, int64_t stages) {
      bytes += stages * shared::paddedBytes(tile.rows, tile.columns,
                                            kernel.elementBytes);
    };
    for (Matrix tile : ofTask)
      add(tile, 1);
    for (Matrix tile : visited)
      add(tile, schedule.pipeline.stages);
    int64_t warps = schedule.roles.keyWarps;
    bytes *= warps;
    if (warps > 1) // half of them give the others what they have
      bytes += warps / 2 * shared::floatsOfWarp(tiling.getRows(), valueDim);
    return bytes;
  }

  const Schedule &schedule;
  const KernelShape &kernel;
  const Tiling &tiling;
  int64_t headDim, valueDim; ///< as tiles have them
  llvm::SmallVector<Matrix, 2> ofTask, visited;
  int64_t vectors = 0; ///< as long as a visited tile has rows
};
} // namespace

ScheduleCost mlir::attn::costOf(const Schedule &schedule,
                                const KernelShape &kernel) {
  Holdings holdings(schedule, kernel);
  ScheduleCost cost;
  cost.threads = schedule.roles.getThreads();
  cost.sharedBytes = holdings.sharedBytes();
  cost.registers = holdings.registers();
  std::optional<RegisterShares> shares;
  if (schedule.roles.hasProducers())
    shares = registerShares(schedule, holdings.tileRegisters());
  cost.registerLimit = shares ? shares->consumer : mostRegisters;
  return cost;
}
