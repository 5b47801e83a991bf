// What is behind tile lists: one order of steps, and for each target memory and
// a way to run a step.
#ifndef ATTN_LIB_LAUNCH_TILESIMPL_H
#define ATTN_LIB_LAUNCH_TILESIMPL_H

#include "KernelSource.h"

#include "attn/API/Tiles.h"
#include "attn/Runtime/Signature.h"

#include <array>
#include <mutex>

namespace attn {

/// One of the functions that find tiles.
struct TileStep {
  TileGroup group;
  size_t number; ///< within the group
};
namespace tile_steps {
constexpr TileStep queryParts{TileGroup::Lists, 0};
constexpr TileStep keyParts{TileGroup::Lists, 1};
constexpr TileStep classify{TileGroup::Lists, 2};
constexpr TileStep count{TileGroup::Lists, 3};
constexpr TileStep fill{TileGroup::Lists, 4};
constexpr TileStep countTransposed{TileGroup::Transposed, 0};
constexpr TileStep fillTransposed{TileGroup::Transposed, 1};
constexpr TileStep countPairs{TileGroup::Pairs, 0};
} // namespace tile_steps

/// Contiguous memory of a target.
struct TileArray {
  void *data = nullptr;
  std::vector<int64_t> sizes;
  int64_t elements() const;
};

/// The numbers and memory of all steps.
struct TileArguments {
  int64_t queries, keys, searchers = 1;
  TileArray queryParts, keyParts, queryLeaders, keyLeaders, kept, full, order,
      firsts, counts, tiles, total, pairs;

  /// Binds all of them by their roles.
  void bind(Bindings &bindings) const;
};

/// Memory of a target that frees itself.
struct TileMemory {
  virtual ~TileMemory() = default;
  void *data = nullptr;
  int64_t bytes = 0;
};

struct TileLists::Impl {
  ProblemSizes sizes;
  TileArguments arguments;
  std::unique_ptr<TileMemory> fixed, entries;
  int64_t queryTile = 0, keyTile = 0;
  bool transposed = false;
  bool readsBatch = false, readsHead = false; ///< of the mask
  std::shared_ptr<const Impl> source; ///< of transposed lists: their bits
};

/// The functions of one group.
struct TileCode {
  virtual ~TileCode() = default;
  virtual Result<void> run(size_t number, int64_t tasks, Bindings &bindings,
                           void *stream) const = 0;
};
using TileCodeResult = Result<std::shared_ptr<TileCode>>;

struct TileFinder::Impl {
  virtual ~Impl() = default;
  virtual Result<std::unique_ptr<TileMemory>> allocate(int64_t bytes) const = 0;
  virtual Result<void> clear(void *data, int64_t bytes, void *stream) const = 0;
  /// How many tasks share the open tiles of each of so many words.
  virtual int64_t searchersOf(int64_t words) const = 0;
  /// Waits for the stream.
  virtual Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                                  void *stream) const = 0;
  virtual TileCodeResult load(const KernelImage &image) const = 0;

  /// The group's code, compiled and loaded if need be.
  TileCodeResult code(TileGroup group) const;
  Result<void> run(TileStep step, int64_t tasks, const TileArguments &arguments,
                   const std::vector<CaptureView> &captures,
                   void *stream) const;

  std::shared_ptr<const TileSource> source;
  std::vector<CaptureInfo> captures;
  MaskFacts mask;
  int64_t queryTile = 0, keyTile = 0;
  double compileSeconds = 0;

private:
  mutable std::mutex mutex;
  mutable std::array<std::shared_ptr<TileCode>, tileGroups> codes;
};

std::shared_ptr<TileFinder::Impl> createCPUTileFinder();
/// For the current context.
Result<std::shared_ptr<TileFinder::Impl>> createCUDATileFinder();

/// With the functions for lists loaded. Of a description, spec and plan are not
/// read but for the target.
Result<TileFinder> createTileFinder(const KernelDescription &of,
                                    std::shared_ptr<const TileSource> source,
                                    int64_t queryTile, int64_t keyTile);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_TILESIMPL_H
