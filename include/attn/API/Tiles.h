// Which tiles of the score matrix a mask visits, found by code that the
// compiler makes of the mask program: its cost grows with the number of tiles,
// not of pairs.
//
// A kernel whose tiles are one run for each query tile computes the ends of the
// run itself. Any other kernel reads lists, which are made once for the lengths
// and captured tensors of a problem, and stay valid until one of them changes.
#ifndef ATTN_API_TILES_H
#define ATTN_API_TILES_H

#include "attn/API/Attention.h"

namespace attn {

enum class TileClass : uint8_t {
  Empty,   ///< no pair is kept: never visited
  Partial, ///< visited with the mask
  Full     ///< every pair inside the tensors is kept: visited without the mask
};

/// The classes of all tiles of one problem, on the host.
struct TileMap {
  int64_t queryTile = 0, keyTile = 0;
  /// 1 if the mask does not read the batch or the head.
  int64_t batches = 0, heads = 0;
  int64_t rows = 0, columns = 0; ///< query tiles, key tiles
  std::vector<TileClass> tiles;  ///< [batch][head][row][column]

  TileClass at(int64_t batch, int64_t head, int64_t row, int64_t column) const {
    return tiles[((batch * heads + head) * rows + row) * columns + column];
  }
  int64_t count(TileClass wanted) const;
};

/// What the compiler understands of a mask program.
struct MaskAnalysis {
  bool needsLists = false;
  /// The pairs kept and dropped, as inequalities; several lines.
  std::string text;
  /// What it could not follow, with file, line and column.
  std::vector<std::string> remarks;
};
MaskAnalysis analyzeMask(const Mod &mod);

/// Lists of tiles in memory of a target. Copies share the memory.
class TileLists {
public:
  struct Impl;
  TileLists() = default;
  explicit TileLists(std::shared_ptr<Impl> impl) : pimpl(std::move(impl)) {}

  explicit operator bool() const { return pimpl != nullptr; }
  Impl &impl() const { return *pimpl; }
  std::shared_ptr<Impl> share() const { return pimpl; }
  /// Bytes of memory that the lists, and what they were found with, take.
  int64_t bytes() const;

private:
  std::shared_ptr<Impl> pimpl;
};

/// The compiled functions that find the tiles of one mask. Thread-safe.
class TileFinder {
public:
  struct Impl;
  TileFinder() = default;
  explicit TileFinder(std::shared_ptr<const Impl> impl)
      : pimpl(std::move(impl)) {}

  /// `queryTile` and `keyTile`: multiples of 16 from 16 to 1024. CUDA: in the
  /// current context, where the functions stay.
  static Result<TileFinder> compile(const Mod &mod, Target target,
                                    int64_t queryTile, int64_t keyTile);

  /// Makes the lists for `sizes` (of which the head dimensions are not read).
  /// CUDA: asynchronous on `stream` where the lists are small; large ones wait
  /// for the number of entries, to allocate just those. `reuse`: lists whose
  /// memory may be overwritten, if it is large enough.
  Result<TileLists> find(const ProblemSizes &sizes,
                         const std::vector<CaptureView> &captures,
                         void *stream = nullptr, TileLists reuse = {}) const;

  /// The lists of query tiles for each key tile, in the same form: rows are key
  /// tiles. `lists` must be finished or on the same stream.
  Result<TileLists> transpose(const TileLists &lists,
                              void *stream = nullptr) const;

  /// Compiles all that find() and transpose() run; otherwise the first call
  /// does.
  Result<void> prepare() const;

  /// Waits for the lists and copies their classes to the host.
  Result<TileMap> map(const TileLists &lists, void *stream = nullptr) const;

  /// The row of each place, and the tiles of each row, as the kernels see them;
  /// for tests and tools. Waits.
  struct Entries {
    std::vector<int32_t> order; ///< [batch][head][place]
    /// [batch][head][row]: partial tiles, then full tiles, both in ascending
    /// order: kernels expect the one that sticks out over the end last.
    std::vector<std::vector<int32_t>> partial, full;
  };
  Result<Entries> entries(const TileLists &lists, void *stream = nullptr) const;

  /// How many pairs the mask keeps, of all batches and heads of `sizes`.
  Result<int64_t> countPairs(const ProblemSizes &sizes,
                             const std::vector<CaptureView> &captures) const;

  double compileSeconds() const;
  int64_t queryTile() const, keyTile() const;

private:
  std::shared_ptr<const Impl> pimpl;
};

} // namespace attn

#endif // ATTN_API_TILES_H
