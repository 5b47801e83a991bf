// cuDNN's fused attention as a peer, through cudnn-frontend's graphs. This is
// the only file that includes NVIDIA's headers and that may meet an exception;
// cuDNN and the CUDA runtime themselves are loaded at run time. Built where the
// headers are found, else CudnnMissing.cpp stands in.
#include "../Backend.h"
#include "../Tensors.h"

#include <cudnn_frontend.h>

#include <chrono>
#include <dlfcn.h>
#include <exception>

namespace fe = cudnn_frontend;
using namespace attn;
using namespace attn::bench;

// cudnn-frontend calls cuDNN through this handle, which is ours to open.
void *cudnn_frontend::cudnn_dlhandle = nullptr;

namespace {

using FrontendTensor = std::shared_ptr<fe::graph::Tensor_attributes>;
using FrontendGraph = std::shared_ptr<fe::graph::Graph>;

enum TensorId : int64_t { kQuery = 1, kKey, kValue, kOut };

/// The first of `names` that the loader finds.
void *openFirst(std::initializer_list<const char *> names) {
  for (const char *name : names)
    if (void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL))
      return library;
  return nullptr;
}

/// The process's one cuDNN handle, working on `stream`.
Result<cudnnHandle_t> cudnnHandle(void *stream) {
  static cudnnHandle_t handle = nullptr;
  if (!handle) {
    // cudnn-frontend asks for the CUDA runtime by its soname only.
    openFirst({"libcudart.so.13", "libcudart.so.12",
               "/usr/local/cuda/lib64/libcudart.so.13",
               "/usr/local/cuda/lib64/libcudart.so.12"});
    fe::cudnn_dlhandle =
        openFirst({"libcudnn.so.9", "/usr/local/cuda/lib64/libcudnn.so.9"});
    if (!fe::cudnn_dlhandle)
      return Error{"cuDNN is not installed: libcudnn.so.9 is not in the "
                   "loader's path (LD_LIBRARY_PATH)"};
    if (cudnnStatus_t status = fe::detail::create_handle(&handle);
        status != CUDNN_STATUS_SUCCESS) {
      handle = nullptr;
      return Error{std::string("cudnnCreate: ") +
                   fe::detail::get_error_string(status)};
    }
  }
  if (cudnnStatus_t status =
          fe::detail::set_stream(handle, static_cast<cudaStream_t>(stream));
      status != CUDNN_STATUS_SUCCESS)
    return Error{std::string("cudnnSetStream: ") +
                 fe::detail::get_error_string(status)};
  return handle;
}

/// Why cuDNN's attention has no such variant; empty if it has one.
std::string patternRefusal(const Problem &problem) {
  const std::string &pattern = problem.pattern;
  const ProblemSizes &sizes = problem.sizes;
  if (pattern == "alibi" && (sizes.heads & (sizes.heads - 1)))
    return "cuDNN's ALiBi has other slopes where the number of heads is not a "
           "power of two";
  // cuDNN's own check says the same of s_q and s_kv; rows without keys are
  // not defined there.
  if (pattern == "sliding_window" && sizes.queries > sizes.keys)
    return "cuDNN's sliding window needs as many keys as queries";
  for (const char *known :
       {"noop", "causal", "sliding_window", "alibi", "softcap"})
    if (pattern == known)
      return "";
  return "cuDNN's attention has no such variant, only a bias matrix of queries "
         "x keys";
}

/// softcap: 50 * tanh(score / 50), then causal.
FrontendTensor softcapped(FrontendGraph graph, FrontendTensor score) {
  auto cap = std::make_shared<fe::graph::Tensor_attributes>(50.f);
  fe::graph::attn::score_modifiers::Softcap softcap;
  FrontendTensor capped = softcap.forward(graph, score, cap);
  return fe::graph::attn::score_modifiers::causal_mask(graph, capped);
}

fe::graph::SDPA_attributes attributesOf(const Problem &problem) {
  fe::graph::SDPA_attributes attributes;
  attributes.set_name("attention")
      .set_generate_stats(false)
      .set_attn_scale(problem.scale);
  const std::string &pattern = problem.pattern;
  if (pattern == "softcap")
    return attributes.set_score_mod(softcapped);
  if (pattern == "noop")
    return attributes;
  attributes.set_diagonal_alignment(fe::DiagonalAlignment_t::TOP_LEFT)
      .set_diagonal_band_right_bound(0);
  // cuDNN keeps kv + bound > q: with 513, the 513 keys q - kv = 0..512.
  if (pattern == "sliding_window")
    attributes.set_diagonal_band_left_bound(513);
  if (pattern == "alibi")
    attributes.set_alibi_mask(true);
  return attributes;
}

FrontendTensor input(fe::graph::Graph &graph, const char *name, TensorId id,
                     const TensorView &view) {
  return graph.tensor(
      fe::graph::Tensor_attributes()
          .set_name(name)
          .set_uid(id)
          .set_dim({view.sizes.begin(), view.sizes.end()})
          .set_stride({view.strides[0], view.strides[1], view.strides[2], 1}));
}

class Cudnn final : public Backend {
public:
  explicit Cudnn(Device &device) : device(device) {}
  ~Cudnn() override { finish(); }

  const char *name() const override { return "cudnn"; }
  std::optional<Refusal> prepare(const Problem &problem) override;
  Result<void> run(const TensorView &out) override;
  void finish() override;
  double compileSeconds() const override { return seconds; }

private:
  std::optional<Refusal> plan(const std::array<int64_t, 3> &outStrides);

  Device &device;
  const Problem *problem = nullptr;
  cudnnHandle_t handle = nullptr;
  FrontendGraph graph; ///< with its execution plan; null: nothing to run
  std::array<int64_t, 3> plannedStrides{}; ///< of the output
  std::unordered_map<int64_t, void *> pack;
  Buffer workspace;
  double seconds = 0;
};

/// cuDNN says of most things that it cannot do so when it is asked for a plan.
Refusal refusalFor(fe::error_t error) {
  bool broken = error.code == fe::error_code_t::CUDA_API_FAILED ||
                error.code == fe::error_code_t::HANDLE_ERROR ||
                error.code == fe::error_code_t::INVALID_CUDA_DEVICE;
  return {broken ? Refusal::Failed : Refusal::Unsupported,
          "cuDNN: " + error.err_msg};
}

std::optional<Refusal> Cudnn::prepare(const Problem &next) {
  finish();
  problem = &next;
  const ProblemSizes &sizes = problem->sizes;
  if (problem->type != ElementType::BF16 && problem->type != ElementType::F16)
    return Refusal{Refusal::Unsupported,
                   "cuDNN's attention takes bf16 and f16"};
  if (std::string reason = patternRefusal(*problem); !reason.empty())
    return Refusal{Refusal::Unsupported, reason};
  if (sizes.queries == 0 || sizes.keys == 0)
    return Refusal{Refusal::Unsupported, "cuDNN takes no empty sequences"};

  // The output is most likely stored as the query is.
  std::array<int64_t, 3> strides = problem->query.strides;
  for (int64_t &stride : strides)
    stride = stride / sizes.headDim * sizes.valueDim;
  try {
    Result<cudnnHandle_t> created = cudnnHandle(device.stream());
    if (!created)
      return Refusal{Refusal::Unavailable, created.error()};
    handle = *created;
    return plan(strides);
  } catch (const std::exception &missing) { // a library or symbol is not there
    return Refusal{Refusal::Unavailable,
                   std::string("cuDNN: ") + missing.what()};
  }
}

/// Builds the graph for an output with these strides.
std::optional<Refusal> Cudnn::plan(const std::array<int64_t, 3> &outStrides) {
  auto start = std::chrono::steady_clock::now();
  auto built = std::make_shared<fe::graph::Graph>();
  built
      ->set_io_data_type(problem->type == ElementType::BF16
                             ? fe::DataType_t::BFLOAT16
                             : fe::DataType_t::HALF)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  auto [out, stats] = built->sdpa(
      input(*built, "query", kQuery, problem->query),
      input(*built, "key", kKey, problem->key),
      input(*built, "value", kValue, problem->value), attributesOf(*problem));
  const ProblemSizes &sizes = problem->sizes;
  out->set_output(true)
      .set_uid(kOut)
      .set_dim({sizes.batch, sizes.heads, sizes.queries, sizes.valueDim})
      .set_stride({outStrides[0], outStrides[1], outStrides[2], 1});

  int64_t bytes = 0;
  if (fe::error_t error = built->build(handle, {fe::HeurMode_t::A});
      error.is_bad())
    return refusalFor(error);
  if (fe::error_t error = built->get_workspace_size(bytes); error.is_bad())
    return refusalFor(error);
  Result<Buffer> allocated = Buffer::create(device, bytes);
  if (!allocated)
    return Refusal{Refusal::OutOfMemory, "workspace: " + allocated.error()};
  workspace = std::move(*allocated);
  graph = std::move(built);
  plannedStrides = outStrides;
  pack = {{kQuery, problem->query.data},
          {kKey, problem->key.data},
          {kValue, problem->value.data}};
  seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return std::nullopt;
}

Result<void> Cudnn::run(const TensorView &out) {
  try {
    if (out.strides != plannedStrides)
      if (std::optional<Refusal> refusal = plan(out.strides))
        return Error{refusal->reason};
    pack[kOut] = out.data;
    if (fe::error_t error = graph->execute(handle, pack, workspace.data());
        error.is_bad())
      return Error{"cuDNN: " + error.err_msg};
    return {};
  } catch (const std::exception &missing) {
    return Error{std::string("cuDNN: ") + missing.what()};
  }
}

void Cudnn::finish() {
  graph.reset();
  pack.clear();
  workspace = Buffer();
  seconds = 0;
}

} // namespace

std::unique_ptr<Backend> bench::createCudnn(Device &device) {
  return std::make_unique<Cudnn>(device);
}
