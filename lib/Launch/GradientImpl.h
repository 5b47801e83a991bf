// What the kernels of gradients have in common, and where each is made.
#ifndef ATTN_LIB_LAUNCH_GRADIENTIMPL_H
#define ATTN_LIB_LAUNCH_GRADIENTIMPL_H

#include "CaptureGradients.h"
#include "KernelSource.h"

#include "attn/API/Gradient.h"
#include "attn/API/Tiles.h"
#include "attn/Runtime/KernelImage.h"

#include <optional>

namespace attn {

/// Whether the tasks of a kernel own keys: they write what keys have. Not of
/// one that is there for captures.
bool ownsKeys(const KernelEntry &kernel);

/// What finds the tiles of kernels, if their mask needs lists: for each that
/// takes some, in the order of their launches. Those that own keys read
/// transposed lists.
class GradientTileFinders {
public:
  /// `ownKeys`: whether the tasks of each of `kernels` own keys; those of
  /// captures may without writing any. Errors: those of TileFinder::compile().
  static Result<GradientTileFinders>
  create(const KernelDescription &of, const SharedSource &source,
         const std::vector<KernelEntry> &kernels,
         const std::vector<bool> &ownKeys);
  bool areNeeded() const { return !finders.empty(); }
  /// Compiles all that find() runs.
  Result<void> prepare() const;
  /// Whether lists are for these tiles; `tiles` may be null.
  bool fit(const GradientTiles *tiles) const;
  Result<GradientTiles> find(const ProblemSizes &sizes,
                             const std::vector<CaptureView> &captures,
                             void *stream) const;

private:
  std::vector<TileFinder> finders;
  std::vector<bool> ownKeys; ///< as many
};

/// Binds the lists of this number, if there are any.
void bindTiles(Bindings &bindings, const GradientTiles &tiles, size_t list);

struct GradientKernel::Impl {
  virtual ~Impl() = default;
  /// Runs on arguments that have been checked, with at least one key and one
  /// query. `bindings`: all of them but lists of tiles. `workspace`: of the
  /// sums for captures.
  virtual Result<void> run(const GradientArguments &arguments,
                           const CaptureWorkspace &workspace,
                           Bindings &bindings) const = 0;
  /// Compiles and loads all that launches of these sizes, or of any (null),
  /// take with memory as the spec says.
  virtual Result<void> prepare(const SizeRange *range) const = 0;
  /// GradientKernel::spilledBytes(), of a CPU.
  virtual Result<int64_t> spilledBytes(const SizeRange &) const { return 0; }
  /// As prepare(), of any sizes with memory like that of `arguments`.
  virtual Result<void> prepare(const GradientArguments &arguments) const = 0;
  /// Whether all that a launch reads and writes is memory of the target.
  virtual Result<void> checkMemory(const GradientArguments &) const = 0;
  /// Memory of so many bytes, which is freed when the run that it is for has
  /// been enqueued.
  virtual Result<std::shared_ptr<void>> allocate(int64_t bytes,
                                                 void *stream) const = 0;
  virtual Result<void> writeZeros(const TensorView &view,
                                  void *stream) const = 0;
  /// Whether memory must not be allocated now.
  virtual Result<bool> isCapturing(void *stream) const = 0;

  /// Of the memory for statistics.
  int64_t statisticRows(int64_t queries) const {
    return (queries + wholeQueries - 1) / wholeQueries * wholeQueries;
  }

  KernelSpec spec;
  std::vector<CaptureInfo> captures;
  std::vector<int64_t> wrt; ///< captures, as GradientArguments::gradCaptures
  std::vector<CaptureSumPlan> sums;
  double compileSeconds = 0;
  std::string schedule;
  /// Whether gradients of queries are added up in memory of their own.
  bool sumsGradQuery = false;
  /// Queries of whole tiles of all kernels.
  int64_t wholeQueries = 0;
  GradientTileFinders finders;
};

ProblemSizes sizesOf(const GradientArguments &arguments);
/// Sizes, types, captures and memory against what the kernel was compiled for.
Result<void> checkArguments(const GradientKernel::Impl &kernel,
                            const GradientArguments &arguments);

/// The lists of a run: those it is given, or such as are found for it. Errors:
/// lists of another problem; there are none for these tiles in a stream
/// capture.
Result<GradientTiles> tilesFor(const GradientKernel::Impl &kernel,
                               const GradientTileFinders &finders,
                               const GradientArguments &arguments);

using GradientImpl = Result<std::shared_ptr<GradientKernel::Impl>>;

/// With the kernels for launches of any sizes loaded. CUDA: for the context
/// that the spec asks for.
GradientImpl createCPUGradients(KernelDescription description,
                                SharedSource source);
GradientImpl createCUDAGradients(KernelDescription description,
                                 SharedSource source);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_GRADIENTIMPL_H
