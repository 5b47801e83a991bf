// With P the probabilities and t = score_mod(s), s = scale Q K^T:
//   dV = P^T dO,  dP = dO V^T,  dT = P (dP - rowsum(P dP)),
//   dS = dT t'(s),  dQ = scale dS K,  dK = scale dS^T Q,
// and a captured value's is the sum of dT times the derivative of t by it.
//
// Kernels make rowsum(P dP) as rowsum(dO O) of an output that is rounded. Where
// one key has nearly all of a row's weight, dP - rowsum(P dP) is next to zero,
// and that rounding is all that is left: it is followed through the derivative
// to dQ and dK, as errors of their own.
#include "references/GradientReference.h"

#include "numerics/BLAS.h"
#include "numerics/Convert.h"
#include "numerics/Softmax.h"
#include "support/Parallel.h"

#include "attn/API/Gradient.h"
#include "attn/Support/Try.h"

#include <cmath>
#include <functional>

using namespace attn;
using namespace attn::bench;

/// Multiplications and additions that a run may spend on the reference of one
/// case; at least one head is computed if it costs no more than the second.
static constexpr double budget = 4e10, most = 3e11;

namespace {

using Matrix = std::vector<double>;

/// One head of a view in device memory, as f64 (positions x channels).
Result<Matrix> loadHead(Device &device, const TensorView &view, int64_t batch,
                        int64_t head) {
  int64_t length = view.sizes[2], dim = view.sizes[3];
  int64_t span = (length - 1) * view.strides[2] + dim;
  std::vector<std::byte> bytes(span * byteWidth(view.type));
  ATTN_TRY(
      device.copyOut(bytes.data(), rowOf(view, batch, head, 0), bytes.size()));
  Matrix matrix(length * dim);
  for (int64_t i = 0; i < length; ++i)
    toDouble(&matrix[i * dim],
             bytes.data() + i * view.strides[2] * byteWidth(view.type),
             view.type, dim);
  return matrix;
}

Matrix transposed(const Matrix &matrix, int64_t rows, int64_t columns) {
  Matrix result(matrix.size());
  parallelFor(columns, 16, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j)
      for (int64_t i = 0; i < rows; ++i)
        result[j * rows + i] = matrix[i * columns + j];
  });
  return result;
}

/// The largest magnitude of each row.
Matrix largestOfRows(const Matrix &matrix, int64_t rows, int64_t columns) {
  Matrix result(rows);
  parallelFor(rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = i * columns; j < (i + 1) * columns; ++j)
        result[i] = std::max(result[i], std::fabs(matrix[j]));
  });
  return result;
}

/// The largest magnitude of `values`, if it is larger than `largest`.
void raise(double &largest, const Matrix &values) {
  for (double value : values)
    largest = std::max(largest, std::fabs(value));
}

void add(Matrix &to, const Matrix &from) {
  for (size_t i = 0; i < to.size(); ++i)
    to[i] += from[i];
}

/// Computes heads of one problem. Captured tables are the host's copies.
struct HeadGradients {
  Device &device;
  const Problem &problem;
  const TensorView &gradOut;
  const SoftmaxKernel &softmax;
  const ScoreGradient &derivative;
  std::vector<CaptureView> captures;
  std::vector<CaptureAdditions> &additions;
  /// What rounding the output may make of dQ and dK, largest of all elements.
  double &queryRounding, &keyRounding;

  /// dS from the scores (not yet scaled), with P left in `probabilities`.
  Result<Matrix> scoreGradient(const Matrix &scores, Matrix &probabilities,
                               const Matrix &out, const Matrix &value,
                               int64_t row) const {
    const ProblemSizes &s = problem.sizes;
    int64_t m = s.queries, n = s.keys;
    ATTN_TRY(softmax.run(scores.data(), probabilities.data(), nullptr, row, 1,
                         s.heads, m, n, problem.scale, captures));
    Matrix gradient(m * n);
    referenceGemm(true, m, n, s.valueDim, {out.data(), s.valueDim},
                  {value.data(), s.valueDim}, {gradient.data(), n});
    forEachRow([&](int64_t i) {
      ofResultOfScore(&gradient[i * n], &probabilities[i * n]);
    });
    ATTN_TRY(throughMod(scores, probabilities, gradient, row, &additions));
    return gradient;
  }

  /// From dT to dS, in place.
  Result<void> throughMod(const Matrix &scores, const Matrix &probabilities,
                          Matrix &gradient, int64_t row,
                          std::vector<CaptureAdditions> *sums) const {
    const ProblemSizes &s = problem.sizes;
    int64_t n = s.keys;
    ATTN_TRY(derivative.run(scores.data(), gradient.data(), row, 1, s.heads,
                            s.queries, n, problem.scale, captures, sums));
    forEachRow([&](int64_t i) {
      for (int64_t j = i * n; j < (i + 1) * n; ++j)
        // What the mask drops has any derivative.
        gradient[j] = probabilities[j] == 0 ? 0 : gradient[j] * problem.scale;
    });
    return {};
  }

  /// What rounding the output makes of dS: that of rowsum(dO O), three times
  /// its standard deviation, times the weight of the pair.
  Result<Matrix> scoreRounding(const Matrix &scores,
                               const Matrix &probabilities, const Matrix &out,
                               const Matrix &value, int64_t row) const {
    const ProblemSizes &s = problem.sizes;
    int64_t m = s.queries, n = s.keys, dv = s.valueDim;
    Matrix output(m * dv);
    referenceGemm(false, m, dv, n, {probabilities.data(), n},
                  {value.data(), dv}, {output.data(), dv});
    Matrix rounding(m * n);
    forEachRow([&](int64_t i) {
      double squares = 0;
      for (int64_t c = i * dv; c < (i + 1) * dv; ++c)
        squares += out[c] * output[c] * out[c] * output[c];
      double sum = std::sqrt(3 * squares) * unitRoundoff(problem.type);
      for (int64_t j = i * n; j < (i + 1) * n; ++j)
        rounding[j] = probabilities[j] * sum;
    });
    ATTN_TRY(throughMod(scores, probabilities, rounding, row, nullptr));
    return rounding;
  }

  /// Adds a query head's part of what rounding makes of dQ, in one direction
  /// for all keys of a row, and of dK, by chance from row to row: the squares
  /// of the latter.
  void followRounding(const Matrix &rounding, const Matrix &query,
                      const Matrix &key, Matrix &keySquares) const {
    const ProblemSizes &s = problem.sizes;
    int64_t m = s.queries, n = s.keys;
    Matrix ofQuery = largestOfRows(query, m, s.headDim);
    Matrix ofKey = largestOfRows(key, n, s.headDim);
    Matrix rows(m);
    forEachRow([&](int64_t i) {
      for (int64_t j = 0; j < n; ++j)
        rows[i] += std::fabs(rounding[i * n + j]) * ofKey[j];
    });
    raise(queryRounding, rows);
    parallelFor(n, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = begin; j < end; ++j) {
          double part = rounding[i * n + j] * ofQuery[i];
          keySquares[j] += part * part;
        }
    });
  }

  void forEachRow(const std::function<void(int64_t row)> &visit) const {
    parallelFor(problem.sizes.queries, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        visit(i);
    });
  }

  /// From dP to dT, in place.
  void ofResultOfScore(double *gradient, const double *p) const {
    int64_t n = problem.sizes.keys;
    double sum = 0;
    for (int64_t j = 0; j < n; ++j)
      sum += p[j] * gradient[j];
    for (int64_t j = 0; j < n; ++j)
      gradient[j] = p[j] * (gradient[j] - sum);
  }

  /// The gradients of one key-value head and its query heads.
  Result<void> compute(int64_t batch, int64_t kvHead, Matrix &dQuery,
                       Matrix &dKey, Matrix &dValue) const {
    const ProblemSizes &s = problem.sizes;
    int64_t m = s.queries, n = s.keys, d = s.headDim, dv = s.valueDim;
    ATTN_TRY_ASSIGN(Matrix key, loadHead(device, problem.key, batch, kvHead));
    ATTN_TRY_ASSIGN(Matrix value,
                    loadHead(device, problem.value, batch, kvHead));
    dKey.assign(n * d, 0);
    dValue.assign(n * dv, 0);
    int64_t group = s.heads / s.kvHeads;
    Matrix scores(m * n), probabilities(m * n), part(m * d), keySquares(n);
    for (int64_t head = kvHead * group; head < (kvHead + 1) * group; ++head) {
      ATTN_TRY_ASSIGN(Matrix query,
                      loadHead(device, problem.query, batch, head));
      ATTN_TRY_ASSIGN(Matrix out, loadHead(device, gradOut, batch, head));
      referenceGemm(true, m, n, d, {query.data(), d}, {key.data(), d},
                    {scores.data(), n});
      ATTN_TRY_ASSIGN(Matrix ds, scoreGradient(scores, probabilities, out,
                                               value, batch * s.heads + head));
      ATTN_TRY_ASSIGN(Matrix rounding,
                      scoreRounding(scores, probabilities, out, value,
                                    batch * s.heads + head));
      followRounding(rounding, query, key, keySquares);
      referenceGemm(false, m, d, n, {ds.data(), n}, {key.data(), d},
                    {part.data(), d});
      dQuery.insert(dQuery.end(), part.begin(), part.end());
      Matrix partKey(n * d), partValue(n * dv);
      Matrix turned = transposed(ds, m, n);
      referenceGemm(false, n, d, m, {turned.data(), m}, {query.data(), d},
                    {partKey.data(), d});
      add(dKey, partKey);
      turned = transposed(probabilities, m, n);
      referenceGemm(false, n, dv, m, {turned.data(), m}, {out.data(), dv},
                    {partValue.data(), dv});
      add(dValue, partValue);
    }
    for (double squares : keySquares)
      keyRounding = std::max(keyRounding, std::sqrt(squares));
    return {};
  }
};

} // namespace

/// The largest error that rounding may make of what a capture's elements are
/// summed from. In a query's row it is in one direction for all keys, and by
/// chance from row to row: errors of rows add up as the root of their number
/// does, and an element to which `counts` pairs add has met at least as many
/// rows as these fill.
static double largestSum(const CaptureAdditions &additions, double keys) {
  double largest = 0;
  for (size_t i = 0; i < additions.sums.size(); ++i) {
    double rows = std::max(1.0, additions.counts[i] / keys);
    largest = std::max(largest, additions.magnitudes[i] / std::sqrt(rows));
  }
  return largest;
}

Result<GradientReference>
GradientReference::compute(Device &device, const Problem &problem,
                           const TensorView &gradOut,
                           const std::vector<std::string> &names) {
  GradientReference reference;
  const ProblemSizes &s = problem.sizes;
  int64_t count = s.batch * s.kvHeads, group = s.heads / s.kvHeads;
  double each =
      2.0 * group * s.queries * s.keys * (3.0 * s.headDim + 3.0 * s.valueDim);
  double bytes = 5 * 8.0 * s.queries * s.keys;
  std::unique_ptr<Device> host = createCPUDevice();
  int64_t wanted = count;
  if (each * double(count) > budget)
    wanted = std::min<int64_t>(count, std::max(1.0, budget / each));
  // All heads add to captured values, whose gradients may be large.
  std::vector<std::string> captures;
  if (wanted == count)
    captures = names;
  Result<ScoreGradient> derivative =
      ScoreGradient::compile(*problem.mod, captures);
  if (!derivative)
    reference.reason = derivative.error();
  else if (each > most || bytes > double(host->freeBytes()))
    reference.reason = "one head is too large for the reference gradients";
  if (!reference.reason.empty() || count == 0 || s.queries == 0 || s.keys == 0)
    return reference;
  ATTN_TRY_ASSIGN(const SoftmaxKernel *softmax,
                  softmaxFor(*problem.mod, ElementType::F64));
  std::vector<CaptureAdditions> additions;
  double largest[3] = {}, rounding[3] = {};
  HeadGradients heads{device,    problem,     gradOut,
                      *softmax,  *derivative, viewsOf(*problem.hostCaptures),
                      additions, rounding[0], rounding[1]};
  for (int64_t i = 0; i < wanted; ++i) {
    // Spread evenly, the first and the last among them.
    int64_t index = wanted > 1 ? i * (count - 1) / (wanted - 1) : count - 1;
    Head head{index / s.kvHeads, index % s.kvHeads, {}, {}, {}};
    ATTN_TRY(heads.compute(head.batch, head.kvHead, head.query, head.key,
                           head.value));
    raise(largest[0], head.query);
    raise(largest[1], head.key);
    raise(largest[2], head.value);
    reference.heads.push_back(std::move(head));
  }
  // Probabilities, their gradients and the results are rounded to the element
  // type; f32 loses of scores as large as the positions that a mod adds.
  double share =
      8 * unitRoundoff(problem.type) + 0x1p-16 +
      4 * unitRoundoff(ElementType::F32) * double(std::max(s.queries, s.keys));
  for (int i = 0; i < 3; ++i)
    reference.bounds[i] = share * largest[i] + rounding[i] + 1e-6;
  if (wanted < count) {
    reference.note = std::to_string(wanted) + " of " + std::to_string(count) +
                     " key-value heads were checked";
    return reference;
  }
  for (size_t i = 0; i < captures.size(); ++i)
    reference.captures.push_back(
        {captures[i], additions[i].sums,
         share * largestSum(additions[i], double(s.keys)) + 1e-6});
  return reference;
}

/// The largest difference between a head of `view` and f64 values.
static double differenceOf(const TensorView &view, int64_t batch, int64_t head,
                           const double *expected) {
  int64_t length = view.sizes[2], dim = view.sizes[3];
  std::vector<double> row(dim);
  double worst = 0;
  for (int64_t i = 0; i < length; ++i) {
    toDouble(row.data(), rowOf(view, batch, head, i), view.type, dim);
    for (int64_t c = 0; c < dim; ++c) {
      double difference = std::fabs(row[c] - expected[i * dim + c]);
      if (!(difference <= worst)) // also for a NaN, which stays
        worst = difference;
      if (std::isnan(worst))
        return worst;
    }
  }
  return worst;
}

GradientError GradientReference::compare(const Gradients &results) const {
  GradientError worst;
  auto meetBound = [&](double error, double bound, const std::string &of) {
    double share = error / bound;
    if (std::isnan(worst.share) || share <= worst.share)
      return;
    worst = {share, error, bound, of};
  };
  auto meet = [&](double error, int which) {
    static const char *const names[] = {"dQ", "dK", "dV"};
    meetBound(error, bounds[which], names[which]);
  };
  for (const Head &head : heads) {
    int64_t group = results.query.sizes[1] / results.key.sizes[1];
    int64_t each = results.query.sizes[2] * results.query.sizes[3];
    for (int64_t i = 0; i < group; ++i)
      meet(differenceOf(results.query, head.batch, head.kvHead * group + i,
                        &head.query[i * each]),
           0);
    meet(differenceOf(results.key, head.batch, head.kvHead, head.key.data()),
         1);
    meet(
        differenceOf(results.value, head.batch, head.kvHead, head.value.data()),
        2);
  }
  for (const CaptureGradient &result : results.captures)
    for (const Capture &capture : captures)
      for (int64_t i = 0; capture.name == result.name && i < result.count; ++i)
        meetBound(std::fabs(result.data[i] - capture.gradient[i]),
                  capture.bound, "d" + capture.name);
  return worst;
}
