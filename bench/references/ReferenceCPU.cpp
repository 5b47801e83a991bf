// The reference on the processor: attention by its definition, in f64, one head
// at a time so that memory is bounded by one score matrix.
#include "references/Reference.h"

#include "numerics/BLAS.h"
#include "numerics/Convert.h"
#include "numerics/Softmax.h"
#include "support/Parallel.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::bench;

/// One head of a tensor as a contiguous f64 matrix (positions x channels).
static void loadHead(std::vector<double> &to, const TensorView &from,
                     int64_t batch, int64_t head) {
  int64_t length = from.sizes[2], dim = from.sizes[3];
  to.resize(length * dim);
  parallelFor(length, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      toDouble(&to[i * dim], rowOf(from, batch, head, i), from.type, dim);
  });
}

Result<std::vector<float>> attn::bench::referenceCPU(Device &,
                                                     const Problem &problem) {
  const ProblemSizes &sizes = problem.sizes;
  int64_t m = sizes.queries;
  std::vector<float> result(sizes.batch * sizes.heads * m * sizes.valueDim,
                            0.f);
  if (m == 0 || sizes.keys == 0)
    return result;
  ATTN_TRY_ASSIGN(const SoftmaxKernel *softmax,
                  softmaxFor(*problem.mod, ElementType::F64));
  std::vector<double> query, key, value, out(m * sizes.valueDim);
  std::unique_ptr<double[]> scores(new (std::nothrow) double[m * sizes.keys]);
  if (!scores)
    return Error{"out of memory for one head's scores in f64"};
  int64_t group = sizes.heads / sizes.kvHeads;
  for (int64_t row = 0; row < sizes.batch * sizes.heads; ++row) {
    int64_t batch = row / sizes.heads, head = row % sizes.heads;
    // Keys that a sequence has not are left out, whatever the mod says of them.
    int64_t n = problem.keysOf(batch);
    if (n == 0)
      continue;
    loadHead(query, problem.query, batch, head);
    if (head % group == 0) {
      loadHead(key, firstPositions(problem.key, n), batch, head / group);
      loadHead(value, firstPositions(problem.value, n), batch, head / group);
    }
    referenceGemm(true, m, n, sizes.headDim, {query.data(), sizes.headDim},
                  {key.data(), sizes.headDim}, {scores.get(), n});
    ATTN_TRY(softmax->run(scores.get(), scores.get(), nullptr, row, 1,
                          sizes.heads, m, n, problem.scale, problem.captures));
    referenceGemm(false, m, sizes.valueDim, n, {scores.get(), n},
                  {value.data(), sizes.valueDim}, {out.data(), sizes.valueDim});
    std::copy(out.begin(), out.end(),
              result.begin() + row * m * sizes.valueDim);
  }
  return result;
}
