// cuDNN's fused attention as a peer, through cudnn-frontend's graphs. This is
// the only file that includes NVIDIA's headers and that may meet an exception;
// cuDNN and the CUDA runtime themselves are loaded at run time. Built where the
// headers are found, else CudnnMissing.cpp stands in.
#include "backends/Backend.h"
#include "backends/FixedVariant.h"
#include "devices/Tensors.h"

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

enum TensorId : int64_t {
  kQuery = 1,
  kKey,
  kValue,
  kOut,
  kStats,
  kGradOut,
  kGradQuery,
  kGradKey,
  kGradValue,
  kQueryLengths,
  kKeyLengths,
  kKeyTable,
  kValueTable
};

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
std::string variantRefusal(const Problem &problem,
                           const FixedVariant &variant) {
  const ProblemSizes &sizes = problem.sizes;
  if (variant.alibi && (sizes.heads & (sizes.heads - 1)))
    return "cuDNN's ALiBi has other slopes where the number of heads is not a "
           "power of two";
  // cuDNN's own check says the same of s_q and s_kv; rows without keys are
  // not defined there.
  if (variant.window && sizes.queries > sizes.keys)
    return "cuDNN's sliding window needs as many keys as queries";
  if (variant.window && variant.softcap)
    return "cuDNN takes no window beside a score modifier";
  if (variant.softcap && (problem.cache || (variant.atEnd && variant.causal)))
    return "cuDNN's score modifiers know no lengths of sequences, and a causal "
           "mask that begins at the first key";
  return "";
}

/// What the attributes of both passes have in common.
template <typename Attributes>
void describe(Attributes &attributes, const Problem &problem,
              const FixedVariant &variant) {
  attributes.set_name("attention").set_attn_scale(problem.scale);
  if (variant.softcap || !variant.causal)
    return;
  attributes
      .set_diagonal_alignment(variant.atEnd
                                  ? fe::DiagonalAlignment_t::BOTTOM_RIGHT
                                  : fe::DiagonalAlignment_t::TOP_LEFT)
      .set_diagonal_band_right_bound(0);
  // cuDNN keeps kv + bound > q.
  if (variant.window)
    attributes.set_diagonal_band_left_bound(int(variant.window));
  if (variant.alibi)
    attributes.set_alibi_mask(true);
}

/// cap * tanh(score / cap), then causal, as two functions on graphs: cuDNN
/// takes no mask of its own beside a score modifier. The backward one needs
/// what the forward one saved.
struct SoftcapMod {
  explicit SoftcapMod(const FixedVariant &variant)
      : cap(float(variant.softcap)), causal(variant.causal) {}

  FrontendTensor forward(const FrontendGraph &graph,
                         const FrontendTensor &score) {
    auto scalar = std::make_shared<fe::graph::Tensor_attributes>(cap);
    FrontendTensor capped = softcap.forward(graph, score, scalar);
    return causal ? fe::graph::attn::score_modifiers::causal_mask(graph, capped)
                  : capped;
  }
  FrontendTensor backward(const FrontendGraph &graph,
                          const FrontendTensor &gradient) {
    auto scalar = std::make_shared<fe::graph::Tensor_attributes>(cap);
    return softcap.backward(graph, gradient, scalar);
  }

private:
  float cap;
  bool causal;
  fe::graph::attn::score_modifiers::Softcap softcap;
};

FrontendTensor input(fe::graph::Graph &graph, const char *name, TensorId id,
                     const TensorView &view) {
  return graph.tensor(
      fe::graph::Tensor_attributes()
          .set_name(name)
          .set_uid(id)
          .set_dim({view.sizes.begin(), view.sizes.end()})
          .set_stride({view.strides[0], view.strides[1], view.strides[2], 1}));
}

/// Numbers of i32, one for each of `sizes`, which are contiguous.
FrontendTensor numbers(fe::graph::Graph &graph, const char *name, TensorId id,
                       int64_t batch, int64_t columns) {
  return graph.tensor(fe::graph::Tensor_attributes()
                          .set_name(name)
                          .set_uid(id)
                          .set_dim({batch, 1, columns, 1})
                          .set_stride({columns, columns, 1, 1})
                          .set_data_type(fe::DataType_t::INT32));
}

/// A graph with its execution plan, and the memory that it works on.
struct Plan {
  FrontendGraph graph;
  std::unordered_map<int64_t, void *> pack;
  Buffer workspace;
  double seconds = 0; ///< that it took to make

  Result<void> execute(cudnnHandle_t handle) {
    try {
      if (fe::error_t error = graph->execute(handle, pack, workspace.data());
          error.is_bad())
        return Error{"cuDNN: " + error.err_msg};
      return {};
    } catch (const std::exception &missing) {
      return Error{std::string("cuDNN: ") + missing.what()};
    }
  }
};

class Cudnn final : public Backend {
public:
  Cudnn(Device &device, bool deterministic)
      : device(device), deterministic(deterministic) {}
  ~Cudnn() override { finish(); }

  const char *name() const override { return "cudnn"; }
  std::optional<Refusal> prepare(const Problem &problem) override;
  std::optional<Refusal> prepareBackward(const Gradients &) override;
  Result<void> run(Pass pass) override {
    return (pass == Pass::Forward ? forward : backward).execute(handle);
  }
  void finish() override;
  double compileSeconds(Pass pass) const override {
    return (pass == Pass::Forward ? forward : backward).seconds;
  }

private:
  FrontendGraph newGraph() const;
  std::array<FrontendTensor, 3> inputs(fe::graph::Graph &, Plan &) const;
  Result<void> addCache(fe::graph::Graph &, Plan &,
                        fe::graph::SDPA_attributes &);
  std::optional<Refusal> build(Plan &plan, const FrontendGraph &graph);
  std::optional<Refusal> planForward(Plan &plan, const TensorView &out,
                                     void *stats);
  std::optional<Refusal> planBackward(const TensorView &out, const Gradients &);
  std::optional<Refusal> trainOnce(const Gradients &);

  Device &device;
  bool deterministic;
  const Problem *problem = nullptr;
  FixedVariant variant;
  cudnnHandle_t handle = nullptr;
  Plan forward, backward;
  Buffer trainedOut, stats; ///< what the backward pass reads
  Buffer queryLengths;      ///< of a cache: the same for all sequences
};

/// cuDNN says of most things that it cannot do so when it is asked for a plan.
Refusal refusalFor(const fe::error_t &error) {
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
  Result<FixedVariant> known = fixedVariantOf(*problem);
  if (!known)
    return Refusal{Refusal::Unsupported,
                   "cuDNN's attention has " + known.error()};
  variant = *known;
  if (std::string reason = variantRefusal(*problem, variant); !reason.empty())
    return Refusal{Refusal::Unsupported, reason};
  if (sizes.queries == 0 || sizes.keys == 0)
    return Refusal{Refusal::Unsupported, "cuDNN takes no empty sequences"};

  try {
    Result<cudnnHandle_t> created = cudnnHandle(device.stream());
    if (!created)
      return Refusal{Refusal::Unavailable, created.error()};
    handle = *created;
    return planForward(forward, problem->out, /*stats=*/nullptr);
  } catch (const std::exception &missing) { // a library or symbol is not there
    return Refusal{Refusal::Unavailable,
                   std::string("cuDNN: ") + missing.what()};
  }
}

FrontendGraph Cudnn::newGraph() const {
  auto graph = std::make_shared<fe::graph::Graph>();
  graph
      ->set_io_data_type(problem->type == ElementType::BF16
                             ? fe::DataType_t::BFLOAT16
                             : fe::DataType_t::HALF)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  return graph;
}

std::array<FrontendTensor, 3> Cudnn::inputs(fe::graph::Graph &graph,
                                            Plan &plan) const {
  TensorView keys = variant.key, values = variant.value;
  if (problem->cache && problem->cache->pages) {
    keys = problem->cache->pages->key;
    values = problem->cache->pages->value;
  }
  plan.pack = {
      {kQuery, problem->query.data}, {kKey, keys.data}, {kValue, values.data}};
  return {input(graph, "query", kQuery, problem->query),
          input(graph, "key", kKey, keys),
          input(graph, "value", kValue, values)};
}

/// The lengths of sequences, and their pages.
Result<void> Cudnn::addCache(fe::graph::Graph &graph, Plan &plan,
                             fe::graph::SDPA_attributes &attributes) {
  const KeyCache &cache = *problem->cache;
  int64_t batch = problem->sizes.batch;
  std::vector<int32_t> queries(batch, int32_t(problem->sizes.queries));
  auto bytes = int64_t(batch * sizeof(int32_t));
  Result<Buffer> allocated = Buffer::create(device, bytes);
  if (!allocated)
    return Error{allocated.error()};
  queryLengths = std::move(*allocated);
  if (Result<void> copied =
          device.copyIn(queryLengths.data(), queries.data(), bytes);
      !copied)
    return copied;
  attributes.set_padding_mask(true)
      .set_seq_len_q(numbers(graph, "query_lengths", kQueryLengths, batch, 1))
      .set_seq_len_kv(numbers(graph, "key_lengths", kKeyLengths, batch, 1));
  plan.pack[kQueryLengths] = queryLengths.data();
  plan.pack[kKeyLengths] = const_cast<int32_t *>(cache.deviceLengths);
  if (!cache.pages)
    return {};
  int64_t columns = cache.pages->columns;
  attributes
      .set_paged_attention_k_table(
          numbers(graph, "key_table", kKeyTable, batch, columns))
      .set_paged_attention_v_table(
          numbers(graph, "value_table", kValueTable, batch, columns))
      .set_paged_attention_max_seq_len_kv(int(problem->sizes.keys));
  for (TensorId id : {kKeyTable, kValueTable})
    plan.pack[id] = const_cast<int32_t *>(cache.pages->table);
  return {};
}

/// Chooses an execution plan for the graph, and adds both to `plan`.
std::optional<Refusal> Cudnn::build(Plan &plan, const FrontendGraph &graph) {
  auto start = std::chrono::steady_clock::now();
  int64_t bytes = 0;
  if (fe::error_t error = graph->build(handle, {fe::HeurMode_t::A});
      error.is_bad())
    return refusalFor(error);
  if (fe::error_t error = graph->get_workspace_size(bytes); error.is_bad())
    return refusalFor(error);
  Result<Buffer> allocated = Buffer::create(device, bytes);
  if (!allocated)
    return Refusal{Refusal::OutOfMemory, "workspace: " + allocated.error()};
  plan.workspace = std::move(*allocated);
  plan.graph = std::move(graph);
  plan.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return std::nullopt;
}

static void shapeAs(const FrontendTensor &tensor, TensorId id,
                    const TensorView &view) {
  tensor->set_output(true)
      .set_uid(id)
      .set_dim({view.sizes.begin(), view.sizes.end()})
      .set_stride({view.strides[0], view.strides[1], view.strides[2], 1});
}

/// The forward pass into an output with these strides; for training also into
/// `stats`, the rows' LSE (f32, contiguous).
std::optional<Refusal> Cudnn::planForward(Plan &plan, const TensorView &out,
                                          void *rowStats) {
  FrontendGraph graph = newGraph();
  auto [query, key, value] = inputs(*graph, plan);
  fe::graph::SDPA_attributes attributes;
  describe(attributes, *problem, variant);
  attributes.set_generate_stats(rowStats != nullptr);
  if (problem->cache)
    if (Result<void> added = addCache(*graph, plan, attributes); !added)
      return Refusal{Refusal::OutOfMemory, added.error()};
  if (variant.softcap)
    attributes.set_score_mod(
        [mod = std::make_shared<SoftcapMod>(variant)](
            const FrontendGraph &in, const FrontendTensor &score) {
          return mod->forward(in, score);
        });
  auto [result, saved] = graph->sdpa(query, key, value, attributes);
  shapeAs(result, kOut, out);
  plan.pack[kOut] = out.data;
  if (rowStats) {
    saved->set_output(true).set_uid(kStats).set_data_type(
        fe::DataType_t::FLOAT);
    plan.pack[kStats] = rowStats;
  }
  return build(plan, std::move(graph));
}

std::optional<Refusal> Cudnn::planBackward(const TensorView &out,
                                           const Gradients &gradients) {
  const ProblemSizes &sizes = problem->sizes;
  FrontendGraph graph = newGraph();
  auto [query, key, value] = inputs(*graph, backward);
  FrontendTensor rowStats = graph->tensor(
      fe::graph::Tensor_attributes()
          .set_name("stats")
          .set_uid(kStats)
          .set_dim({sizes.batch, sizes.heads, sizes.queries, 1})
          .set_stride({sizes.heads * sizes.queries, sizes.queries, 1, 1})
          .set_data_type(fe::DataType_t::FLOAT));
  fe::graph::SDPA_backward_attributes attributes;
  describe(attributes, *problem, variant);
  attributes.set_deterministic_algorithm(deterministic);
  if (variant.softcap) {
    auto mod = std::make_shared<SoftcapMod>(variant);
    attributes.set_score_mod(
        [mod](const FrontendGraph &in, const FrontendTensor &score) {
          return mod->forward(in, score);
        });
    attributes.set_score_mod_bprop(
        [mod](const FrontendGraph &in, const FrontendTensor &gradient) {
          return mod->backward(in, gradient);
        });
  }
  auto [gradQuery, gradKey, gradValue] = graph->sdpa_backward(
      query, key, value, input(*graph, "out", kOut, out),
      input(*graph, "grad_out", kGradOut, gradients.out), rowStats, attributes);
  shapeAs(gradQuery, kGradQuery, gradients.query);
  shapeAs(gradKey, kGradKey, gradients.key);
  shapeAs(gradValue, kGradValue, gradients.value);
  backward.pack[kOut] = out.data;
  backward.pack[kStats] = stats.data();
  backward.pack[kGradOut] = gradients.out.data;
  backward.pack[kGradQuery] = gradients.query.data;
  backward.pack[kGradKey] = gradients.key.data;
  backward.pack[kGradValue] = gradients.value.data;
  return build(backward, std::move(graph));
}

/// A forward pass that saves what the backward pass reads.
std::optional<Refusal> Cudnn::trainOnce(const Gradients &gradients) {
  const ProblemSizes &sizes = problem->sizes;
  int64_t rows = sizes.batch * sizes.heads * sizes.queries;
  for (auto [buffer, bytes] :
       {std::pair(&trainedOut,
                  rows * sizes.valueDim * byteWidth(problem->type)),
        std::pair(&stats, rows * int64_t(sizeof(float)))}) {
    Result<Buffer> allocated = Buffer::create(device, bytes);
    if (!allocated)
      return Refusal{Refusal::OutOfMemory, allocated.error()};
    *buffer = std::move(*allocated);
  }
  TensorView out = gradients.out;
  out.data = trainedOut.data();
  Plan training;
  if (std::optional<Refusal> refusal = planForward(training, out, stats.data()))
    return refusal;
  if (Result<void> ran = training.execute(handle); !ran)
    return Refusal{Refusal::Failed, ran.error()};
  if (Result<void> finished = device.synchronize(); !finished)
    return Refusal{Refusal::Failed, finished.error()};
  return planBackward(out, gradients);
}

std::optional<Refusal> Cudnn::prepareBackward(const Gradients &gradients) {
  try {
    return trainOnce(gradients);
  } catch (const std::exception &missing) {
    return Refusal{Refusal::Failed, std::string("cuDNN: ") + missing.what()};
  }
}

void Cudnn::finish() {
  forward = Plan();
  backward = Plan();
  trainedOut = Buffer();
  stats = Buffer();
  queryLengths = Buffer();
}

} // namespace

std::unique_ptr<Backend> bench::createCudnn(Device &device,
                                            bool deterministic) {
  return std::make_unique<Cudnn>(device, deterministic);
}
