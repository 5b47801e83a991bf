/// \file
/// Part of attn/attn.hpp: what comes before and behind an attention, and where
/// compiled code is kept.
#ifndef ATTN_CXX_AROUND_H
#define ATTN_CXX_AROUND_H

#include "attn/CXX/Values.h"

#include <memory>

namespace attn {
inline namespace v0 {

/// What to compile of a merge. Batch, heads, queries and strides are run-time
/// values.
struct MergeSpec {
  Target target = Target::CPU;
  ElementType type = ElementType::F32; ///< of outs: F32, F16 or BF16
  int64_t valueDim = 64;               ///< 1 to 256
  /// How many parts a run may have at most, 1 to 16: two launches merge more.
  int64_t parts = 2;
  /// Whether there is a part without values: an LSE for each head, O of 0.
  bool sink = false;
  bool lse = true; ///< whether the LSE of all parts is a result
  /// CUDA: as KernelSpec has it.
  std::optional<int> device = std::nullopt;
};

/// Of the same queries over other keys.
struct AttentionPart {
  TensorView out;
  const float *lse = nullptr; ///< (batch, heads, queries), contiguous
};

/// What a merge runs on: memory of its target.
struct MergeArguments {
  std::vector<AttentionPart> parts; ///< at least one
  const float *sink = nullptr;      ///< (heads)
  /// May be the very view of a part. `lse` must not be a part's.
  TensorView out;
  float *lse = nullptr;   ///< (batch, heads, queries), contiguous
  void *stream = nullptr; ///< CUDA: a CUstream
};

/// Attention over keys in several parts, from that over each part: attn_merge.
/// Compiled once for all sizes. Thread-safe; copies are the same kernel.
class MergeKernel {
public:
  /// Errors: numbers that are not as MergeSpec says; no such GPU, or none is
  /// said.
  static Result<MergeKernel> compile(const MergeSpec &spec) {
    if (spec.parts < 1 || spec.parts > 16)
      return Error{"expects 1 to 16 parts, got " + std::to_string(spec.parts)};
    int32_t device = spec.device.value_or(0);
    attn_merge_spec c{};
    c.size = sizeof c;
    c.target = spec.target == Target::CPU ? ATTN_CPU : ATTN_CUDA;
    c.type = detail::toC(spec.type);
    c.value_dim = spec.valueDim;
    c.device = spec.device ? &device : nullptr;
    c.parts = static_cast<int32_t>(spec.parts);
    c.sink = spec.sink, c.lse = spec.lse;
    attn_merge *handle = nullptr;
    if (Result<void> done = detail::check(attn_merge_compile(&c, &handle));
        !done)
      return Error{done.error()};
    MergeKernel kernel;
    kernel.handle.reset(handle, attn_merge_release);
    return kernel;
  }

  /// CUDA: asynchronous. Errors: shapes, types or numbers of parts which this
  /// kernel does not take; a launch failure.
  Result<void> run(const MergeArguments &a) const {
    std::vector<attn_tensor> outs;
    for (const AttentionPart &part : a.parts)
      outs.push_back(detail::toC(part.out));
    std::vector<attn_part> parts;
    for (size_t i = 0; i < outs.size(); ++i)
      parts.push_back({sizeof(attn_part), &outs[i], a.parts[i].lse});
    attn_tensor out = detail::toC(a.out);
    attn_merge_arguments arguments{sizeof(attn_merge_arguments),
                                   parts.data(),
                                   parts.size(),
                                   a.sink,
                                   &out,
                                   a.lse,
                                   a.stream};
    return detail::check(attn_merge_run(c(), &arguments));
  }

  /// Of the C interface; null for a kernel that was not compiled.
  attn_merge *c() const { return handle.get(); }

private:
  std::shared_ptr<attn_merge> handle;
};

/// What to compile of an append. Sizes, strides and rows of pages are run-time
/// values.
struct AppendSpec {
  Target target = Target::CPU;
  ElementType type = ElementType::F32; ///< of all: F32, F16 or BF16
  int64_t headDim = 64, valueDim = 64; ///< 1 to 256
  /// New rows of all sequences lie one behind another.
  bool ragged = false;
  /// The cache is pages, as KernelSpec::paged has them.
  bool paged = false;
  /// Every run fails before it where a new row has no place.
  bool checked = false;
  /// CUDA: as KernelSpec has it.
  std::optional<int> device = std::nullopt;
};

/// What an append runs on, as attn_append_arguments says: memory of its target.
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

/// New rows of keys and values into a cache: attn_append. Compiled once for all
/// sizes. Thread-safe; copies are the same kernel.
class AppendKernel {
public:
  /// Errors: numbers that are not as AppendSpec says; no such GPU, or none is
  /// said.
  static Result<AppendKernel> compile(const AppendSpec &spec) {
    int32_t device = spec.device.value_or(0);
    attn_append_spec c{};
    c.size = sizeof c;
    c.target = spec.target == Target::CPU ? ATTN_CPU : ATTN_CUDA;
    c.type = detail::toC(spec.type);
    c.head_dim = spec.headDim, c.value_dim = spec.valueDim;
    c.device = spec.device ? &device : nullptr;
    c.ragged = spec.ragged, c.paged = spec.paged, c.checked = spec.checked;
    attn_append *handle = nullptr;
    if (Result<void> done = detail::check(attn_append_compile(&c, &handle));
        !done)
      return Error{done.error()};
    AppendKernel kernel;
    kernel.handle.reset(handle, attn_append_release);
    return kernel;
  }

  /// CUDA: asynchronous. Errors: shapes and types which this kernel does not
  /// take; a launch failure.
  Result<void> run(const AppendArguments &a) const {
    Result<attn_capture> pages =
        a.pages ? detail::toC(*a.pages) : Result<attn_capture>(attn_capture{});
    if (!pages)
      return Error{pages.error()};
    attn_tensor newKey = detail::toC(a.newKey),
                newValue = detail::toC(a.newValue), key = detail::toC(a.key),
                value = detail::toC(a.value);
    attn_starts starts = detail::toC(a.starts);
    attn_append_arguments arguments{sizeof(attn_append_arguments),
                                    &newKey,
                                    &newValue,
                                    &key,
                                    &value,
                                    a.lengths,
                                    &starts,
                                    a.pages ? &*pages : nullptr,
                                    a.stream};
    return detail::check(attn_append_run(c(), &arguments));
  }

  /// Of the C interface; null for a kernel that was not compiled.
  attn_append *c() const { return handle.get(); }

private:
  std::shared_ptr<attn_append> handle;
};

/// Kernels compiled from now on come from the cache in this directory, or go
/// there: attn_use_cache. Empty: the user's.
inline void useCache(const std::string &directory = "") {
  attn_use_cache(directory.c_str());
}
/// From now on they do not.
inline void useNoCache() { attn_use_no_cache(); }

} // namespace v0
} // namespace attn

#endif // ATTN_CXX_AROUND_H
