// Unfused attention on the processor: two OpenBLAS products around a softmax,
// with a score matrix in memory, and backward four around the softmax's
// gradient. For 16-bit types it computes as a framework's math backend does:
// scores, probabilities and their gradients are rounded to the element type.
#include "backends/Backend.h"

#include "numerics/BLAS.h"
#include "numerics/Convert.h"
#include "numerics/Softmax.h"
#include "support/Parallel.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::bench;

namespace {
class MathCPU final : public Backend {
public:
  explicit MathCPU(Device &device) : device(device) {}
  const char *name() const override { return "math"; }
  std::optional<Refusal> prepare(const Problem &) override;
  std::optional<Refusal> prepareBackward(const Gradients &) override;
  Result<void> run(Pass pass) override {
    return pass == Pass::Forward ? runForward() : runBackward();
  }
  void finish() override;
  std::string remark() const override { return remarkOnPages(*problem); }
  std::string backwardRemark() const override;

private:
  /// The scores and the probabilities of a (batch, head) pair; of those that
  /// forward leaves to backward, or of one at a time.
  struct Weights {
    const float *scores, *probabilities;
  };

  MatrixView<const float> head(std::vector<float> &storage,
                               const TensorView &from, int64_t batch,
                               int64_t head);
  Result<void> runForward();
  Result<void> runBackward();
  Result<void> addGradients(int64_t batch, int64_t h, MatrixView<const float> k,
                            MatrixView<const float> v);
  Result<void> computeWeights(int64_t batch, int64_t h,
                              MatrixView<const float> k, int64_t n, float *to,
                              float *probabilities);
  Result<Weights> weightsOf(int64_t batch, int64_t h,
                            MatrixView<const float> k);
  int64_t pairs() const { return problem->sizes.batch * problem->sizes.heads; }

  Device &device;
  const Problem *problem = nullptr;
  const BLAS *blas = nullptr;
  const SoftmaxKernel *softmax = nullptr;
  std::unique_ptr<float[]> scores;
  /// One head in f32, for 16-bit element types.
  std::vector<float> query, key, value, result;

  // Of the backward pass.
  const Gradients *gradients = nullptr;
  const SoftmaxGradientKernel *gradient = nullptr;
  /// What forward leaves behind, of all pairs; without the memory for that,
  /// probabilities of one pair, and backward computes both again.
  bool keeps = false;
  std::unique_ptr<float[]> keptScores, probabilities;
  std::unique_ptr<float[]> ofWeights; ///< a head's gradients of the matrix
  std::vector<float> gradOut, gradKey, gradValue; ///< a key-value head
};

/// Null where there is no memory.
std::unique_ptr<float[]> tryToAllocate(int64_t count) {
  return std::unique_ptr<float[]>(new (std::nothrow) float[count]);
}
} // namespace

std::optional<Refusal> MathCPU::prepare(const Problem &newProblem) {
  problem = &newProblem;
  Result<const BLAS *> loaded = BLAS::get();
  if (!loaded)
    return Refusal{Refusal::Unavailable, loaded.error()};
  blas = *loaded;
  Result<const SoftmaxKernel *> kernel =
      softmaxFor(*problem->mod, ElementType::F32);
  if (!kernel)
    return Refusal{Refusal::Failed, kernel.error()};
  softmax = *kernel;
  const ProblemSizes &sizes = problem->sizes;
  int64_t count = sizes.queries * sizes.keys;
  bool fits = count * int64_t(sizeof(float)) <= device.freeBytes();
  scores = fits ? tryToAllocate(count) : nullptr;
  if (!scores)
    return Refusal{Refusal::OutOfMemory, "no room for one head's scores"};
  result.resize(sizes.queries * sizes.valueDim);
  return std::nullopt;
}

/// One head as f32: in place if it is f32 already.
MatrixView<const float> MathCPU::head(std::vector<float> &storage,
                                      const TensorView &from, int64_t batch,
                                      int64_t head) {
  if (from.type == ElementType::F32)
    return {static_cast<const float *>(rowOf(from, batch, head, 0)),
            from.strides[2]};
  int64_t length = from.sizes[2], dim = from.sizes[3];
  storage.resize(length * dim);
  parallelFor(length, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      toFloat(&storage[i * dim], rowOf(from, batch, head, i), from.type, dim);
  });
  return {storage.data(), dim};
}

/// Writes one head from f32, whose rows adjoin.
static void storeHead(const float *from, const TensorView &out, int64_t batch,
                      int64_t head) {
  int64_t dim = out.sizes[3];
  parallelFor(out.sizes[2], 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      fromFloat(rowOf(out, batch, head, i), out.type, from + i * dim, dim);
  });
}

static void roundScores(ElementType type, float *values, int64_t count) {
  if (type == ElementType::F32)
    return;
  parallelFor(count, 1 << 16, [&](int64_t begin, int64_t end) {
    roundTo(type, values + begin, end - begin);
  });
}

/// The scores of a head and `n` keys into `to`, which may be the probabilities'
/// memory.
Result<void> MathCPU::computeWeights(int64_t batch, int64_t h,
                                     MatrixView<const float> k, int64_t n,
                                     float *to, float *probabilities) {
  const ProblemSizes &sizes = problem->sizes;
  int64_t m = sizes.queries;
  MatrixView<const float> q = head(query, problem->query, batch, h);
  blas->gemm(true, m, n, sizes.headDim, q, k, {to, n});
  roundScores(problem->type, to, m * n);
  ATTN_TRY(softmax->run(to, probabilities, nullptr, batch * sizes.heads + h, 1,
                        sizes.heads, m, n, problem->scale, problem->captures));
  roundScores(problem->type, probabilities, m * n);
  return {};
}

Result<void> MathCPU::runForward() {
  const ProblemSizes &sizes = problem->sizes;
  const TensorView &out = problem->out;
  int64_t m = sizes.queries;
  int64_t group = sizes.heads / sizes.kvHeads;
  if (m == 0)
    return {};
  MatrixView<const float> k{}, v{};
  for (int64_t row = 0; row < pairs(); ++row) {
    int64_t batch = row / sizes.heads, h = row % sizes.heads;
    int64_t n = problem->keysOf(batch);
    if (n == 0) {
      std::fill(result.begin(), result.end(), 0.f);
      storeHead(result.data(), out, batch, h);
      continue;
    }
    if (h % group == 0) {
      k = head(key, firstPositions(problem->key, n), batch, h / group);
      v = head(value, firstPositions(problem->value, n), batch, h / group);
    }
    ATTN_TRY(computeWeights(batch, h, k, n, scores.get(), scores.get()));
    bool direct = out.type == ElementType::F32;
    MatrixView<float> o{result.data(), sizes.valueDim};
    if (direct)
      o = {static_cast<float *>(rowOf(out, batch, h, 0)), out.strides[2]};
    blas->gemm(false, m, sizes.valueDim, n, {scores.get(), n}, v, o);
    if (!direct)
      storeHead(result.data(), out, batch, h);
  }
  return {};
}

std::optional<Refusal> MathCPU::prepareBackward(const Gradients &wanted) {
  gradients = &wanted;
  Result<const SoftmaxGradientKernel *> kernel =
      softmaxGradientFor(*problem->mod, Target::CPU, ElementType::F32);
  if (!kernel)
    return Refusal{Refusal::Failed, kernel.error()};
  gradient = *kernel;
  const ProblemSizes &sizes = problem->sizes;
  int64_t count = sizes.queries * sizes.keys;
  if (count * pairs() == 0)
    return std::nullopt;
  int64_t free = device.freeBytes() / int64_t(sizeof(float));
  int64_t matrices = gradient->readsScores() ? 2 : 1;
  keeps = count * pairs() * matrices <= free / 2;
  probabilities = tryToAllocate(keeps ? count * pairs() : count);
  if (keeps && gradient->readsScores())
    keptScores = tryToAllocate(count * pairs());
  ofWeights = tryToAllocate(count);
  if (!probabilities || !ofWeights ||
      (keeps && gradient->readsScores() && !keptScores))
    return Refusal{Refusal::OutOfMemory, "no room for the scores' gradients"};
  result.resize(sizes.queries * std::max(sizes.headDim, sizes.valueDim));
  gradKey.resize(sizes.keys * sizes.headDim);
  gradValue.resize(sizes.keys * sizes.valueDim);
  int64_t group = sizes.heads / sizes.kvHeads;
  for (int64_t row = 0; keeps && row < pairs(); ++row) {
    int64_t batch = row / sizes.heads, h = row % sizes.heads;
    float *to = keptScores ? &keptScores[row * count] : scores.get();
    Result<void> ran =
        computeWeights(batch, h, head(key, problem->key, batch, h / group),
                       sizes.keys, to, &probabilities[row * count]);
    if (!ran)
      return Refusal{Refusal::Failed, ran.error()};
  }
  return std::nullopt;
}

Result<MathCPU::Weights> MathCPU::weightsOf(int64_t batch, int64_t h,
                                            MatrixView<const float> k) {
  const ProblemSizes &sizes = problem->sizes;
  int64_t count = sizes.queries * sizes.keys, row = batch * sizes.heads + h;
  if (keeps)
    return Weights{keptScores ? &keptScores[row * count] : nullptr,
                   &probabilities[row * count]};
  ATTN_TRY(computeWeights(batch, h, k, sizes.keys, scores.get(),
                          probabilities.get()));
  return Weights{scores.get(), probabilities.get()};
}

/// Writes the gradient of a query head, and adds to those of its key-value
/// head.
Result<void> MathCPU::addGradients(int64_t batch, int64_t h,
                                   MatrixView<const float> k,
                                   MatrixView<const float> v) {
  const ProblemSizes &sizes = problem->sizes;
  int64_t m = sizes.queries, n = sizes.keys;
  int64_t d = sizes.headDim, dv = sizes.valueDim;
  bool isFirst = h % (sizes.heads / sizes.kvHeads) == 0;
  ATTN_TRY_ASSIGN(Weights weights, weightsOf(batch, h, k));
  MatrixView<const float> dout = head(gradOut, gradients->out, batch, h);
  MatrixView<const float> p{weights.probabilities, n};
  MatrixView<float> ds{ofWeights.get(), n};
  blas->gemmTransposed(!isFirst, n, dv, m, p, dout, {gradValue.data(), dv});
  blas->gemm(true, m, n, dv, dout, v, ds);
  roundScores(problem->type, ds.data, m * n);
  SoftmaxGradientArguments step;
  step.scores = weights.scores, step.probabilities = weights.probabilities;
  step.gradProbabilities = step.gradScores = ds.data;
  step.first = batch * sizes.heads + h, step.count = 1;
  step.heads = sizes.heads, step.queries = m, step.keys = n;
  step.scale = problem->scale, step.captures = problem->captures;
  ATTN_TRY(gradient->run(step));
  roundScores(problem->type, ds.data, m * n);
  MatrixView<const float> q = head(query, problem->query, batch, h);
  MatrixView<const float> left{ds.data, n};
  blas->gemm(false, m, d, n, left, k, {result.data(), d});
  storeHead(result.data(), gradients->query, batch, h);
  blas->gemmTransposed(!isFirst, n, d, m, left, q, {gradKey.data(), d});
  return {};
}

Result<void> MathCPU::runBackward() {
  const ProblemSizes &sizes = problem->sizes;
  if (pairs() == 0)
    return {};
  if (sizes.queries * sizes.keys == 0) {
    for (const TensorView *view :
         {&gradients->query, &gradients->key, &gradients->value}) {
      std::vector<float> zeros(view->sizes[2] * view->sizes[3]);
      for (int64_t i = 0; i < view->sizes[0] * view->sizes[1]; ++i)
        storeHead(zeros.data(), *view, i / view->sizes[1], i % view->sizes[1]);
    }
    return {};
  }
  int64_t group = sizes.heads / sizes.kvHeads;
  for (int64_t pair = 0; pair < sizes.batch * sizes.kvHeads; ++pair) {
    int64_t batch = pair / sizes.kvHeads, kvHead = pair % sizes.kvHeads;
    MatrixView<const float> k = head(key, problem->key, batch, kvHead);
    MatrixView<const float> v = head(value, problem->value, batch, kvHead);
    for (int64_t h = kvHead * group; h < (kvHead + 1) * group; ++h)
      ATTN_TRY(addGradients(batch, h, k, v));
    storeHead(gradKey.data(), gradients->key, batch, kvHead);
    storeHead(gradValue.data(), gradients->value, batch, kvHead);
  }
  return {};
}

std::string MathCPU::backwardRemark() const {
  return probabilities && !keeps ? "computes the scores again" : "";
}

void MathCPU::finish() {
  scores.reset();
  query = key = value = result = {};
  probabilities.reset(), keptScores.reset(), ofWeights.reset();
  gradOut = gradKey = gradValue = {};
  keeps = false;
}

std::unique_ptr<Backend> attn::bench::createMathCPU(Device &device) {
  return std::make_unique<MathCPU>(device);
}
