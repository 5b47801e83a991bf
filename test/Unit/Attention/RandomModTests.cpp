// Random mods, of any operation that decides, through whole kernels: a mask and
// a score that two more such programs choose. What they keep and choose is
// exact, so that the oracle's tolerance is that of attention alone.
// ATTN_FUZZ_MODS sets how many programs, ATTN_FUZZ_SEED the first seed.
#include "../Analysis/RandomMask.h"
#include "Harness.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>

using namespace attn;
using namespace attn::test;

namespace {

template <typename T>
CaptureData captured(ElementType type, const std::vector<T> &numbers,
                     bool isScalar = false) {
  CaptureData data{type, {}, {}};
  if (!isScalar)
    data.sizes = {static_cast<int64_t>(numbers.size())};
  data.bytes.resize(numbers.size() * sizeof(T));
  std::memcpy(data.bytes.data(), numbers.data(), data.bytes.size());
  return data;
}

std::vector<CaptureData> capturesOf(const MaskInputs &in) {
  std::vector<int8_t> flags(in.flags.begin(), in.flags.end());
  return {captured(ElementType::I32, in.table),
          captured<int32_t>(ElementType::I32, {in.scalar}, true),
          captured(ElementType::I8, in.bytes),
          captured(ElementType::I16, in.shorts),
          captured(ElementType::I64, in.longs),
          captured(ElementType::Bool, flags),
          captured<int64_t>(ElementType::I64, {in.longScalar}, true)};
}

Case randomCase(std::mt19937 &random) {
  Case c;
  const ElementType types[] = {ElementType::F32, ElementType::BF16,
                               ElementType::F16};
  c.type = types[random() % 3];
  int64_t kvHeads = 1 + random() % 2, dims[] = {16, 64};
  c.sizes.batch = 1;
  c.sizes.heads = 2;
  c.sizes.kvHeads = kvHeads;
  c.sizes.queries = 1 + random() % 150;
  c.sizes.keys = 1 + random() % 200;
  c.sizes.headDim = c.sizes.valueDim = dims[random() % 2];
  return c;
}

/// A mod of three trees, and what it runs on.
struct Program {
  Case problem;
  MaskInputs inputs;
  MaskTree mask, halves, raises;

  explicit Program(unsigned seed) {
    std::mt19937 random(seed);
    problem = randomCase(random);
    auto tree = [&] { return randomMask(random, 3 + int(random() % 25)); };
    mask = tree(), halves = tree(), raises = tree();
    inputs = randomInputs(random,
                          std::max(problem.sizes.queries, problem.sizes.keys));
  }

  std::string text() const { return toMod(mask, halves, raises); }

  void runAndCompare() const {
    Result<Mod> mod = Mod::fromSource(text(), "random.mlir");
    ASSERT_TRUE(mod) << mod.error();
    Oracle oracle;
    oracle.mask = [this](int b, int h, int q, int kv) {
      return evaluate(mask, inputs, b, h, q, kv);
    };
    oracle.score = [this](double s, int b, int h, int q, int kv) {
      return evaluate(halves, inputs, b, h, q, kv)   ? 0.5 * s
             : evaluate(raises, inputs, b, h, q, kv) ? s + 1
                                                     : -s;
    };
    ::attn::test::runAndCompare(problem, *mod, oracle, makeInputs(problem),
                                capturesOf(inputs));
  }

  bool fails() const {
    testing::TestPartResultArray results;
    testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::
            INTERCEPT_ONLY_CURRENT_THREAD,
        &results);
    runAndCompare();
    for (int i = 0; i < results.size(); ++i)
      if (results.GetTestPartResult(i).failed())
        return true;
    return false;
  }

  /// With a smaller tree, one that fails as well; whether there is one.
  bool shrink(MaskTree Program::*tree) {
    for (const MaskTree &smaller : smallerTrees(this->*tree)) {
      Program other = *this;
      other.*tree = smaller;
      if (!other.fails())
        continue;
      *this = other;
      return true;
    }
    return false;
  }
};

class RandomMods : public testing::TestWithParam<unsigned> {};

TEST_P(RandomMods, AreTheOracles) {
  // The machine is for what a GPU does otherwise, not for many programs.
  unsigned seed = GetParam();
  if (interpreted() && seed % 4 && !std::getenv("ATTN_FUZZ_MODS"))
    GTEST_SKIP() << "expects a target that runs millions of pairs";
  Program program(seed);
  Result<Mod> mod = Mod::fromSource(program.text(), "random.mlir");
  if (!mod && mod.error().find("expects an index") != std::string::npos)
    GTEST_SKIP() << "a load at a constant outside of its table is refused";
  if (!program.fails())
    return;
  while (program.shrink(&Program::mask) || program.shrink(&Program::halves) ||
         program.shrink(&Program::raises))
    ;
  SCOPED_TRACE("seed " + std::to_string(seed) + ", " + program.problem.name() +
               "\n" + program.text());
  program.runAndCompare();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomMods,
                         testing::Range(fromEnvironment("ATTN_FUZZ_SEED", 1),
                                        fromEnvironment("ATTN_FUZZ_SEED", 1) +
                                            fromEnvironment("ATTN_FUZZ_MODS",
                                                            32)));

} // namespace
