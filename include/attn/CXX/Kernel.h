/// \file
/// Part of attn/attn.hpp: kernels of the forward pass.
#ifndef ATTN_CXX_KERNEL_H
#define ATTN_CXX_KERNEL_H

#include "attn/CXX/Mod.h"

namespace attn {
inline namespace v0 {

/// What to compile. Lengths, batch, heads and strides are run-time values.
struct KernelSpec {
  Target target = Target::CPU;
  ElementType type = ElementType::F32; ///< of Q, K, V and O
  int64_t headDim = 64, valueDim = 64; ///< 1 to 256; a valueDim of 0: headDim
  bool lse = false;                    ///< whether the LSE is a result
  std::optional<float> scale;          ///< 1/sqrt(headDim) if absent
  /// `#attn.schedule<...>`, or `#attn.variants<...>`; empty: chosen.
  std::string schedule;
  /// CUDA: the number of the GPU, whose primary context is used. Without it
  /// compile() needs a current context. The kernel stays in that context, and
  /// runs from any thread.
  std::optional<int> device = std::nullopt;
  /// CUDA: whether every row of Q, K, V and O starts at a multiple of 16 bytes.
  bool aligned = true;
  /// CUDA: the kernel for every GPU, even where there is one for this GPU.
  bool portable = false;
  /// CUDA: tanh and division of mods at f32's accuracy also where tensors are
  /// bf16 or f16, whose rounding hides the hardware's approximations.
  bool exact = false;
  /// Kernels of gradients that give the same bits on every run.
  bool deterministic = false;
  /// Sequences lie one behind another in query, out and LSE, or in key and
  /// value (SequenceStarts); mods see b as the sequence, and positions in it.
  /// Not for gradients.
  bool raggedQueries = false, raggedKeys = false;
  /// K and V are heaps of pages, (page, head, row of the page, channel), of
  /// which a table says whose they are. The mod has lengths. Not for gradients.
  bool paged = false;
  /// One kernel for captured tensors of any innermost stride.
  bool stridedCaptures = false;
  /// A sequence has the same bits whatever else is in the batch. Not for
  /// gradients.
  bool invariant = false;
  /// Every run looks at lengths, starts and page tables before, and fails where
  /// these say what has no meaning; on a GPU it waits for that. Not for
  /// gradients.
  bool checked = false;
  /// Of a kernel of shares (`shares` in its schedule), how many they are; 0: as
  /// many as the GPU runs at once, or 128 on a CPU.
  int64_t shares = 0;
};

namespace detail {

/// A specification for the C interface, valid as long as `spec`.
class SpecOf {
public:
  explicit SpecOf(const KernelSpec &spec) {
    c.size = sizeof c;
    c.target = spec.target == Target::CPU ? ATTN_CPU : ATTN_CUDA;
    c.type = toC(spec.type);
    c.head_dim = spec.headDim;
    c.value_dim = spec.valueDim;
    c.scale = spec.scale ? &*spec.scale : nullptr;
    c.schedule = spec.schedule.c_str();
    if (spec.device)
      device = *spec.device, c.device = &device;
    c.lse = spec.lse;
    c.unaligned = !spec.aligned;
    c.portable = spec.portable;
    c.exact = spec.exact;
    c.deterministic = spec.deterministic;
    c.ragged_queries = spec.raggedQueries;
    c.ragged_keys = spec.raggedKeys;
    c.paged = spec.paged;
    c.strided_captures = spec.stridedCaptures;
    c.invariant = spec.invariant;
    c.checked = spec.checked;
    c.shares = spec.shares;
  }
  SpecOf(const SpecOf &) = delete;
  SpecOf &operator=(const SpecOf &) = delete;
  const attn_spec *get() const { return &c; }

private:
  attn_spec c{};
  int32_t device = 0;
};

} // namespace detail

/// Lists of the tiles that a mask visits, in memory of a target. Copies share
/// the memory.
class TileLists {
public:
  TileLists() = default;
  /// Takes over a handle of the C interface.
  explicit TileLists(attn_tiles *tiles) : handle(tiles, attn_tiles_release) {}

  explicit operator bool() const { return handle != nullptr; }
  /// Bytes of memory that the lists, and what they were found with, take.
  int64_t bytes() const { return attn_tiles_bytes(c()); }
  /// Of the C interface; null without lists.
  attn_tiles *c() const { return handle.get(); }

private:
  std::shared_ptr<attn_tiles> handle;
};

/// What a kernel runs on: memory of its target.
struct AttentionArguments {
  TensorView query, key, value;
  std::vector<CaptureView> captures;
  TensorView out;
  float *lse = nullptr;   ///< (batch, heads, queries), contiguous
  void *stream = nullptr; ///< CUDA: a CUstream
  const TileLists *tiles = nullptr;
  /// Of a kernel for ragged tensors (KernelSpec).
  SequenceStarts queryStarts = {}, keyStarts = {};
  /// For KernelSpec::paged the table of i32 (sequence, most pages), rows of
  /// which may be apart: attn_arguments::pages.
  std::optional<CaptureView> pages = std::nullopt;
  /// Of workspaceBytes().
  Workspace workspace = {};
};

namespace detail {

/// Arguments for the C interface, valid as long as `a`, once made() is well.
class ArgumentsOf {
public:
  explicit ArgumentsOf(const AttentionArguments &a)
      : query(toC(a.query)), key(toC(a.key)), value(toC(a.value)),
        out(toC(a.out)), queryStarts(toC(a.queryStarts)),
        keyStarts(toC(a.keyStarts)), captures(toC(a.captures)),
        pages(a.pages ? toC(*a.pages) : Result<attn_capture>(attn_capture{})) {
    c.size = sizeof c;
    c.query = &query, c.key = &key, c.value = &value;
    c.out = &out, c.lse = a.lse;
    if (captures)
      c.captures = captures->data(), c.capture_count = captures->size();
    c.stream = a.stream;
    c.tiles = a.tiles ? a.tiles->c() : nullptr;
    c.query_starts = &queryStarts, c.key_starts = &keyStarts;
    c.pages = a.pages && pages ? &*pages : nullptr;
    c.workspace = a.workspace.data, c.workspace_bytes = a.workspace.bytes;
  }
  ArgumentsOf(const ArgumentsOf &) = delete;
  ArgumentsOf &operator=(const ArgumentsOf &) = delete;
  Result<void> made() const {
    if (!captures)
      return Error{captures.error()};
    return pages ? Result<void>() : Error{pages.error()};
  }
  const attn_arguments *get() const { return &c; }

private:
  attn_tensor query, key, value, out;
  attn_starts queryStarts, keyStarts;
  Result<std::vector<attn_capture>> captures;
  Result<attn_capture> pages;
  attn_arguments c{};
};

} // namespace detail

/// A compiled fused attention kernel. Thread-safe once compiled; copies are the
/// same kernel.
class AttentionKernel {
public:
  /// CUDA: the PTX goes through the driver's JIT. Errors: what `spec` asks for
  /// is not for this target; no such GPU, or none is said.
  static Result<AttentionKernel> compile(const Mod &mod,
                                         const KernelSpec &spec) {
    attn_kernel *handle = nullptr;
    if (Result<void> done = detail::check(
            attn_kernel_compile(mod.c(), detail::SpecOf(spec).get(), &handle));
        !done)
      return Error{done.error()};
    AttentionKernel kernel;
    kernel.handle.reset(handle, attn_kernel_release);
    kernel.text = attn_kernel_schedule(handle);
    return kernel;
  }

  /// Whether compile() would take this, as far as that is known before code is
  /// made, in a fraction of the time.
  static Result<void> check(const Mod &mod, const KernelSpec &spec) {
    return detail::check(
        attn_kernel_check(mod.c(), detail::SpecOf(spec).get()));
  }

  /// O (and LSE, f32, shape (batch, heads, queries), contiguous) = attention.
  /// CUDA: asynchronous on `stream`. Errors: shapes, types or strides which
  /// this kernel does not take; a launch failure.
  Result<void> run(const AttentionArguments &a) const {
    detail::ArgumentsOf arguments(a);
    if (Result<void> made = arguments.made(); !made)
      return made;
    return detail::check(attn_kernel_run(c(), arguments.get()));
  }
  Result<void> run(const TensorView &query, const TensorView &key,
                   const TensorView &value,
                   const std::vector<CaptureView> &captures,
                   const TensorView &out, float *lse = nullptr,
                   void *stream = nullptr,
                   const TileLists *tiles = nullptr) const {
    AttentionArguments a;
    a.query = query, a.key = key, a.value = value, a.captures = captures;
    a.out = out, a.lse = lse, a.stream = stream, a.tiles = tiles;
    return run(a);
  }

  /// What suffices for all launches of a range. 0: none is needed. Compiles
  /// what prepare() does. Errors: those of prepare().
  Result<int64_t> workspaceBytes(const SizeRange &range) const {
    attn_sizes from = detail::toC(range.smallest),
               to = detail::toC(range.largest);
    int64_t bytes = 0;
    if (Result<void> done =
            detail::check(attn_kernel_workspace_bytes(c(), &from, &to, &bytes));
        !done)
      return Error{done.error()};
    return bytes;
  }
  Result<int64_t> workspaceBytes(const ProblemSizes &sizes) const {
    return workspaceBytes(SizeRange{sizes, sizes});
  }

  /// Compiles and loads all that launches of a range take. After it run()
  /// compiles nothing, and can be captured into a graph. Errors: a range that
  /// ends before it begins.
  Result<void> prepare(const SizeRange &range) const {
    attn_sizes from = detail::toC(range.smallest),
               to = detail::toC(range.largest);
    return detail::check(attn_kernel_prepare(c(), &from, &to));
  }
  Result<void> prepare(const ProblemSizes &sizes) const {
    return prepare(SizeRange{sizes, sizes});
  }
  /// The same for launches of any sizes.
  Result<void> prepare() const {
    return detail::check(attn_kernel_prepare(c(), nullptr, nullptr));
  }

  /// Whether the tiles to visit come from lists; otherwise the kernel computes
  /// which they are.
  bool needsTileLists() const { return attn_kernel_needs_tiles(c()); }
  /// Makes the lists. To be kept until the lengths or a captured tensor that
  /// the mask reads change. Errors: the kernel needs none.
  Result<TileLists> findTiles(const ProblemSizes &sizes,
                              const std::vector<CaptureView> &captures,
                              void *stream = nullptr) const {
    return findTiles(sizes, captures, stream, {});
  }
  /// The same into the memory of `reuse`, where it is large enough.
  Result<TileLists> findTiles(const ProblemSizes &sizes,
                              const std::vector<CaptureView> &captures,
                              void *stream, const TileLists &reuse) const {
    auto views = detail::toC(captures);
    if (!views)
      return Error{views.error()};
    attn_sizes problem = detail::toC(sizes);
    attn_tiles *tiles = nullptr;
    if (Result<void> found = detail::check(
            attn_kernel_find_tiles(c(), &problem, views->data(), views->size(),
                                   stream, reuse.c(), &tiles));
        !found)
      return Error{found.error()};
    return TileLists(tiles);
  }
  int64_t queryTile() const { return attn_kernel_query_tile(c()); }
  int64_t keyTile() const { return attn_kernel_key_tile(c()); }

  /// From the mod to the loaded kernel.
  double compileSeconds() const { return attn_kernel_compile_seconds(c()); }
  const std::string &schedule() const { return text; }

  /// Of the C interface; null for a kernel that was not compiled.
  attn_kernel *c() const { return handle.get(); }

private:
  std::shared_ptr<attn_kernel> handle;
  std::string text;
};

} // namespace v0
} // namespace attn

#endif // ATTN_CXX_KERNEL_H
