// What gradients satisfy whatever the problem is: at full size, where no oracle
// comes to an end, and for every mod file.
#include "GradientHarness.h"

#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

using namespace attn;
using namespace attn::test;

namespace {

/// Two sums that are equal but for the rounding of what is added: errors of
/// single terms, of random sign.
class Balance {
public:
  void left(double x) { difference += x, squares += x * x; }
  void right(double x) { difference -= x, squares += x * x; }
  /// In roundings of a typical term.
  double error(double unit) const {
    if (difference == 0)
      return 0;
    return std::fabs(difference) / (unit * std::sqrt(squares));
  }

private:
  double difference = 0, squares = 0;
};

struct InvariantCase {
  std::string name, pattern;
  int64_t headDim, valueDim;
  int64_t length = 4096; ///< on a GPU
};
void PrintTo(const InvariantCase &c, std::ostream *out) { *out << c.name; }

/// One problem with random numbers.
struct RandomProblem : BothPasses {
  RandomProblem(const Mod &mod, const ProblemSizes &s, ElementType type,
                bool isBSHD = false)
      : BothPasses(s, type, isBSHD) {
    Result<std::vector<CaptureData>> made = mod.makeCaptures(s);
    EXPECT_TRUE(made) << made.error();
    captures = *made;
    unsigned seed = 1;
    for (Tensor *tensor : {&query, &key, &value, &gradOut})
      tensor->set(normal(tensor->count(), type, seed++));
    for (double x :
         normal(static_cast<int64_t>(lse.size()), ElementType::F32, seed))
      gradLse.push_back(static_cast<float>(x));
  }
};

/// <x, gradX>, added to one side.
void add(Balance &balance, void (Balance::*side)(double), Tensor &x,
         Tensor &gradient) {
  std::vector<double> a = x.get(), b = gradient.get();
  for (size_t i = 0; i < a.size(); ++i)
    (balance.*side)(a[i] * b[i]);
}

/// O is linear in V, and scores depend on Q and K by their products alone.
double errorOfOperands(RandomProblem &run, double unit) {
  Balance ofValues, ofScores;
  add(ofValues, &Balance::left, run.value, run.gradValue);
  add(ofValues, &Balance::right, run.out, run.gradOut);
  add(ofScores, &Balance::left, run.query, run.gradQuery);
  add(ofScores, &Balance::right, run.key, run.gradKey);
  return std::max(ofValues.error(unit), ofScores.error(unit));
}

/// The weights of a row sum to 1: over the keys, gradients of values sum to
/// those of O over the queries of the group.
double errorOfValues(RandomProblem &run, double unit) {
  const ProblemSizes &s = run.s;
  std::vector<double> values = run.gradValue.get(), out = run.gradOut.get();
  int64_t rows = s.heads / s.kvHeads * s.queries;
  double worst = 0;
  for (int64_t head = 0; head < s.batch * s.kvHeads; ++head)
    for (int64_t c = 0; c < s.valueDim; ++c) {
      Balance balance;
      for (int64_t i = head * s.keys; i < (head + 1) * s.keys; ++i)
        balance.left(values[i * s.valueDim + c]);
      for (int64_t i = head * rows; i < (head + 1) * rows; ++i)
        balance.right(out[i * s.valueDim + c]);
      worst = std::max(worst, balance.error(unit));
    }
  return worst;
}

/// Where the score is the product plus what does not depend on it, gradients of
/// the scores of a row sum to that of its LSE.
double errorOfKeys(RandomProblem &run, double unit) {
  const ProblemSizes &s = run.s;
  std::vector<double> keys = run.gradKey.get(), query = run.query.get();
  int64_t rows = s.heads / s.kvHeads * s.queries;
  double scale = 1 / std::sqrt(static_cast<double>(s.headDim)), worst = 0;
  for (int64_t head = 0; head < s.batch * s.kvHeads; ++head)
    for (int64_t c = 0; c < s.headDim; ++c) {
      Balance balance;
      for (int64_t i = head * s.keys; i < (head + 1) * s.keys; ++i)
        balance.left(keys[i * s.headDim + c]);
      for (int64_t i = head * rows; i < (head + 1) * rows; ++i)
        balance.right(scale * query[i * s.headDim + c] * run.gradLse[i]);
      worst = std::max(worst, balance.error(unit));
    }
  return worst;
}

class GradientInvariants : public testing::TestWithParam<InvariantCase> {};

TEST_P(GradientInvariants, Hold) {
  const InvariantCase &c = GetParam();
  bool full = selectedTarget() == Target::CUDA;
  ProblemSizes s{2, 8, 2, c.length, c.length, c.headDim, c.valueDim, 2};
  if (!full)
    s = {1, 4, 2, 330, 330, c.headDim / 4, c.valueDim / 4, 1};
  ElementType type = full ? ElementType::BF16 : ElementType::F32;
  Result<Mod> mod = loadPattern(c.pattern);
  ASSERT_TRUE(mod) << mod.error();
  RandomProblem run(*mod, s, type, /*isBSHD=*/true);
  ASSERT_NO_FATAL_FAILURE(run.compute(*mod));
  // What an LSE in f32 cannot hold is in all weights of its row.
  double unit = bench::unitRoundoff(type), slack = 0;
  for (double x : run.lse) {
    ASSERT_TRUE(std::isfinite(x));
    slack = std::max(slack, std::fabs(x));
  }
  slack *= bench::unitRoundoff(ElementType::F32) / unit;
  // In roundings; f32 is also summed in f32.
  EXPECT_LT(errorOfOperands(run, unit), (full ? 4 : 64) + slack);
  EXPECT_LT(errorOfValues(run, unit), (full ? 2 : 64) + slack);
  if (c.pattern != "softcap")
    EXPECT_LT(errorOfKeys(run, unit), (full ? 8 : 128) + slack);
}

INSTANTIATE_TEST_SUITE_P(
    All, GradientInvariants,
    testing::Values(InvariantCase{"noop", "noop", 128, 128},
                    InvariantCase{"causal", "causal", 128, 128},
                    InvariantCase{"causal_64", "causal", 64, 64},
                    InvariantCase{"causal_256", "causal", 256, 256},
                    InvariantCase{"causal_192_128", "causal", 192, 128},
                    InvariantCase{"alibi", "alibi", 128, 128},
                    InvariantCase{"softcap", "softcap", 128, 128},
                    // An LSE of thousands, with as many fewer digits.
                    InvariantCase{"rel", "rel", 128, 128},
                    // One more than tiles; a window wider than the keys.
                    InvariantCase{"alibi_1025", "alibi", 128, 128, 1025},
                    InvariantCase{"window_1025", "sliding_window_4096", 64, 64,
                                  1025},
                    InvariantCase{"window", "sliding_window", 128, 128},
                    InvariantCase{"prefix_lm", "prefix_lm", 128, 128},
                    InvariantCase{"documents", "document_mask", 128, 128}),
    [](const auto &info) { return info.param.name; });

//===--- differences of the forward pass ----------------------------------===//

/// <out, gradOut> + <lse, gradLse>
double lossOf(BothPasses &run) {
  double loss = 0;
  std::vector<double> out = run.out.get(), weights = run.gradOut.get();
  for (size_t i = 0; i < out.size(); ++i)
    loss += out[i] * weights[i];
  for (size_t i = 0; i < run.lse.size(); ++i)
    if (std::isfinite(run.lse[i]))
      loss += double(run.lse[i]) * run.gradLse[i];
  return loss;
}

/// The derivative of the loss in random directions of query, key and value.
void expectDifferences(const std::string &pattern) {
  SCOPED_TRACE(pattern);
  Result<Mod> mod = loadPattern(pattern);
  ASSERT_TRUE(mod) << mod.error();
  // A window in the name drops keys only if there are more.
  size_t digits = pattern.find_last_not_of("0123456789") + 1;
  int64_t window =
      digits < pattern.size() ? std::stoll(pattern.substr(digits)) : 0;
  int64_t length = 45 + window, heads = window ? 1 : 2;
  ProblemSizes s{1, heads, 1, length, length, 16, 16, 1};
  RandomProblem run(*mod, s, ElementType::F32);
  KernelSpec spec = specOf(run.query.type, s.headDim, s.valueDim);
  spec.lse = true;
  Result<AttentionKernel> forward = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(forward) << forward.error();
  Result<GradientKernel> gradients = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(gradients) << gradients.error();
  run.runForward(*forward, *mod);
  run.runGradients(*gradients, *mod);

  const std::pair<Tensor &, Tensor &> operands[] = {{run.query, run.gradQuery},
                                                    {run.key, run.gradKey},
                                                    {run.value, run.gradValue}};
  for (auto [operand, gradientTensor] : operands) {
    const std::vector<double> at = operand.get(),
                              gradient = gradientTensor.get(),
                              direction =
                                  normal(operand.count(), run.query.type, 99);
    constexpr double step = 1.0 / 128;
    double expected = 0, size = 0, difference = 0;
    for (size_t i = 0; i < at.size(); ++i) {
      expected += gradient[i] * direction[i];
      size += gradient[i] * gradient[i];
    }
    for (int sign : {1, -1}) {
      std::vector<double> moved = at;
      for (size_t i = 0; i < at.size(); ++i)
        moved[i] += sign * step * direction[i];
      operand.set(moved);
      run.runForward(*forward, *mod);
      difference += sign * lossOf(run) / (2 * step);
    }
    operand.set(at);
    EXPECT_NEAR(difference, expected, 2e-3 * std::sqrt(size));
  }
}

TEST(GradientDifferences, OfEveryModFile) {
  namespace fs = std::filesystem;
  int files = 0;
  for (const fs::directory_entry &file :
       fs::directory_iterator(modsDirectory())) {
    if (file.path().extension() != ".mlir")
      continue;
    ++files;
    expectDifferences(file.path().stem().string());
  }
  EXPECT_GE(files, 13);
}

} // namespace
