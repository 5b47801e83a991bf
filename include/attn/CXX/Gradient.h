/// \file
/// Part of attn/attn.hpp: kernels of gradients.
#ifndef ATTN_CXX_GRADIENT_H
#define ATTN_CXX_GRADIENT_H

#include "attn/CXX/Kernel.h"

namespace attn {
inline namespace v0 {

/// The tiles that kernels of gradients visit, of one problem. Copies share the
/// memory.
class GradientTiles {
public:
  GradientTiles() = default;
  /// Takes over a handle of the C interface.
  explicit GradientTiles(attn_gradient_tiles *tiles)
      : handle(tiles, attn_gradient_tiles_release) {}
  /// Of the C interface; null without lists.
  attn_gradient_tiles *c() const { return handle.get(); }

private:
  std::shared_ptr<attn_gradient_tiles> handle;
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
  /// Of GradientKernel::workspaceBytes(), aligned to 16 bytes, which nothing
  /// else uses meanwhile, and how much it is; null: the kernel's own.
  void *workspace = nullptr;
  int64_t workspaceBytes = 0;
  /// Of GradientKernel::findTiles(); null: a run that needs them finds them.
  const GradientTiles *tiles = nullptr;
  void *stream = nullptr; ///< CUDA: a CUstream
};

namespace detail {

/// Arguments for the C interface, valid as long as `a`, once made() is well.
class GradientArgumentsOf {
public:
  explicit GradientArgumentsOf(const GradientArguments &a)
      : query(toC(a.query)), key(toC(a.key)), value(toC(a.value)),
        out(toC(a.out)), gradOut(toC(a.gradOut)), gradQuery(toC(a.gradQuery)),
        gradKey(toC(a.gradKey)), gradValue(toC(a.gradValue)),
        captures(toC(a.captures)) {
    c.size = sizeof c;
    c.query = &query, c.key = &key, c.value = &value, c.out = &out;
    c.lse = a.lse, c.grad_out = &gradOut, c.grad_lse = a.gradLse;
    c.grad_query = &gradQuery, c.grad_key = &gradKey;
    c.grad_value = &gradValue;
    if (captures)
      c.captures = captures->data(), c.capture_count = captures->size();
    c.grad_captures = a.gradCaptures.data();
    c.grad_capture_count = a.gradCaptures.size();
    c.tiles = a.tiles ? a.tiles->c() : nullptr;
    c.stream = a.stream;
    c.workspace = a.workspace, c.workspace_bytes = a.workspaceBytes;
  }
  GradientArgumentsOf(const GradientArgumentsOf &) = delete;
  GradientArgumentsOf &operator=(const GradientArgumentsOf &) = delete;
  Result<void> made() const {
    return captures ? Result<void>() : Error{captures.error()};
  }
  const attn_gradient_arguments *get() const { return &c; }

private:
  attn_tensor query, key, value, out, gradOut, gradQuery, gradKey, gradValue;
  Result<std::vector<attn_capture>> captures;
  attn_gradient_arguments c{};
};

} // namespace detail

/// The compiled kernels of an attention's gradients. Thread-safe once compiled;
/// copies are the same kernels.
class GradientKernel {
public:
  /// Of the attention that AttentionKernel::compile() makes of the same `spec`;
  /// its `lse` says that a gradient of the LSE is given. `wrt`: the names of
  /// captured floats whose gradients are asked for. Errors: those of
  /// AttentionKernel::compile(); an operation of the score program without a
  /// derivative, with its line; a name in `wrt` that no capture of floats has,
  /// or that is there twice.
  static Result<GradientKernel>
  compile(const Mod &mod, const KernelSpec &spec,
          const std::vector<std::string> &wrt = {}) {
    std::vector<const char *> names;
    for (const std::string &name : wrt)
      names.push_back(name.c_str());
    attn_gradient *handle = nullptr;
    if (Result<void> done = detail::check(
            attn_gradient_compile(mod.c(), detail::SpecOf(spec).get(),
                                  names.data(), names.size(), &handle));
        !done)
      return Error{done.error()};
    GradientKernel kernel;
    kernel.handle.reset(handle, attn_gradient_release);
    kernel.text = attn_gradient_schedule(handle);
    return kernel;
  }

  /// Rows without keys and keys that no query sees get zeros. CUDA:
  /// asynchronous; without a workspace, or tiles where the mask needs them, it
  /// allocates, and waits to free.
  Result<void> run(const GradientArguments &a) const {
    detail::GradientArgumentsOf arguments(a);
    if (Result<void> made = arguments.made(); !made)
      return made;
    return detail::check(attn_gradient_run(c(), arguments.get()));
  }

  /// Compiles and loads all that launches of a range take, and all that
  /// findTiles() takes.
  Result<void> prepare(const SizeRange &range) const {
    attn_sizes from = detail::toC(range.smallest),
               to = detail::toC(range.largest);
    return detail::check(attn_gradient_prepare(c(), &from, &to));
  }
  Result<void> prepare(const ProblemSizes &sizes) const {
    return prepare(SizeRange{sizes, sizes});
  }
  /// The same for launches of any sizes.
  Result<void> prepare() const {
    return detail::check(attn_gradient_prepare(c(), nullptr, nullptr));
  }
  /// The same for launches of any sizes with memory like that of `a`; nothing
  /// of it is read.
  Result<void> prepare(const GradientArguments &a) const {
    detail::GradientArgumentsOf arguments(a);
    if (Result<void> made = arguments.made(); !made)
      return made;
    return detail::check(attn_gradient_prepare_like(c(), arguments.get()));
  }

  /// Of a mask whose tiles are not one run; empty for others.
  Result<GradientTiles> findTiles(const ProblemSizes &sizes,
                                  const std::vector<CaptureView> &captures,
                                  void *stream = nullptr) const {
    auto views = detail::toC(captures);
    if (!views)
      return Error{views.error()};
    attn_sizes problem = detail::toC(sizes);
    attn_gradient_tiles *tiles = nullptr;
    if (Result<void> found = detail::check(attn_gradient_find_tiles(
            c(), &problem, views->data(), views->size(), stream, &tiles));
        !found)
      return Error{found.error()};
    return GradientTiles(tiles);
  }

  /// Of `sizes` batch, heads and queries count; where gradients of captures are
  /// computed keys too, and the sizes of `captures`. Errors: sizes, or captures
  /// that are missing then.
  Result<int64_t>
  workspaceBytes(const ProblemSizes &sizes,
                 const std::vector<CaptureView> &captures = {}) const {
    attn_sizes problem = detail::toC(sizes);
    return bytesOf(&problem, nullptr, captures);
  }
  /// What suffices for all launches of a range whose captures have at most as
  /// many elements as `captures`.
  Result<int64_t>
  workspaceBytes(const SizeRange &range,
                 const std::vector<CaptureView> &captures = {}) const {
    attn_sizes from = detail::toC(range.smallest),
               to = detail::toC(range.largest);
    return bytesOf(&from, &to, captures);
  }

  /// From the mod to the loaded kernels.
  double compileSeconds() const { return attn_gradient_compile_seconds(c()); }
  const std::string &schedule() const { return text; }

  /// Of the C interface; null for kernels that were not compiled.
  attn_gradient *c() const { return handle.get(); }

private:
  Result<int64_t> bytesOf(const attn_sizes *from, const attn_sizes *to,
                          const std::vector<CaptureView> &captures) const {
    auto views = detail::toC(captures);
    if (!views)
      return Error{views.error()};
    int64_t bytes = 0;
    if (Result<void> done = detail::check(attn_gradient_workspace_bytes(
            c(), from, to, views->data(), views->size(), &bytes));
        !done)
      return Error{done.error()};
    return bytes;
  }

  std::shared_ptr<attn_gradient> handle;
  std::string text;
};

} // namespace v0
} // namespace attn

#endif // ATTN_CXX_GRADIENT_H
