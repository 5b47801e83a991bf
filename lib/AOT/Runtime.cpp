// The C functions that generated objects call: from their structs to the
// arguments of kernels, and from errors to codes. See attn/AOT/Runtime.h.
#include "Loaded.h"

#include "../Launch/CaptureViews.h"
#include "../Launch/CheckedNumbers.h"
#include "../Launch/PlannedKernels.h"
#include "../Launch/TilesImpl.h"

#include <memory>
#include <optional>

using namespace attn;
using namespace attn::aot;

namespace {
/// What find_tiles() gives.
struct Tiles {
  TileLists forward;
  GradientTiles backward;
};
} // namespace

static thread_local std::string detail;

static int fail(Failure failure) {
  if (failure.code)
    detail = std::move(failure.text);
  return failure.code;
}

static int fail(int code, const std::string &text) {
  return fail(Failure{code, text});
}

//===--- arguments --------------------------------------------------------===//

static TensorView viewOf(const attn_aot_tensor &tensor, ElementType type) {
  TensorView view;
  view.data = tensor.data, view.type = type;
  std::copy(std::begin(tensor.sizes), std::end(tensor.sizes),
            view.sizes.begin());
  std::copy(std::begin(tensor.strides), std::end(tensor.strides),
            view.strides.begin());
  return view;
}

static CaptureView viewOf(const attn_aot_capture &capture, int rank) {
  CaptureView view;
  view.data = capture.data;
  if (capture.sizes)
    view.sizes.assign(capture.sizes, capture.sizes + rank);
  if (capture.strides)
    view.strides.assign(capture.strides, capture.strides + rank);
  return view;
}

/// Behind the struct that `args` begins with.
static std::vector<CaptureView> capturesOf(const void *behind,
                                           const std::vector<CaptureInfo> &of) {
  auto *captures = static_cast<const attn_aot_capture *>(behind);
  std::vector<CaptureView> views;
  for (const CaptureInfo &info : of)
    views.push_back(viewOf(*captures++, info.rank));
  return views;
}

static Failure checkSize(uint64_t expected, uint64_t actual) {
  if (expected == actual)
    return {};
  return {ATTN_AOT_BAD_ARGUMENT, "expects arguments of " +
                                     std::to_string(expected) + " bytes, got " +
                                     std::to_string(actual)};
}

static Failure missing(const char *name) {
  return {ATTN_AOT_BAD_ARGUMENT,
          std::string("expects '") + name + "', got NULL"};
}

static Failure notLoaded(int64_t device) {
  return {ATTN_AOT_NOT_LOADED,
          "expects load() for " +
              (device < 0 ? std::string("the CPU")
                          : "GPU " + std::to_string(device)) +
              " first"};
}

namespace {
/// One call's kernel and arguments, checked as far as it needs.
struct ForwardCall {
  std::shared_ptr<const LoadedKernels> loaded;
  std::vector<CaptureView> captures;
  TensorView query, key, value, out;
  CaptureView pages;
  std::optional<KernelArguments> arguments;

  const AttentionKernel::Impl &kernel() const { return *loaded->forward; }

  Failure make(const attn_aot_kernels &kernels, const attn_aot_args *args,
               void *stream) {
    if (!args)
      return missing("args");
    const attn_aot_args &a = *args;
    loaded = find(kernels, a.device);
    if (!loaded)
      return notLoaded(a.device);
    const std::vector<CaptureInfo> &infos = kernel().captures;
    if (Failure failure = checkSize(
            sizeof a + infos.size() * sizeof(attn_aot_capture), a.size);
        failure.code)
      return failure;
    ElementType type = kernel().spec.type;
    query = viewOf(a.query, type), key = viewOf(a.key, type);
    value = viewOf(a.value, type), out = viewOf(a.out, type);
    captures = capturesOf(&a + 1, infos);
    bool isPaged = a.pages.data || a.pages.sizes;
    if (isPaged)
      pages = viewOf(a.pages, 2);
    auto *tiles = static_cast<const Tiles *>(a.tiles);
    arguments.emplace(
        KernelArguments{query,
                        key,
                        value,
                        captures,
                        out,
                        a.lse,
                        stream,
                        tiles && kernel().finder ? &tiles->forward : nullptr,
                        {a.query_starts.starts, a.query_starts.sequences},
                        {a.key_starts.starts, a.key_starts.sequences},
                        isPaged ? &pages : nullptr,
                        {}});
    if (Result<void> fine = checkArguments(kernel(), *arguments); !fine)
      return {ATTN_AOT_BAD_ARGUMENT, fine.error()};
    return {};
  }

  SizeRange range() const {
    ProblemSizes sizes = sizesOf(*arguments);
    return {sizes, sizes};
  }
};

/// The same of gradients.
struct BackwardCall {
  std::shared_ptr<const LoadedKernels> loaded;
  GradientArguments arguments;
  std::optional<GradientKernel> kernel;

  Failure make(const attn_aot_kernels &kernels,
               const attn_aot_backward_args *args, void *stream) {
    if (!args)
      return missing("args");
    const attn_aot_backward_args &a = *args;
    loaded = find(kernels, a.device);
    if (!loaded)
      return notLoaded(a.device);
    if (!loaded->backward)
      return {ATTN_AOT_BAD_ARGUMENT, "the object was made without gradients"};
    const GradientKernel::Impl &impl = *loaded->backward;
    kernel.emplace(loaded->backward);
    size_t captures = impl.captures.size() * sizeof(attn_aot_capture);
    if (Failure failure = checkSize(
            sizeof a + captures + impl.wrt.size() * sizeof(float *), a.size);
        failure.code)
      return failure;
    fill(a, impl);
    arguments.stream = stream;
    if (Result<void> fine = checkArguments(impl, arguments); !fine)
      return {ATTN_AOT_BAD_ARGUMENT, fine.error()};
    return {};
  }

  void fill(const attn_aot_backward_args &a, const GradientKernel::Impl &impl) {
    ElementType type = impl.spec.type;
    GradientArguments &to = arguments;
    to.query = viewOf(a.query, type), to.key = viewOf(a.key, type);
    to.value = viewOf(a.value, type), to.out = viewOf(a.out, type);
    to.lse = a.lse, to.gradLse = a.grad_lse;
    to.gradOut = viewOf(a.grad_out, type);
    to.gradQuery = viewOf(a.grad_query, type);
    to.gradKey = viewOf(a.grad_key, type);
    to.gradValue = viewOf(a.grad_value, type);
    to.captures = capturesOf(&a + 1, impl.captures);
    auto *behind = reinterpret_cast<const attn_aot_capture *>(&a + 1);
    auto *gradients =
        reinterpret_cast<float *const *>(behind + impl.captures.size());
    to.gradCaptures.assign(gradients, gradients + impl.wrt.size());
    if (auto *tiles = static_cast<const Tiles *>(a.tiles))
      to.tiles = &tiles->backward;
  }
};
} // namespace

/// Of a launch that has one.
static Failure checkWorkspaceOf(const void *workspace, int64_t bytes,
                                int64_t wanted) {
  if (!workspace || !wanted)
    return {};
  if (bytes < wanted)
    return {ATTN_AOT_WORKSPACE_TOO_SMALL,
            "expects a workspace of at least " + std::to_string(wanted) +
                " bytes, got " + std::to_string(bytes)};
  if (reinterpret_cast<uintptr_t>(workspace) % 16)
    return {ATTN_AOT_BAD_ARGUMENT, "expects a workspace aligned to 16 bytes"};
  return {};
}

template <typename Value> static int give(const Result<Value> &result) {
  return result ? ATTN_AOT_OK : fail(ATTN_AOT_DRIVER_ERROR, result.error());
}

//===--- functions --------------------------------------------------------===//

int attn_aot_load(attn_aot_kernels *kernels, int device) {
  return fail(aot::load(*kernels, device));
}

void attn_aot_unload(attn_aot_kernels *kernels) { aot::unload(*kernels); }

int attn_aot_supports(const attn_aot_kernels *kernels,
                      const attn_aot_args *args) {
  ForwardCall call;
  return fail(call.make(*kernels, args, nullptr));
}

int attn_aot_prepare(const attn_aot_kernels *kernels,
                     const attn_aot_args *args) {
  ForwardCall call;
  if (Failure failure = call.make(*kernels, args, nullptr); failure.code)
    return fail(failure);
  SizeRange range = call.range();
  return give(call.kernel().prepare(&range));
}

int attn_aot_workspace_bytes(const attn_aot_kernels *kernels,
                             const attn_aot_args *args, int64_t *bytes) {
  if (!bytes)
    return fail(missing("bytes"));
  ForwardCall call;
  if (Failure failure = call.make(*kernels, args, nullptr); failure.code)
    return fail(failure);
  Result<int64_t> wanted = call.kernel().workspaceBytes(call.range());
  if (wanted)
    *bytes = *wanted;
  return give(wanted);
}

int attn_aot_find_tiles(const attn_aot_kernels *kernels,
                        const attn_aot_args *args, void *stream, void **tiles) {
  if (!tiles)
    return fail(missing("tiles"));
  *tiles = nullptr;
  ForwardCall call;
  if (Failure failure = call.make(*kernels, args, stream); failure.code)
    return fail(failure);
  if (!call.kernel().finder)
    return ATTN_AOT_OK;
  Result<TileLists> lists = call.kernel().finder->find(sizesOf(*call.arguments),
                                                       call.captures, stream);
  if (lists)
    *tiles = new Tiles{*lists, {}};
  return give(lists);
}

int attn_aot_forward(const attn_aot_kernels *kernels, const attn_aot_args *args,
                     void *workspace, int64_t bytes, void *stream) {
  ForwardCall call;
  if (Failure failure = call.make(*kernels, args, stream); failure.code)
    return fail(failure);
  KernelArguments &arguments = *call.arguments;
  if (call.kernel().spec.checked)
    if (Result<void> fine = checkNumbers(call.kernel(), arguments); !fine)
      return fail(ATTN_AOT_BAD_ARGUMENT, fine.error());
  if (arguments.keys() == 0)
    return give(call.kernel().writeEmptyRows(arguments));
  if (workspace) {
    Result<int64_t> wanted = call.kernel().workspaceBytes(call.range());
    if (!wanted)
      return give(wanted);
    if (Failure failure = checkWorkspaceOf(workspace, bytes, *wanted);
        failure.code)
      return fail(failure);
    // Of none that is needed nothing is asked.
    if (*wanted)
      arguments.workspace = {workspace, bytes};
  }
  return give(call.kernel().run(arguments));
}

void attn_aot_free_tiles(void *tiles) { delete static_cast<Tiles *>(tiles); }

int attn_aot_backward_prepare(const attn_aot_kernels *kernels,
                              const attn_aot_backward_args *args) {
  BackwardCall call;
  if (Failure failure = call.make(*kernels, args, nullptr); failure.code)
    return fail(failure);
  return give(call.kernel->prepare(sizesOf(call.arguments)));
}

int attn_aot_backward_workspace_bytes(const attn_aot_kernels *kernels,
                                      const attn_aot_backward_args *args,
                                      int64_t *bytes) {
  if (!bytes)
    return fail(missing("bytes"));
  BackwardCall call;
  if (Failure failure = call.make(*kernels, args, nullptr); failure.code)
    return fail(failure);
  *bytes = call.kernel->workspaceBytes(sizesOf(call.arguments),
                                       call.arguments.captures);
  return ATTN_AOT_OK;
}

int attn_aot_find_backward_tiles(const attn_aot_kernels *kernels,
                                 const attn_aot_backward_args *args,
                                 void *stream, void **tiles) {
  if (!tiles)
    return fail(missing("tiles"));
  *tiles = nullptr;
  BackwardCall call;
  if (Failure failure = call.make(*kernels, args, stream); failure.code)
    return fail(failure);
  Result<GradientTiles> found = call.kernel->findTiles(
      sizesOf(call.arguments), call.arguments.captures, stream);
  if (found && !found->lists.empty())
    *tiles = new Tiles{{}, *found};
  return give(found);
}

int attn_aot_backward(const attn_aot_kernels *kernels,
                      const attn_aot_backward_args *args, void *workspace,
                      int64_t bytes, void *stream) {
  BackwardCall call;
  if (Failure failure = call.make(*kernels, args, stream); failure.code)
    return fail(failure);
  int64_t wanted = call.kernel->workspaceBytes(sizesOf(call.arguments),
                                               call.arguments.captures);
  if (Failure failure = checkWorkspaceOf(workspace, bytes, wanted);
      failure.code)
    return fail(failure);
  call.arguments.workspace = workspace;
  call.arguments.workspaceBytes = bytes;
  return give(call.kernel->run(call.arguments));
}

const char *attn_aot_error_string(int code) {
  switch (code) {
  case ATTN_AOT_OK:
    return "no error";
  case ATTN_AOT_BAD_ARGUMENT:
    return "an argument that the kernel does not take";
  case ATTN_AOT_UNSUPPORTED_DEVICE:
    return "a device that the code does not run on";
  case ATTN_AOT_WORKSPACE_TOO_SMALL:
    return "the workspace is too small";
  case ATTN_AOT_NOT_LOADED:
    return "the kernel is not loaded for this device";
  case ATTN_AOT_DRIVER_ERROR:
    return "refused by the driver, the system's loader or the launch";
  }
  return "unknown error";
}

const char *attn_aot_error_detail(void) { return detail.c_str(); }
