// Unfused attention on the processor: two OpenBLAS products around a softmax,
// with a score matrix in memory. For 16-bit types it computes as a framework's
// math backend does: scores and probabilities are rounded to the element type.
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
  Result<void> run(Pass) override;
  void finish() override;

private:
  MatrixView<const float> head(std::vector<float> &storage,
                               const TensorView &from, int64_t batch,
                               int64_t head);
  void storeHead(const TensorView &out, int64_t batch, int64_t head);

  Device &device;
  const Problem *problem = nullptr;
  const BLAS *blas = nullptr;
  const SoftmaxKernel *softmax = nullptr;
  std::unique_ptr<float[]> scores;
  /// One head in f32, for 16-bit element types.
  std::vector<float> query, key, value, result;
};
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
  scores.reset(fits ? new (std::nothrow) float[count] : nullptr);
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

void MathCPU::storeHead(const TensorView &out, int64_t batch, int64_t head) {
  int64_t dim = out.sizes[3];
  parallelFor(out.sizes[2], 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      fromFloat(rowOf(out, batch, head, i), out.type, &result[i * dim], dim);
  });
}

static void roundScores(ElementType type, float *values, int64_t count) {
  if (type == ElementType::F32)
    return;
  parallelFor(count, 1 << 16, [&](int64_t begin, int64_t end) {
    roundTo(type, values + begin, end - begin);
  });
}

Result<void> MathCPU::run(Pass) {
  const ProblemSizes &sizes = problem->sizes;
  const TensorView &out = problem->out;
  int64_t m = sizes.queries, n = sizes.keys;
  int64_t group = sizes.heads / sizes.kvHeads;
  if (m == 0)
    return {};
  if (n == 0)
    std::fill(result.begin(), result.end(), 0.f);
  MatrixView<const float> k{}, v{};
  for (int64_t row = 0; row < sizes.batch * sizes.heads; ++row) {
    int64_t batch = row / sizes.heads, h = row % sizes.heads;
    if (n == 0) {
      storeHead(out, batch, h);
      continue;
    }
    MatrixView<const float> q = head(query, problem->query, batch, h);
    if (h % group == 0) {
      k = head(key, problem->key, batch, h / group);
      v = head(value, problem->value, batch, h / group);
    }
    blas->gemm(true, m, n, sizes.headDim, q, k, {scores.get(), n});
    roundScores(problem->type, scores.get(), m * n);
    ATTN_TRY(softmax->run(scores.get(), scores.get(), nullptr, row, 1,
                          sizes.heads, m, n, problem->scale,
                          problem->captures));
    roundScores(problem->type, scores.get(), m * n);
    bool direct = out.type == ElementType::F32;
    MatrixView<float> o{result.data(), sizes.valueDim};
    if (direct)
      o = {static_cast<float *>(rowOf(out, batch, h, 0)), out.strides[2]};
    blas->gemm(false, m, sizes.valueDim, n, {scores.get(), n}, v, o);
    if (!direct)
      storeHead(out, batch, h);
  }
  return {};
}

void MathCPU::finish() {
  scores.reset();
  query = key = value = result = {};
}

std::unique_ptr<Backend> attn::bench::createMathCPU(Device &device) {
  return std::make_unique<MathCPU>(device);
}
