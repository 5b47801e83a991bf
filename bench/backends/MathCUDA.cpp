// The `math` peer on a GPU: unfused attention by cuBLAS with the scores and
// probabilities in memory, as a framework computes it without a fused kernel.
// Scores and the gradients of probabilities are f32, probabilities and the
// gradients of scores have the inputs' type. Forward leaves both matrices to
// backward where all heads have room.
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
  std::optional<Refusal> prepareBackward(const Gradients &) override;
  Result<void> run(Pass pass) override {
    return pass == Pass::Forward ? runForward() : runBackward();
  }
  void finish() override;
  double compileSeconds(Pass pass) const override {
    return pass == Pass::Forward ? seconds : 0;
  }
  std::string remark() const override;
  std::string backwardRemark() const override;

private:
  std::optional<Refusal> allocate();
  std::optional<Refusal> allocateBackward();
  std::optional<Refusal> allocate(Buffer &buffer, int64_t bytes,
                                  const char *what);
  Result<void> runForward();
  Result<void> runBackward();
  Result<void> computeWeights(int64_t first, int64_t count, int64_t keys);
  Result<void> writeZeros(int64_t batch);
  Result<void> computeGradients(int64_t first, int64_t count);
  int64_t pairs() const { return problem->sizes.batch * problem->sizes.heads; }
  /// Scores and probabilities share memory.
  bool isInPlace() const { return !probabilities.data(); }
  void *weights() { return isInPlace() ? scores.data() : probabilities.data(); }

  Device &device;
  const Problem *problem = nullptr;
  std::optional<CublasAttention> products;
  const SoftmaxKernel *softmax = nullptr;
  int64_t chunk = 0; ///< (batch, head) pairs whose scores fit into memory
  Buffer scores, probabilities; ///< f32 problems: in place
  double seconds = 0;

  // Of the backward pass.
  const Gradients *gradients = nullptr;
  const SoftmaxGradientKernel *gradient = nullptr;
  Buffer ofProbabilities, ofScores; ///< f32 problems: in place
};

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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

  Clock::time_point start = Clock::now();
  Result<const SoftmaxKernel *> kernel =
      softmaxFor(*problem->mod, Target::CUDA, ElementType::F32, problem->type);
  if (!kernel)
    return Refusal{Refusal::Failed, kernel.error()};
  softmax = *kernel;
  seconds = secondsSince(start);
  return allocate();
}

std::optional<Refusal> MathCUDA::allocate(Buffer &buffer, int64_t bytes,
                                          const char *what) {
  Result<Buffer> made = Buffer::create(device, bytes);
  if (!made)
    return Refusal{Refusal::OutOfMemory,
                   std::string(what) + ": " + made.error()};
  buffer = std::move(*made);
  return std::nullopt;
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

  if (auto refusal = allocate(scores, chunk * elements * 4, "scores"))
    return refusal;
  if (inPlace)
    return std::nullopt;
  return allocate(probabilities, chunk * elements * width, "probabilities");
}

/// All of the matrices anew, for chunks of whole groups.
std::optional<Refusal> MathCUDA::allocateBackward() {
  if (pairs() == 0)
    return std::nullopt;
  int64_t elements = problem->sizes.queries * problem->sizes.keys;
  scores = Buffer();
  probabilities = Buffer();
  bool isF32 = problem->type == ElementType::F32;
  int64_t width = byteWidth(problem->type);
  bool apart = !isF32 || gradient->readsScores();
  int64_t each = elements * (8 + (apart ? width : 0) + (isF32 ? 0 : width));
  int64_t group = problem->sizes.heads / problem->sizes.kvHeads;
  int64_t groups = device.freeBytes() / 2 / (each * group);
  chunk = std::clamp<int64_t>(groups * group, group, pairs());

  int64_t count = chunk * elements;
  if (auto refusal = allocate(scores, count * 4, "scores"))
    return refusal;
  if (apart)
    if (auto refusal = allocate(probabilities, count * width, "probabilities"))
      return refusal;
  if (auto refusal =
          allocate(ofProbabilities, count * 4, "gradients of probabilities"))
    return refusal;
  if (isF32)
    return std::nullopt;
  return allocate(ofScores, count * width, "gradients of scores");
}

std::optional<Refusal> MathCUDA::prepareBackward(const Gradients &wanted) {
  gradients = &wanted;
  if (problem->sizes.queries == 0)
    return Refusal{Refusal::Unsupported, "there are no queries"};
  for (const TensorView *view :
       {&wanted.out, &wanted.query, &wanted.key, &wanted.value})
    if (std::string reason = CublasAttention::refusal(*view); !reason.empty())
      return Refusal{Refusal::Unsupported, reason};
  Clock::time_point start = Clock::now();
  Result<const SoftmaxGradientKernel *> kernel =
      softmaxGradientFor(*problem->mod, Target::CUDA, problem->type);
  if (!kernel)
    return Refusal{Refusal::Failed, kernel.error()};
  gradient = *kernel;
  seconds += secondsSince(start);
  if (std::optional<Refusal> refusal = allocateBackward())
    return refusal;
  if (chunk != pairs())
    return std::nullopt;
  Result<void> ran = computeWeights(0, chunk, problem->sizes.keys);
  return ran ? std::nullopt
             : std::optional(Refusal{Refusal::Failed, ran.error()});
}

/// Scores and probabilities of pairs, and their first `keys` keys.
Result<void> MathCUDA::computeWeights(int64_t first, int64_t count,
                                      int64_t keys) {
  const ProblemSizes &sizes = problem->sizes;
  auto *s = static_cast<float *>(scores.data());
  ATTN_TRY(products->scores(problem->query, firstPositions(problem->key, keys),
                            first, count, s));
  return softmax->run(s, weights(), /*lse=*/nullptr, first, count, sizes.heads,
                      sizes.queries, keys, problem->scale, problem->captures,
                      device.stream());
}

Result<void> MathCUDA::runForward() {
  if (!chunk)
    return {};
  const ProblemSizes &sizes = problem->sizes;
  for (int64_t first = 0, count; first < pairs(); first += count) {
    // Of one sequence at a time, where each has keys of its own number.
    int64_t batch = first / sizes.heads, keys = problem->keysOf(batch);
    int64_t end = problem->cache ? (batch + 1) * sizes.heads : pairs();
    count = std::min(chunk, end - first);
    if (keys == 0) {
      ATTN_TRY(writeZeros(batch));
      continue;
    }
    ATTN_TRY(computeWeights(first, count, keys));
    ATTN_TRY(products->output(weights(), firstPositions(problem->value, keys),
                              problem->out, first, count));
  }
  return {};
}

/// The rows of a sequence, which adjoin.
Result<void> MathCUDA::writeZeros(int64_t batch) {
  const TensorView &out = problem->out;
  int64_t bytes = out.strides[0] * byteWidth(out.type);
  return device.fill(static_cast<char *>(out.data) + batch * bytes, 0, bytes);
}

/// Of pairs whose weights are there.
Result<void> MathCUDA::computeGradients(int64_t first, int64_t count) {
  const ProblemSizes &sizes = problem->sizes;
  auto *dp = static_cast<float *>(ofProbabilities.data());
  void *ds = ofScores.data() ? ofScores.data() : ofProbabilities.data();
  const TensorView &dout = gradients->out;
  ATTN_TRY(products->transposedOutput(weights(), dout, gradients->value, first,
                                      count));
  ATTN_TRY(products->scores(dout, problem->value, first, count, dp));
  SoftmaxGradientArguments step;
  step.scores = isInPlace() ? nullptr : scores.data();
  step.probabilities = weights();
  step.gradProbabilities = dp, step.gradScores = ds;
  step.first = first, step.count = count, step.heads = sizes.heads;
  step.queries = sizes.queries, step.keys = sizes.keys;
  step.scale = problem->scale, step.captures = problem->captures;
  ATTN_TRY(gradient->run(step, device.stream()));
  ATTN_TRY(products->output(ds, problem->key, gradients->query, first, count));
  return products->transposedOutput(ds, problem->query, gradients->key, first,
                                    count);
}

Result<void> MathCUDA::runBackward() {
  for (int64_t first = 0; chunk && first < pairs(); first += chunk) {
    int64_t count = std::min(chunk, pairs() - first);
    if (chunk != pairs())
      ATTN_TRY(computeWeights(first, count, problem->sizes.keys));
    ATTN_TRY(computeGradients(first, count));
  }
  return {};
}

void MathCUDA::finish() {
  scores = Buffer();
  probabilities = Buffer();
  ofProbabilities = Buffer();
  ofScores = Buffer();
  chunk = 0;
  seconds = 0;
}

std::string MathCUDA::remark() const {
  if (!chunk || chunk >= pairs() || problem->cache)
    return remarkOnPages(*problem);
  return "scores of " + std::to_string(chunk) + " of " +
         std::to_string(pairs()) + " heads at a time";
}

std::string MathCUDA::backwardRemark() const {
  std::string chunks = remark();
  return chunks.empty() ? "" : chunks + ", which it computes again";
}

} // namespace

std::unique_ptr<Backend> bench::createMathCUDA(Device &device) {
  return std::make_unique<MathCUDA>(device);
}
