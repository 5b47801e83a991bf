// What is behind tile lists: one order of steps, and for each target memory and
// a way to run a step.
#ifndef ATTN_LIB_API_TILESIMPL_H
#define ATTN_LIB_API_TILESIMPL_H

#include "attn/API/Tiles.h"
#include "attn/Runtime/Signature.h"

#include "mlir/IR/BuiltinOps.h"

#include <array>
#include <mutex>

namespace attn {

/// The functions of attn/Conversion/TileLists.h, in groups that are compiled
/// together, when the first one is needed.
enum class TileGroup { Lists, Transposed, Pairs };
constexpr size_t tileGroups = 3;
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

/// The compiled functions of one group.
struct TileCode {
  virtual ~TileCode() = default;
  virtual Result<void> run(size_t number, int64_t tasks, Bindings &bindings,
                           void *stream) const = 0;
};
using TileCodeResult = Result<std::shared_ptr<TileCode>>;

struct TileFinder::Impl {
  explicit Impl(const Mod &mod) : mod(mod) {}
  virtual ~Impl() = default;
  virtual Result<std::unique_ptr<TileMemory>> allocate(int64_t bytes) const = 0;
  virtual Result<void> clear(void *data, int64_t bytes, void *stream) const = 0;
  /// How many tasks share the open tiles of each of so many words.
  virtual int64_t searchersOf(int64_t words) const = 0;
  /// Waits for the stream.
  virtual Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                                  void *stream) const = 0;
  /// Compiles functions of `module`, an attention with a schedule. The caller
  /// holds the mod's mutex. `functions`: as in attn-to-tile-lists.
  virtual TileCodeResult
  compile(mlir::ModuleOp module, const std::string &functions,
          const std::vector<std::string> &names) const = 0;

  /// The group's code, compiled if need be.
  TileCodeResult code(TileGroup group) const;
  Result<void> run(TileStep step, int64_t tasks, const TileArguments &arguments,
                   const std::vector<CaptureView> &captures,
                   void *stream) const;

  Mod mod;
  std::vector<CaptureInfo> captures;
  bool readsBatch = false, readsHead = false;
  int64_t queryParts = 0, keyParts = 0;                ///< how many
  bool hasQueryClasses = false, hasKeyClasses = false; ///< more than one
  int64_t queryTile = 0, keyTile = 0;
  double compileSeconds = 0;

private:
  mutable std::mutex mutex;
  mutable std::array<std::shared_ptr<TileCode>, tileGroups> codes;
};

std::shared_ptr<TileFinder::Impl> createCPUTileFinder(const Mod &mod);
Result<std::shared_ptr<TileFinder::Impl>> createCUDATileFinder(const Mod &mod);

} // namespace attn

#endif // ATTN_LIB_API_TILESIMPL_H
