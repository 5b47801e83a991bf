// The result that GPU backends are compared with. Unfused, and in f32 from the
// first product on: products of two 16-bit numbers are exact in f32, and the
// probabilities stay f32, for which V is converted. f32 inputs are multiplied
// as f32, never as tf32.
#include "references/Reference.h"

#include "devices/Tensors.h"
#include "numerics/Convert.h"
#include "numerics/CublasAttention.h"
#include "numerics/Softmax.h"

#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;
using namespace attn::bench;

/// Elements between a view's first and last one, both included.
static int64_t spanOf(const TensorView &view) {
  int64_t last = 0;
  for (int i = 0; i < 4; ++i) {
    if (view.sizes[i] == 0)
      return 0;
    last += (view.sizes[i] - 1) * (i < 3 ? view.strides[i] : 1);
  }
  return last + 1;
}

/// A copy of `view` in f32 with the same strides; `memory` owns it.
static Result<TensorView> convertedToF32(Device &device, const TensorView &view,
                                         Buffer &memory) {
  int64_t span = spanOf(view);
  std::vector<std::byte> narrow(span * byteWidth(view.type));
  ATTN_TRY(device.copyOut(narrow.data(), view.data,
                          static_cast<int64_t>(narrow.size())));
  std::vector<float> wide(span);
  toFloat(wide.data(), narrow.data(), view.type, span);
  ATTN_TRY_ASSIGN(Buffer copy, Buffer::create(device, span * 4));
  ATTN_TRY(device.copyIn(copy.data(), wide.data(), span * 4));
  memory = std::move(copy);
  TensorView result = view;
  result.data = memory.data();
  result.type = ElementType::F32;
  return result;
}

Result<std::vector<float>> bench::referenceCUDA(Device &device,
                                                const Problem &problem) {
  const ProblemSizes &sizes = problem.sizes;
  int64_t pairs = sizes.batch * sizes.heads;
  int64_t each = sizes.queries * sizes.valueDim; // of the result
  int64_t elements = sizes.queries * sizes.keys; // of the scores
  std::vector<float> result(pairs * each, 0.f);
  if (result.empty() || elements == 0)
    return result;

  for (const TensorView *view : {&problem.query, &problem.key, &problem.value})
    if (std::string reason = CublasAttention::refusal(*view); !reason.empty())
      return Error{reason};
  ATTN_TRY_ASSIGN(CublasAttention products,
                  CublasAttention::create(device.stream()));
  ATTN_TRY_ASSIGN(const SoftmaxKernel *softmax,
                  softmaxFor(*problem.mod, Target::CUDA, ElementType::F32,
                             ElementType::F32));

  Buffer valueMemory;
  TensorView value = problem.value;
  if (value.type != ElementType::F32) {
    ATTN_TRY_ASSIGN(value, convertedToF32(device, value, valueMemory));
  }

  int64_t chunk = std::clamp<int64_t>(
      device.freeBytes() / 2 / (4 * (elements + each)), 1, pairs);
  ATTN_TRY_ASSIGN(Buffer scores, Buffer::create(device, chunk * elements * 4));
  ATTN_TRY_ASSIGN(Buffer rows, Buffer::create(device, chunk * each * 4));
  // Pair `first` of the chunk lies at the start of `rows`, and the result has
  // no stride between batches other than its heads.
  TensorView out{nullptr,
                 ElementType::F32,
                 {sizes.batch, sizes.heads, sizes.queries, sizes.valueDim},
                 {sizes.heads * each, each, sizes.valueDim}};

  auto *s = static_cast<float *>(scores.data());
  for (int64_t first = 0, count; first < pairs; first += count) {
    int64_t batch = first / sizes.heads, keys = problem.keysOf(batch);
    int64_t end = problem.cache ? (batch + 1) * sizes.heads : pairs;
    count = std::min(chunk, end - first);
    if (keys == 0)
      continue; // The result is zero.
    out.data = static_cast<float *>(rows.data()) - first * each;
    ATTN_TRY(products.scores(problem.query, firstPositions(problem.key, keys),
                             first, count, s));
    ATTN_TRY(softmax->run(s, s, /*lse=*/nullptr, first, count, sizes.heads,
                          sizes.queries, keys, problem.scale, problem.captures,
                          device.stream()));
    ATTN_TRY(
        products.output(s, firstPositions(value, keys), out, first, count));
    ATTN_TRY(device.copyOut(result.data() + first * each, rows.data(),
                            count * each * 4));
  }
  return result;
}
