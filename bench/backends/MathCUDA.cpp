// The `math` peer on a GPU: unfused attention by cuBLAS with the scores and
// probabilities in memory, as a framework computes it without a fused kernel.
// Scores are f32, probabilities have the inputs' type.
#include "backends/Backend.h"
#include "devices/Tensors.h"
#include "numerics/CublasAttention.h"
#include "numerics/Softmax.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>

using namespace attn;
using namespace attn::bench;

namespace {

class MathCUDA final : public Backend {
public:
  explicit MathCUDA(Device &device) : device(device) {}

  const char *name() const override { return "math"; }
  std::optional<Refusal> prepare(const Problem &problem) override;
  Result<void> run(Pass) override;
  void finish() override;
  double compileSeconds(Pass pass) const override {
    return pass == Pass::Forward ? seconds : 0;
  }
  std::string remark() const override;

private:
  std::optional<Refusal> allocate();
  int64_t pairs() const { return problem->sizes.batch * problem->sizes.heads; }

  Device &device;
  const Problem *problem = nullptr;
  std::optional<CublasAttention> products;
  const SoftmaxKernel *softmax = nullptr;
  int64_t chunk = 0; ///< (batch, head) pairs whose scores fit into memory
  Buffer scores, probabilities; ///< f32 problems: in place
  double seconds = 0;
};

std::optional<Refusal> MathCUDA::prepare(const Problem &next) {
  finish();
  problem = &next;
  if (problem->sizes.keys == 0)
    return Refusal{Refusal::Unsupported, "there are no keys"};
  for (const TensorView *view :
       {&problem->query, &problem->key, &problem->value})
    if (std::string reason = CublasAttention::refusal(*view); !reason.empty())
      return Refusal{Refusal::Unsupported, reason};
  Result<CublasAttention> cublas = CublasAttention::create(device.stream());
  if (!cublas)
    return Refusal{Refusal::Unavailable, cublas.error()};
  products = *cublas;

  auto start = std::chrono::steady_clock::now();
  Result<const SoftmaxKernel *> kernel =
      softmaxFor(*problem->mod, Target::CUDA, ElementType::F32, problem->type);
  if (!kernel)
    return Refusal{Refusal::Failed, kernel.error()};
  softmax = *kernel;
  seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return allocate();
}

/// Takes at most half of what is free: other backends come after this one.
std::optional<Refusal> MathCUDA::allocate() {
  int64_t elements = problem->sizes.queries * problem->sizes.keys;
  if (elements == 0 || pairs() == 0)
    return std::nullopt;
  bool inPlace = problem->type == ElementType::F32;
  int64_t width = inPlace ? 0 : byteWidth(problem->type);
  int64_t each = elements * (4 + width), free = device.freeBytes();
  chunk = std::clamp<int64_t>(free / 2 / each, 1, pairs());

  Result<Buffer> forScores = Buffer::create(device, chunk * elements * 4);
  if (!forScores)
    return Refusal{Refusal::OutOfMemory, "scores: " + forScores.error()};
  scores = std::move(*forScores);
  if (inPlace)
    return std::nullopt;
  Result<Buffer> forProbabilities =
      Buffer::create(device, chunk * elements * width);
  if (!forProbabilities)
    return Refusal{Refusal::OutOfMemory,
                   "probabilities: " + forProbabilities.error()};
  probabilities = std::move(*forProbabilities);
  return std::nullopt;
}

Result<void> MathCUDA::run(Pass) {
  if (!chunk)
    return {};
  const ProblemSizes &sizes = problem->sizes;
  auto *s = static_cast<float *>(scores.data());
  void *p = probabilities.data() ? probabilities.data() : scores.data();
  for (int64_t first = 0; first < pairs(); first += chunk) {
    int64_t count = std::min(chunk, pairs() - first);
    ATTN_TRY(products->scores(problem->query, problem->key, first, count, s));
    ATTN_TRY(softmax->run(s, p, /*lse=*/nullptr, first, count, sizes.heads,
                          sizes.queries, sizes.keys, problem->scale,
                          problem->captures, device.stream()));
    ATTN_TRY(products->output(p, problem->value, problem->out, first, count));
  }
  return {};
}

void MathCUDA::finish() {
  scores = Buffer();
  probabilities = Buffer();
  chunk = 0;
  seconds = 0;
}

std::string MathCUDA::remark() const {
  if (!chunk || chunk >= pairs())
    return "";
  return "scores of " + std::to_string(chunk) + " of " +
         std::to_string(pairs()) + " heads at a time";
}

} // namespace

std::unique_ptr<Backend> bench::createMathCUDA(Device &device) {
  return std::make_unique<MathCUDA>(device);
}
