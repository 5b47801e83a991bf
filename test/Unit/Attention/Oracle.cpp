// See Oracle.h.
#include "Oracle.h"

#include "numerics/Convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace attn;
using namespace attn::test;

static constexpr double infinity = std::numeric_limits<double>::infinity();

static bool causal(int, int, int q, int kv) { return q >= kv; }

Oracle attn::test::oracleOf(const std::string &pattern,
                            const ProblemSizes &sizes,
                            const std::vector<CaptureData> &captures) {
  Oracle oracle;
  if (pattern == "causal")
    oracle.mask = causal;
  if (pattern == "rel")
    oracle.score = [](double s, int, int, int q, int kv) {
      return s + (q - kv);
    };
  if (pattern == "head_bias")
    oracle.score = [](double s, int, int h, int, int) { return s + 2 * h; };
  if (pattern == "alibi") {
    double heads = sizes.heads;
    oracle.score = [heads](double s, int, int h, int q, int kv) {
      // The slopes are captured as f32.
      float slope = std::exp2(-8.0f * (h + 1) / static_cast<float>(heads));
      return s + (kv - q) * static_cast<double>(slope);
    };
    oracle.mask = causal;
  }
  if (pattern == "sliding_window")
    oracle.mask = [](int, int, int q, int kv) {
      return q >= kv && q - kv <= 512;
    };
  if (pattern == "document_mask") {
    std::vector<int32_t> documents(captures[0].bytes.size() / 4);
    std::copy(captures[0].bytes.begin(), captures[0].bytes.end(),
              reinterpret_cast<std::byte *>(documents.data()));
    oracle.mask = [documents](int, int, int q, int kv) {
      return documents[q] == documents[kv] && q >= kv;
    };
  }
  if (pattern == "prefix_lm")
    oracle.mask = [](int, int, int q, int kv) { return kv < 512 || q >= kv; };
  if (pattern == "softcap") {
    oracle.score = [](double s, int, int, int, int) {
      return 50 * std::tanh(s / 50);
    };
    oracle.mask = causal;
  }
  return oracle;
}

namespace {
/// One query row, in f64 and as the element type would have it.
class Row {
public:
  Row(const Inputs &in, const Oracle &oracle, ElementType type)
      : in(in), oracle(oracle), type(type), n(in.sizes.keys), score(n),
        weight(n), rounded(n) {}

  void evaluate(int b, int h, int q, double *out, double *lse,
                Expected &errors);

private:
  void scores(int b, int h, int q, const double *query, const double *keys);
  void weights(double *lse);

  const Inputs &in;
  const Oracle &oracle;
  ElementType type;
  int64_t n;
  std::vector<double> score, weight;
  std::vector<float> rounded;
};
} // namespace

void Row::scores(int b, int h, int q, const double *query, const double *keys) {
  int64_t d = in.sizes.headDim;
  for (int64_t j = 0; j < n; ++j) {
    double dot = 0;
    float dot32 = 0;
    for (int64_t c = 0; c < d; ++c) {
      dot += query[c] * keys[j * d + c];
      dot32 +=
          static_cast<float>(query[c]) * static_cast<float>(keys[j * d + c]);
    }
    rounded[j] = dot32 * static_cast<float>(in.scale);
    score[j] = dot * in.scale;
  }
  bench::roundTo(type, rounded.data(), n);
  for (int64_t j = 0; j < n; ++j) {
    if (oracle.score) {
      score[j] = oracle.score(score[j], b, h, q, j);
      rounded[j] = oracle.score(rounded[j], b, h, q, j);
    }
    if (oracle.mask && !oracle.mask(b, h, q, j))
      score[j] = rounded[j] = -infinity;
  }
}

void Row::weights(double *lse) {
  double maximum = -infinity, sum = 0;
  float maximum32 = -infinity, sum32 = 0;
  for (int64_t j = 0; j < n; ++j) {
    maximum = std::fmax(maximum, score[j]);
    maximum32 = std::fmax(maximum32, rounded[j]);
  }
  for (int64_t j = 0; j < n; ++j) {
    weight[j] = score[j] == -infinity ? 0 : std::exp(score[j] - maximum);
    sum += weight[j];
    rounded[j] = rounded[j] == -infinity ? 0 : std::exp(rounded[j] - maximum32);
    sum32 += rounded[j];
  }
  for (int64_t j = 0; j < n && sum != 0; ++j) {
    weight[j] /= sum;
    rounded[j] /= sum32;
  }
  bench::roundTo(type, rounded.data(), n);
  *lse = sum == 0 ? -infinity : maximum + std::log(sum);
}

void Row::evaluate(int b, int h, int q, double *out, double *lse,
                   Expected &errors) {
  const ProblemSizes &s = in.sizes;
  int64_t kvHead = b * s.kvHeads + h / (s.heads / s.kvHeads);
  int64_t row = (b * s.heads + h) * s.queries + q;
  scores(b, h, q, &in.query[row * s.headDim],
         in.key.data() + kvHead * n * s.headDim);
  for (double x : score)
    if (std::isfinite(x))
      errors.largestScore = std::fmax(errors.largestScore, std::fabs(x));
  weights(lse);
  const double *values = in.value.data() + kvHead * n * s.valueDim;
  std::vector<float> out32(s.valueDim, 0.0f);
  std::fill_n(out, s.valueDim, 0.0);
  for (int64_t j = 0; j < n; ++j) {
    // What is masked out contributes nothing, whatever its value is.
    if (weight[j] == 0)
      continue;
    for (int64_t c = 0; c < s.valueDim; ++c) {
      out[c] += weight[j] * values[j * s.valueDim + c];
      out32[c] += rounded[j] * static_cast<float>(values[j * s.valueDim + c]);
    }
  }
  bench::roundTo(type, out32.data(), s.valueDim);
  for (int64_t c = 0; c < s.valueDim; ++c)
    if (std::isfinite(out[c]))
      errors.roundedError =
          std::fmax(errors.roundedError, std::fabs(out32[c] - out[c]));
}

Expected attn::test::evaluate(const Inputs &in, const Oracle &oracle,
                              ElementType type) {
  const ProblemSizes &s = in.sizes;
  Expected result;
  int64_t rows = s.batch * s.heads * s.queries;
  result.out.resize(rows * s.valueDim);
  result.lse.resize(rows);
  Row row(in, oracle, type);
  for (int64_t b = 0, i = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t q = 0; q < s.queries; ++q, ++i)
        row.evaluate(b, h, q, &result.out[i * s.valueDim], &result.lse[i],
                     result);
  return result;
}
