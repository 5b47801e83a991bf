// The softmax of materialised scores and its gradients, which references and
// the unfused peer use, against their definitions.
#include "Harness.h"
#include "Oracle.h"
#include "numerics/Convert.h"

#include "attn/API/SoftmaxGradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace attn;
using namespace attn::test;

namespace {
struct Problem {
  ProblemSizes sizes{2, 3, 3, 21, 37, 1, 1, 2};
  int64_t first = 1, count = 4; // of 6 (batch, head) pairs
  double scale = 0.3;
  std::vector<double> scores, probabilities, lse;

  explicit Problem(const Oracle &oracle) {
    std::mt19937 generator(7);
    std::normal_distribution<float> normal(0, 4);
    int64_t n = sizes.keys, rows = count * sizes.queries;
    scores.resize(rows * n);
    for (double &s : scores)
      s = normal(generator);
    probabilities.resize(scores.size());
    lse.resize(rows);
    for (int64_t row = 0; row < rows; ++row)
      evaluate(oracle, row);
  }

  void evaluate(const Oracle &oracle, int64_t row) {
    int64_t n = sizes.keys, bh = first + row / sizes.queries;
    double sum = 0;
    for (int64_t j = 0; j < n; ++j) {
      int b = bh / sizes.heads, h = bh % sizes.heads, q = row % sizes.queries;
      double t = scores[row * n + j] * scale;
      if (oracle.score)
        t = oracle.score(t, b, h, q, j);
      bool keep = !oracle.mask || oracle.mask(b, h, q, j);
      sum += probabilities[row * n + j] = keep ? std::exp(t) : 0;
    }
    for (int64_t j = 0; j < n && sum != 0; ++j)
      probabilities[row * n + j] /= sum;
    lse[row] = std::log(sum);
  }
};
} // namespace

/// Runs the kernel on `problem` and compares; `error` is relative to 1.
template <typename ScoreT>
static void check(const char *pattern, ElementType scoreType,
                  ElementType probabilityType, double error) {
  Result<Mod> mod = loadPattern(pattern);
  ASSERT_TRUE(mod) << mod.error();
  ProblemSizes sizes{2, 3, 3, 21, 37, 1, 1, 2};
  auto captures = mod->makeCaptures(sizes);
  ASSERT_TRUE(captures) << captures.error();
  Problem problem(oracleOf(pattern, sizes, *captures));
  auto kernel =
      SoftmaxKernel::compile(*mod, Target::CPU, scoreType, probabilityType);
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<ScoreT> scores(problem.scores.begin(), problem.scores.end());
  std::vector<char> result(scores.size() * byteWidth(probabilityType), '\xff');
  std::vector<ScoreT> lse(problem.lse.size());
  Result<void> run =
      kernel->run(scores.data(), result.data(), lse.data(), problem.first,
                  problem.count, sizes.heads, sizes.queries, sizes.keys,
                  problem.scale, viewsOf(*captures));
  ASSERT_TRUE(run) << run.error();
  std::vector<double> actual(scores.size());
  if (probabilityType == ElementType::F64)
    std::copy_n(reinterpret_cast<double *>(result.data()), actual.size(),
                actual.begin());
  else
    bench::toDouble(actual.data(), result.data(), probabilityType,
                    actual.size());
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], problem.probabilities[i], error)
        << pattern << " " << i;
  double lseError = scoreType == ElementType::F64 ? 1e-6 : 1e-5;
  for (size_t i = 0; i < lse.size(); ++i)
    if (lse[i] != problem.lse[i]) {
      ASSERT_NEAR(lse[i], problem.lse[i], lseError) << pattern << " " << i;
    }
}

TEST(Softmax, InF64) {
  for (const char *pattern : {"noop", "causal", "document_mask"})
    check<double>(pattern, ElementType::F64, ElementType::F64, 1e-13);
  // Score programs compute in f32.
  for (const char *pattern : {"alibi", "softcap"})
    check<double>(pattern, ElementType::F64, ElementType::F64, 2e-7);
}

TEST(Softmax, InF32) {
  for (const char *pattern : {"noop", "causal", "alibi", "rel", "softcap"})
    check<float>(pattern, ElementType::F32, ElementType::F32, 2e-6);
}

TEST(Softmax, WithNarrowProbabilities) {
  check<float>("causal", ElementType::F32, ElementType::BF16, 0x1p-9);
  check<float>("causal", ElementType::F32, ElementType::F16, 0x1p-12 + 1e-6);
}

/// The gradients of `problem.scores` for those of the probabilities. The
/// derivative of the score program is taken numerically.
static std::vector<double> gradientsOf(const Problem &problem,
                                       const Oracle &oracle,
                                       const std::vector<float> &ofP) {
  int64_t n = problem.sizes.keys;
  std::vector<double> result(problem.scores.size());
  for (size_t i = 0; i < result.size(); ++i) {
    int64_t row = i / n, bh = problem.first + row / problem.sizes.queries;
    int b = bh / problem.sizes.heads, h = bh % problem.sizes.heads;
    int q = row % problem.sizes.queries, kv = i % n;
    double delta = 0, s = problem.scores[i] * problem.scale, slope = 1;
    for (int64_t j = row * n; j < (row + 1) * n; ++j)
      delta += problem.probabilities[j] * ofP[j];
    if (oracle.score)
      slope = (oracle.score(s + 1e-5, b, h, q, kv) -
               oracle.score(s - 1e-5, b, h, q, kv)) /
              2e-5;
    result[i] =
        problem.probabilities[i] * (ofP[i] - delta) * slope * problem.scale;
  }
  return result;
}

static void checkGradients(const char *pattern, bool readsScores) {
  SCOPED_TRACE(pattern);
  Result<Mod> mod = loadPattern(pattern);
  ASSERT_TRUE(mod) << mod.error();
  ProblemSizes sizes{2, 3, 3, 21, 37, 1, 1, 2};
  auto captures = mod->makeCaptures(sizes);
  ASSERT_TRUE(captures) << captures.error();
  Oracle oracle = oracleOf(pattern, sizes, *captures);
  Problem problem(oracle);
  auto kernel =
      SoftmaxGradientKernel::compile(*mod, Target::CPU, ElementType::F32);
  ASSERT_TRUE(kernel) << kernel.error();
  EXPECT_EQ(kernel->readsScores(), readsScores);
  std::vector<float> scores(problem.scores.begin(), problem.scores.end());
  std::vector<float> p(problem.probabilities.begin(),
                       problem.probabilities.end());
  std::vector<float> ofP(p.size()), result(p.size(), NAN);
  std::mt19937 generator(8);
  std::normal_distribution<float> normal;
  for (float &x : ofP)
    x = normal(generator);
  std::vector<double> expected = gradientsOf(problem, oracle, ofP);
  SoftmaxGradientArguments a;
  a.scores = readsScores ? scores.data() : nullptr;
  a.probabilities = p.data(), a.gradProbabilities = ofP.data();
  a.gradScores = result.data();
  a.first = problem.first, a.count = problem.count, a.heads = sizes.heads;
  a.queries = sizes.queries, a.keys = sizes.keys, a.scale = problem.scale;
  a.captures = viewsOf(*captures);
  Result<void> ran = kernel->run(a);
  ASSERT_TRUE(ran) << ran.error();
  for (size_t i = 0; i < result.size(); ++i)
    ASSERT_NEAR(result[i], expected[i], 2e-6) << i;
  a.gradScores = ofP.data(); // in place
  ASSERT_TRUE(kernel->run(a));
  EXPECT_EQ(ofP, result);
}

TEST(SoftmaxGradient, IsTheDefinitions) {
  for (const char *pattern : {"noop", "causal", "alibi", "rel"})
    checkGradients(pattern, /*readsScores=*/false);
  checkGradients("softcap", /*readsScores=*/true);
}

TEST(SoftmaxGradient, IsZeroWhereTheMaskDropsAPair) {
  // There the gradient of the probability may be anything.
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  auto kernel =
      SoftmaxGradientKernel::compile(*mod, Target::CPU, ElementType::F32);
  ASSERT_TRUE(kernel) << kernel.error();
  float p[] = {1, 0}, ofP[] = {3, INFINITY}, result[] = {NAN, NAN};
  SoftmaxGradientArguments a;
  a.probabilities = p, a.gradProbabilities = ofP, a.gradScores = result;
  a.count = a.queries = 1, a.keys = 2;
  ASSERT_TRUE(kernel->run(a));
  EXPECT_EQ(result[1], 0);
}

TEST(SoftmaxGradient, SaysWhatItDoesNotTake) {
  Result<Mod> mod = loadPattern("softcap");
  ASSERT_TRUE(mod) << mod.error();
  EXPECT_EQ(SoftmaxGradientKernel::compile(*mod, Target::CPU, ElementType::BF16)
                .error(),
            "expects probabilities of f32 on target cpu, got bf16");
  auto kernel =
      SoftmaxGradientKernel::compile(*mod, Target::CPU, ElementType::F32);
  ASSERT_TRUE(kernel) << kernel.error();
  SoftmaxGradientArguments a;
  EXPECT_EQ(kernel->run(a).error(),
            "expects the scores, which the derivative reads");
  float scores = 0;
  a.scores = &scores, a.heads = 0;
  EXPECT_EQ(kernel->run(a).error(), "expects at least one head, got 0");
}
