// The gradients of an attention. See attn/API/Attention.h for what the
// attention is, and docs/Mods.md for the derivatives of mods.
#ifndef ATTN_API_GRADIENT_H
#define ATTN_API_GRADIENT_H

#include "attn/API/Attention.h"
#include "attn/API/Tiles.h"

namespace attn {

/// The tiles that the kernels of gradients visit, of one problem.
struct GradientTiles {
  /// For each kernel that visits tiles, in the order of their launches: of each
  /// query tile its key tiles, or of each key tile its query tiles. None: no
  /// lists are needed.
  std::vector<TileLists> lists;
};

/// What one run reads and writes. Views are as for AttentionKernel; statistics
/// of rows are f32 of shape (batch, heads, queries), contiguous.
struct GradientArguments {
  // The operands and results of the forward pass.
  TensorView query, key, value, out;
  const float *lse = nullptr;
  std::vector<CaptureView> captures = {};
  // The gradients of its results.
  TensorView gradOut;             ///< strides may be 0
  const float *gradLse = nullptr; ///< of kernels with KernelSpec::lse
  // What is written: shapes of query, key and value.
  TensorView gradQuery, gradKey, gradValue;
  /// For each capture that compile() was given: f32 of the capture's shape,
  /// contiguous; one number for a scalar. In memory of the kernel's target, of
  /// scalars too.
  std::vector<float *> gradCaptures = {};
  /// Memory of at least GradientKernel::workspaceBytes(), aligned to 16 bytes,
  /// which nothing else uses meanwhile, and how much it is; null: the kernel's
  /// own.
  void *workspace = nullptr;
  int64_t workspaceBytes = 0;
  /// GradientKernel::findTiles() for the sizes and captured values; null: a run
  /// that needs them finds them for itself.
  const GradientTiles *tiles = nullptr;
  void *stream = nullptr; ///< CUDA: a CUstream
};

/// Compiled kernels: one for the gradient of queries, then one for those of
/// keys and values, or one for each, and others for what these leave to do for
/// captured values. No two tasks of a kernel write the same memory, so the
/// results have the same bits on every run. Or one kernel for all three, and
/// two small ones around it: gradients of queries are then added up in memory
/// in no order, unless KernelSpec::deterministic asks for the others. Weights
/// are exp(score - LSE), in f32: where all scores of a row are far from zero (a
/// bias of -1e9), so that the LSE cannot hold the logarithm of how many there
/// are, they are not right. Thread-safe once compiled.
class GradientKernel {
public:
  struct Impl;
  GradientKernel() = default;
  explicit GradientKernel(std::shared_ptr<const Impl> impl)
      : pimpl(std::move(impl)) {}

  /// Of the attention that AttentionKernel::compile() makes of the same `spec`;
  /// its `lse` says that a gradient of the LSE is given. `wrt`: the names of
  /// captured floats whose gradients are asked for. One that has no part in the
  /// scores has a gradient of zeros. Errors: those of
  /// AttentionKernel::compile(); an operation of the score program without a
  /// derivative, with its line; a name in `wrt` that no capture of floats has,
  /// or that is there twice.
  static Result<GradientKernel>
  compile(const Mod &, const KernelSpec &,
          const std::vector<std::string> &wrt = {});

  /// Rows without keys and keys that no query sees get zeros. CUDA:
  /// asynchronous; without a workspace, or tiles where the mask needs them, it
  /// allocates, and waits to free. Errors, before anything is launched: shapes,
  /// types or strides which this kernel does not take; memory that the GPU does
  /// not reach; a workspace that is too small; another number of gradients of
  /// captures; what compiles or allocates in a stream capture.
  Result<void> run(const GradientArguments &) const;

  /// Compiles and loads all that launches of these sizes take (batch, heads,
  /// queries and keys count), with memory as KernelSpec says, and all that
  /// findTiles() takes. After it run() compiles nothing; with a workspace and,
  /// where the mask needs them, tiles, it does not allocate or wait either, and
  /// can be captured into a graph. Otherwise the first launch that takes other
  /// kernels compiles them, and fails in a stream capture.
  Result<void> prepare(const ProblemSizes &sizes) const;
  /// The same for all launches of a range. Errors besides: one that ends before
  /// it begins.
  Result<void> prepare(const SizeRange &range) const;
  /// The same for launches of any sizes.
  Result<void> prepare() const;
  /// The same for launches of any sizes with memory like that of `arguments`,
  /// whatever KernelSpec says of alignment and strides; nothing of it is read.
  /// Errors: those of run() for what is there.
  Result<void> prepare(const GradientArguments &arguments) const;

  /// Of a mask whose tiles are not one run; empty for others. As
  /// TileFinder::find().
  Result<GradientTiles> findTiles(const ProblemSizes &sizes,
                                  const std::vector<CaptureView> &captures,
                                  void *stream = nullptr) const;

  /// Of `sizes` batch, heads and queries count; where gradients of captures are
  /// computed keys too, and the sizes of `captures`.
  int64_t workspaceBytes(const ProblemSizes &sizes,
                         const std::vector<CaptureView> &captures = {}) const;
  /// What suffices for all launches of a range whose captures have at most as
  /// many elements as `captures`.
  int64_t workspaceBytes(const SizeRange &range,
                         const std::vector<CaptureView> &captures = {}) const;

  double compileSeconds() const; ///< MLIR to loaded kernels
  const std::string &schedule() const;
  /// As AttentionKernel::spilledBytes(), of the kernel with most.
  Result<int64_t> spilledBytes(const ProblemSizes &sizes) const;

private:
  std::shared_ptr<const Impl> pimpl;
};

/// What pairs have added to the gradient of a captured value, element by
/// element.
struct CaptureAdditions {
  std::vector<double> sums, magnitudes; ///< and of the absolute values
  std::vector<double> counts;           ///< how many were not zero
};

/// The derivative of a mod's score program on materialised scores: the middle
/// step of unfused gradients, used by references. On the CPU.
class ScoreGradient {
public:
  /// `wrt`: as GradientKernel::compile(). Errors: an operation of the score
  /// program without a derivative, with its line; names that are none.
  static Result<ScoreGradient>
  compile(const Mod &, const std::vector<std::string> &wrt = {});

  /// scores, gradients: contiguous [count][queries][keys], as for
  /// SoftmaxKernel. `gradients`: of the score program's results; overwritten by
  /// those of its argument, scale * score. What the mask drops has one too,
  /// unless its gradient is zero. `additions`: of each in `wrt`, added to;
  /// empty ones are zero.
  Result<void> run(const double *scores, double *gradients, int64_t first,
                   int64_t count, int64_t heads, int64_t queries, int64_t keys,
                   double scale, const std::vector<CaptureView> &captures,
                   std::vector<CaptureAdditions> *additions = nullptr) const;

  struct Impl;

private:
  std::shared_ptr<const Impl> pimpl;
};

} // namespace attn

#endif // ATTN_API_GRADIENT_H
