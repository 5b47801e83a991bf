// New rows of keys and values into a cache, behind those that it has: what
// comes before an attention over the cache, on the same stream.
#ifndef ATTN_API_APPEND_H
#define ATTN_API_APPEND_H

#include "attn/API/Attention.h"

namespace attn {

/// What to compile. Sizes, strides and rows of pages are run-time values.
struct AppendSpec {
  Target target = Target::CPU;
  ElementType type = ElementType::F32; ///< of all: F32, F16 or BF16
  int64_t headDim = 64, valueDim = 64; ///< 1 to 256
  /// New rows of all sequences lie one behind another.
  bool ragged = false;
  /// The cache is pages, as KernelSpec::paged has them; else it has a batch and
  /// room for each sequence.
  bool paged = false;
  /// As KernelSpec::checked has it: every run fails before it where a new row
  /// has no place.
  bool checked = false;
  /// CUDA: as KernelSpec has it.
  std::optional<int> device = std::nullopt;
};

/// What an append runs on: memory of its target. Row i of the new ones of
/// sequence b becomes row lengths[b] + i of its keys and values; one behind the
/// room that there is for the sequence is not written, nor is one whose entry
/// numbers no page. Two sequences must not write to one row.
struct AppendArguments {
  TensorView newKey, newValue; ///< (batch, heads, new rows, channels)
  TensorView key, value; ///< the cache: (batch or pages, heads, rows, ...)
  /// How many keys each sequence has before: an i32 each, contiguous. Below
  /// zero: none.
  const int32_t *lengths = nullptr;
  SequenceStarts starts = {}; ///< of AppendSpec::ragged
  /// As AttentionArguments has them: entries of other rows than new ones are
  /// not read.
  std::optional<CaptureView> pages = std::nullopt;
  void *stream = nullptr; ///< CUDA: a CUstream
};

/// Compiled once for all sizes: run() compiles and allocates nothing, and can
/// be captured into a graph. Thread-safe.
class AppendKernel {
public:
  /// Errors: numbers that are not as AppendSpec says; no such GPU, or none is
  /// said.
  static Result<AppendKernel> compile(const AppendSpec &spec);

  /// CUDA: asynchronous. Errors: shapes and types which this kernel does not
  /// take; a launch failure.
  Result<void> run(const AppendArguments &arguments) const;

  double compileSeconds() const; ///< MLIR to loaded kernel

  struct Impl;

private:
  std::shared_ptr<const Impl> pimpl;
};

} // namespace attn

#endif // ATTN_API_APPEND_H
