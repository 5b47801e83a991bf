// What is behind tile lists: one order of steps, and for each target memory and
// a way to run a step.
#ifndef ATTN_LIB_API_TILESIMPL_H
#define ATTN_LIB_API_TILESIMPL_H

#include "attn/API/Tiles.h"

#include "mlir/IR/BuiltinOps.h"

#include <array>
#include <mutex>

namespace attn {

/// The functions of attn/Conversion/TileLists.h.
enum class TileStep {
  QueryParts,
  KeyParts,
  Classify,
  Count,
  Fill,
  CountTransposed,
  FillTransposed,
  CountPairs
};
constexpr size_t tileStepCount = 8;

/// Contiguous memory of a target.
struct TileArray {
  void *data = nullptr;
  std::vector<int64_t> sizes;
  int64_t elements() const;
};

/// What each step takes.
struct TileArguments {
  const std::vector<CaptureView> *captures;
  int64_t queries, keys;
  TileArray queryParts, keyParts, kept, full, order, firsts, counts, tiles,
      total, pairs;

  std::array<const TileArray *, 10> arrays() const {
    return {&queryParts, &keyParts, &kept,  &full,  &order,
            &firsts,     &counts,   &tiles, &total, &pairs};
  }
};

/// Memory of a target that frees itself.
struct TileMemory {
  virtual ~TileMemory() = default;
  void *data = nullptr;
  int64_t bytes = 0;
};

struct TileLists::Impl {
  ProblemSizes sizes;
  TileArguments arguments; ///< captures are not kept
  std::unique_ptr<TileMemory> fixed, entries;
  bool transposed = false;
  std::shared_ptr<const Impl> source; ///< of transposed lists: their bits
};

struct TileFinder::Impl {
  virtual ~Impl() = default;
  virtual Result<std::unique_ptr<TileMemory>> allocate(int64_t bytes) const = 0;
  virtual Result<void> clear(void *data, int64_t bytes, void *stream) const = 0;
  virtual Result<void> run(TileStep step, int64_t tasks,
                           const TileArguments &arguments,
                           void *stream) const = 0;
  /// Waits for the stream.
  virtual Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                                  void *stream) const = 0;

  std::vector<CaptureInfo> captures;
  std::vector<unsigned> usedCaptures; ///< which of them the functions take
  bool readsBatch = false, readsHead = false;
  int64_t queryParts = 0, keyParts = 0; ///< how many
  int64_t queryTile = 0, keyTile = 0;
  double compileSeconds = 0;
};

/// The names of the functions, in the order of TileStep.
std::vector<std::string> tileFunctions();

using TileFinderImpl = Result<std::shared_ptr<TileFinder::Impl>>;

/// Compile the functions in `module`, an attention with a schedule. The caller
/// holds the mod's mutex.
TileFinderImpl createCPUTileFinder(const Mod &mod, mlir::ModuleOp module);
TileFinderImpl createCUDATileFinder(const Mod &mod, mlir::ModuleOp module);

} // namespace attn

#endif // ATTN_LIB_API_TILESIMPL_H
