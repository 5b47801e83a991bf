// What the kernels of all targets have in common, and where each is made.
#ifndef ATTN_LIB_LAUNCH_KERNELIMPL_H
#define ATTN_LIB_LAUNCH_KERNELIMPL_H

#include "KernelSource.h"

#include "attn/API/Tiles.h"
#include "attn/Runtime/Signature.h"

namespace attn {

/// The arguments of one run.
struct KernelArguments {
  const TensorView &query, &key, &value;
  const std::vector<CaptureView> &captures;
  const TensorView &out;
  float *lse;
  void *stream;
  const TileLists *tiles; ///< may be null
  SequenceStarts queryStarts = {}, keyStarts = {};
  const CaptureView *pages = nullptr; ///< null without
  Workspace workspace = {};
  /// How many keys a sequence has room for.
  int64_t keys() const {
    return pages ? pages->sizes[1] * key.sizes[2] : key.sizes[2];
  }
};

struct AttentionKernel::Impl {
  virtual ~Impl() = default;
  /// Runs on arguments that checkArguments() has passed, with at least one key.
  virtual Result<void> run(const KernelArguments &) const = 0;
  /// Compiles and loads all that launches of these sizes, or of any (null),
  /// take.
  virtual Result<void> prepare(const SizeRange *range) const = 0;
  /// AttentionKernel::workspaceBytes().
  virtual Result<int64_t> workspaceBytes(const SizeRange &range) const = 0;
  /// AttentionKernel::spilledBytes(), of a CPU.
  virtual Result<int64_t> spilledBytes(const SizeRange &) const { return 0; }
  /// What rows without keys give: zeros, and an LSE of -inf. No mod is
  /// evaluated, as there is no pair: a table may well have no elements.
  virtual Result<void> writeEmptyRows(const KernelArguments &) const = 0;
  /// Copies memory of the target, and waits for it.
  virtual Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                                  void *stream) const = 0;

  KernelSpec spec;
  std::vector<CaptureInfo> captures;
  double compileSeconds = 0;
  std::string schedule;
  int64_t queryTile = 0, keyTile = 0;
  std::optional<TileFinder> finder; ///< if it needs lists of tiles
};

/// The tensors and captured values of an attention.
struct AttentionOperands {
  const TensorView &query, &key, &value;
  const std::vector<CaptureView> &captures;
  const TensorView &out;
  SequenceStarts queryStarts = {}, keyStarts = {};
  const CaptureView *pages = nullptr; ///< null without
};

/// The sizes of a run that kernels are chosen by.
ProblemSizes sizesOf(const KernelArguments &arguments);

void bindTensor(Bindings &bindings, const RoleName &name,
                const TensorView &view);
inline void bindTensor(Bindings &bindings, Role role, const TensorView &view) {
  bindTensor(bindings, RoleName{role}, view);
}
/// What a run binds by role: tensors and captures.
Bindings bindingsOf(const AttentionKernel::Impl &kernel,
                    const KernelArguments &arguments);

/// Whether the lists that a run is given are for the tiles of `finder`.
bool hasListsFor(const TileFinder &finder, const KernelArguments &arguments);
/// The lists that a run reads: those which it is given if they are for the
/// tiles of `finder`, else such as are found for this run alone, into `own`.
Result<const TileLists *> listsFor(const TileFinder &finder,
                                   const KernelArguments &arguments,
                                   TileLists &own);

/// Sizes, types and captures against what the kernel was compiled for.
Result<void> checkArguments(const AttentionKernel::Impl &kernel,
                            const KernelArguments &arguments);
/// The same of an attention's operands and result alone.
Result<void> checkOperands(const KernelSpec &spec,
                           const std::vector<CaptureInfo> &captures,
                           const AttentionOperands &operands);
/// A tensor's type, sign of its sizes, and memory.
Result<void> checkView(const char *name, const TensorView &view,
                       ElementType type);
/// Of a tensor whose sequences lie one behind another, or do not.
Result<void> checkStarts(const char *tensor, const TensorView &view,
                         bool ragged, const SequenceStarts &given);
/// A table of pages, as far as the host knows it. `rows`: of a page.
Result<void> checkPages(const CaptureView &pages, int64_t batch, int64_t rows);
/// What is said of a tensor's size that is another one.
Error sizeMismatch(const char *tensor, const char *what, int64_t expected,
                   int64_t actual);
/// Lists against the sizes for which they are used; of these, head dimensions
/// are not read.
Result<void> checkTilesFor(const ProblemSizes &problem, const TileLists &tiles);

using AttentionImpl = Result<std::shared_ptr<AttentionKernel::Impl>>;

/// With the kernel for launches of any sizes loaded. CUDA: for the context that
/// the spec asks for.
AttentionImpl createCPUKernel(KernelDescription description,
                              SharedSource source);
AttentionImpl createCUDAKernel(KernelDescription description,
                               SharedSource source);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_KERNELIMPL_H
