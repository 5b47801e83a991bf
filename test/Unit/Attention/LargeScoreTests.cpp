// Scores of any finite size: biases that stand for a mask (-1e9, the lowest
// float), products of large numbers, maxima that rise or fall with each tile.
#include "Harness.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <cstring>
#include <functional>
#include <iterator>

using namespace attn;
using namespace attn::test;

static constexpr ElementType allTypes[] = {ElementType::F32, ElementType::BF16,
                                           ElementType::F16};

static Case makeCase(ElementType type, int64_t heads, int64_t queries,
                     int64_t keys, int64_t headDim) {
  Case c;
  c.type = type;
  c.sizes = {1, heads, 1, queries, keys, headDim, headDim, 1};
  return c;
}

static Mod parse(const std::string &text) {
  Result<Mod> mod = Mod::fromSource(text, "test.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

static CaptureData table(std::vector<int64_t> sizes,
                         const std::vector<float> &values) {
  CaptureData data{ElementType::F32, std::move(sizes), {}};
  data.bytes.resize(values.size() * sizeof(float));
  std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}

/// Scores that depend on the position only and move by `step` with each 64
/// keys, from `base`; half as far from zero in rows of even number.
struct Steps {
  float base, step;

  double at(int q, int kv) const {
    float t = base + static_cast<float>(kv >> 6) * step;
    return q % 2 ? t : 0.5f * t;
  }
};

/// One of `steps` for each head. They are exact in f32, so that only the
/// softmax can be wrong.
static void runSteps(const std::vector<Steps> &steps, int64_t queries,
                     int64_t keys) {
  Mod mod = parse(R"(
    attn.mod @steps(%bases: tensor<?xf32>, %steps: tensor<?xf32>)
      score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
        %base = attn.load %bases[%h] : tensor<?xf32>
        %step = attn.load %steps[%h] : tensor<?xf32>
        %half = arith.constant 0.5 : f32
        %one = arith.constant 1 : i32
        %zero = arith.constant 0 : i32
        %six = arith.constant 6 : i32
        %tile = arith.shrsi %kv, %six : i32
        %f = arith.sitofp %tile : i32 to f32
        %x = arith.mulf %f, %step : f32
        %t = arith.addf %base, %x : f32
        %bit = arith.andi %q, %one : i32
        %even = arith.cmpi eq, %bit, %zero : i32
        %u = arith.mulf %t, %half : f32
        %r = arith.select %even, %u, %t : f32
        attn.yield %r : f32
      })");
  std::vector<float> bases, sizes;
  for (Steps s : steps)
    bases.push_back(s.base), sizes.push_back(s.step);
  int64_t heads = steps.size();
  Oracle oracle;
  oracle.score = [&](double, int, int h, int q, int kv) {
    return steps[h].at(q, kv);
  };
  for (ElementType type : allTypes) {
    Case c = makeCase(type, heads, queries, keys, 32);
    SCOPED_TRACE(c.name());
    runAndCompare(c, mod, oracle, makeInputs(c),
                  {table({heads}, bases), table({heads}, sizes)});
  }
}

TEST(LargeScores, TheMaximumMayRiseOrFallWithEachTile) {
  runSteps({{1e4f, 0.5f},
            {1e6f, 0.5f},
            {1e6f, -0.5f},
            {-1e6f, 1.0f},
            {0x1p24f, 2.0f},
            {-0x1p31f, 256.0f},
            {0x1p100f, 0x1p77f},
            {-0x1p100f, 0x1p97f},
            {0x1p127f, -0x1p110f},
            // From far below zero to nothing unusual, and away from it.
            {-0x1p30f, 0x1p28f},
            {-0x1p126f, 0x1p124f},
            {0, 0x1p20f},
            {0, -0x1p20f}},
           40, 330);
}

// Where the exponents pass 2^20, from which on they count as far from zero, in
// steps of less than one, so that every weight counts.
TEST(LargeScores, TheStepToFarFromZeroIsExact) {
  runSteps({{726816.0f, 0.5f},
            {-726820.0f, 0.5f},
            {726820.0f, -0.5f},
            {1453633.0f, 0.25f},
            {726000.0f, 250.0f},
            {-727000.0f, 250.0f}},
           40, 900);
}

// All keys are equal, so that the output is the mean of the values.
TEST(LargeScores, EqualProductsOfLargeNumbersGiveTheMean) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  for (ElementType type : allTypes) {
    // Numbers of all types, of which f16 has the fewest.
    const double size = type == ElementType::F16 ? 49152 : 122880;
    const double factors[] = {size, -size, 4096, -4096, 0.25};
    Case c = makeCase(type, std::size(factors), 37, 300, 64);
    Inputs inputs = makeInputs(c);
    int64_t head = inputs.query.size() / std::size(factors);
    for (size_t i = 0; i < inputs.query.size(); ++i)
      inputs.query[i] = factors[i / head];
    for (double &x : inputs.key)
      x = size;
    SCOPED_TRACE(c.name());
    runAndCompare(c, *mod, {}, inputs, {});
  }
}

/// A bias for each head, query and key, added to the score.
static void runBias(const Case &c,
                    const std::function<float(int h, int q, int kv)> &bias) {
  Mod mod = parse(R"(
    attn.mod @additive_mask(%bias: tensor<?x?x?xf32>)
      score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
        %x = attn.load %bias[%h, %q, %kv] : tensor<?x?x?xf32>
        %t = arith.addf %s, %x : f32
        attn.yield %t : f32
      })");
  int64_t heads = c.sizes.heads, m = c.sizes.queries, n = c.sizes.keys;
  std::vector<float> values(heads * m * n);
  for (int64_t i = 0; i < heads * m * n; ++i)
    values[i] = bias(i / (m * n), i / n % m, i % n);
  Oracle oracle;
  oracle.score = [&](double s, int, int h, int q, int kv) -> double {
    return static_cast<float>(s) + values[(h * m + q) * n + kv];
  };
  SCOPED_TRACE(c.name());
  runAndCompare(c, mod, oracle, makeInputs(c), {table({heads, m, n}, values)});
}

// The commonest constants for what shall not count: where every key of a row
// has it, all count alike.
TEST(LargeScores, ABiasMayStandForAMask) {
  const float constants[] = {-1e9f, -1e10f, -1e30f, -FLT_MAX, -INFINITY};
  for (ElementType type : allTypes)
    runBias(makeCase(type, std::size(constants), 70, 333, 64),
            [&](int h, int q, int kv) {
              // All of a row; all but a few; the first tiles; the last ones;
              // causal.
              bool drop = q % 5 == 0   ? true
                          : q % 5 == 1 ? kv % 100 != 7
                          : q % 5 == 2 ? kv < 130
                          : q % 5 == 3 ? kv > 17
                                       : kv > q;
              return drop ? constants[h] : 0;
            });
}

// Some rows of a warp are far from zero and others are not.
TEST(LargeScores, RowsOfOneTileMayDifferInSize) {
  for (ElementType type : allTypes)
    runBias(makeCase(type, 1, 64, 200, 64), [](int, int q, int) {
      return q % 3 == 0 ? 0.0f : std::ldexp(q % 3 == 1 ? 1.0f : -1.0f, q);
    });
}

// Pairwise summation keeps 1e-6; one running sum would be off by 2e-5.
TEST(LargeScores, LongRowsKeepTheirLSE) {
  if (interpreted())
    GTEST_SKIP() << "takes minutes on the PTX machine";
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  for (int64_t keys : {2049, 131072}) {
    Case c = makeCase(ElementType::F32, 1, 8, keys, 16);
    // A GPU's logarithm and powers are approximations.
    c.lseError = selectedTarget() == Target::CPU ? 1.5e-6 : 3e-6;
    SCOPED_TRACE(c.name());
    runAndCompare(c, *mod, {}, makeInputs(c), {});
  }
}
