// Mods as C++ lambdas (attn/API/Lambda.h): their text, their messages, and what
// kernels make of them, against the same formulas on numbers.
#include "attn/API/Lambda.h"

#include "gtest/gtest.h"

#include <cmath>
#include <functional>
#include <vector>

// Mods take their values as plain parameters.
// NOLINTBEGIN(performance-unnecessary-value-param,misc-unused-parameters)

using namespace attn;

namespace {
constexpr int64_t queries = 5, keys = 7, channels = 4;

/// One head of noise for each tensor.
struct Problem {
  std::vector<float> query, key, value;

  Problem() : query(queries * channels), key(keys * channels), value(key) {
    uint32_t state = 1;
    for (std::vector<float> *data : {&query, &key, &value})
      for (float &x : *data) {
        state = state * 1664525 + 1013904223;
        x = static_cast<float>(state >> 8) / (1 << 23) - 1;
      }
  }

  /// What attention is, for a mod of numbers.
  std::vector<double>
  attend(const std::function<double(double, int, int)> &score,
         const std::function<bool(int, int)> &mask) const {
    std::vector<double> out(queries * channels, 0.0);
    for (int q = 0; q < queries; ++q) {
      double sum = 0;
      for (int kv = 0; kv < keys; ++kv) {
        if (!mask(q, kv))
          continue;
        double s = 0;
        for (int d = 0; d < channels; ++d)
          s += query[q * channels + d] * key[kv * channels + d];
        double weight = std::exp(score(s / std::sqrt(channels), q, kv));
        sum += weight;
        for (int d = 0; d < channels; ++d)
          out[q * channels + d] += weight * value[kv * channels + d];
      }
      for (int d = 0; d < channels; ++d)
        out[q * channels + d] /= sum == 0 ? 1 : sum;
    }
    return out;
  }
};

TensorView viewOf(std::vector<float> &data) {
  int64_t length = static_cast<int64_t>(data.size()) / channels;
  return {data.data(),
          ElementType::F32,
          {1, 1, length, channels},
          {length * channels, length * channels, channels}};
}

/// The CPU's kernel of `mod` gives `expected`.
void expectOutput(const Result<Mod> &mod,
                  const std::vector<CaptureView> &captures,
                  const std::vector<double> &expected, Problem problem) {
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec;
  spec.headDim = spec.valueDim = channels;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<float> out(queries * channels, NAN);
  Result<void> run = kernel->run(viewOf(problem.query), viewOf(problem.key),
                                 viewOf(problem.value), captures, viewOf(out));
  ASSERT_TRUE(run) << run.error();
  for (size_t i = 0; i < out.size(); ++i)
    EXPECT_NEAR(out[i], expected[i], 1e-5) << i;
}

TEST(Lambda, ScoreWithTable) {
  Table<Float, 1> slopes("slopes");
  Result<Mod> mod =
      Mod::make([&](Score s, Index b, Index h, Index q, Index kv) {
        return s + slopes(h) * toFloat(kv - q);
      });
  std::vector<float> slope{0.25F};
  Problem problem;
  expectOutput(mod, {{slope.data(), {1}}},
               problem.attend(
                   [](double s, int q, int kv) { return s + 0.25 * (kv - q); },
                   [](int, int) { return true; }),
               problem);
}

TEST(Lambda, Mask) {
  // Rows without keys as well.
  Result<Mod> mod = Mod::make([](Index b, Index h, Index q, Index kv) {
    return (floorMod(kv - q, 3) == 1) & (q != 2);
  });
  Problem problem;
  expectOutput(mod, {},
               problem.attend([](double s, int, int) { return s; },
                              [](int q, int kv) {
                                return ((kv - q) % 3 + 3) % 3 == 1 && q != 2;
                              }),
               problem);
}

TEST(Lambda, ScoreAndMaskWithCapturesOfOtherTypes) {
  Scalar<Float> cap("cap");
  Scalar<Index> window("window", ElementType::I64);
  Table<Bool, 2> seen("seen");
  Table<Index, 1> bucket("bucket", ElementType::U8);
  Result<Mod> mod = Mod::make(
      [&](Score s, Index b, Index h, Index q, Index kv) {
        Float bent = cap * tanh(s / cap);
        return select(bucket(kv) > 128, bent - 1, bent);
      },
      [&](Index b, Index h, Index q, Index kv) {
        return seen(q, kv) & (abs(q - kv) <= window);
      });
  ASSERT_TRUE(mod) << mod.error();
  // In the order in which they are read.
  std::vector<std::string> names;
  for (const CaptureInfo &capture : mod->captures())
    names.push_back(capture.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"bucket", "cap", "seen", "window"}));
  float capValue = 0.75F;
  int64_t windowValue = 3;
  std::vector<uint8_t> buckets{0, 200, 128, 129, 255, 1, 2};
  std::vector<uint8_t> flags(queries * keys, 1);
  flags[2] = flags[9] = 0;
  Problem problem;
  expectOutput(mod,
               {{buckets.data(), {keys}},
                {&capValue, {}},
                {flags.data(), {queries, keys}},
                {&windowValue, {}}},
               problem.attend(
                   [&](double s, int, int kv) {
                     double bent = 0.75 * std::tanh(s / 0.75);
                     return buckets[kv] > 128 ? bent - 1 : bent;
                   },
                   [&](int q, int kv) {
                     return flags[q * keys + kv] && std::abs(q - kv) <= 3;
                   }),
               problem);
}

TEST(Lambda, FunctionsComposeAndLoopsUnroll) {
  auto power = [](Float x, int n) {
    Float result = 1;
    for (int i = 0; i < n; ++i)
      result = result * x;
    return result;
  };
  Problem problem;
  expectOutput(
      Mod::make([&](Score s, Index b, Index h, Index q, Index kv) {
        return power(s, 3) + power(s, 2);
      }),
      {},
      problem.attend([](double s, int, int) { return s * s * s + s * s; },
                     [](int, int) { return true; }),
      problem);
}

TEST(Lambda, ADeepGraphIsNoDeepRecursion) {
  Result<std::string> text =
      modText([](Score s, Index b, Index h, Index q, Index kv) {
        for (int i = 0; i < 200000; ++i)
          s = s + 1;
        return s;
      });
  ASSERT_TRUE(text) << text.error();
  EXPECT_NE(text->find("%399999 = arith.addf"), std::string::npos);
}

TEST(Lambda, WhatIsNotUsedIsNotRecorded) {
  Table<Float, 1> unused("unused");
  Result<std::string> text =
      modText([&](Score s, Index b, Index h, Index q, Index kv) {
        Float waste = exp(unused(kv));
        return s;
      });
  ASSERT_TRUE(text) << text.error();
  EXPECT_EQ(text->find("unused"), std::string::npos) << *text;
}

/// Every function is an operation that mods may hold.
TEST(Lambda, Functions) {
  Result<std::string> text = modText(
      [](Score s, Index b, Index h, Index q, Index kv) {
        Float t = 0;
        for (Float (*f)(const recording::At<Float> &) :
             {acos, acosh, asin,  asinh, atan,  atanh, cbrt,      ceil,
              cos,  cosh,  erf,   erfc,  exp,   exp2,  expm1,     floor,
              log,  log10, log1p, log2,  round, rsqrt, roundeven, sin,
              sinh, sqrt,  tan,   tanh,  trunc})
          t = t + f(s);
        t = t + abs(s) + atan2(s, t) + copysign(s, t) + pow(s, t) + fmod(s, t) +
            max(s, t) + min(s, 2) + fma(s, t, 1) - -t;
        t = select((isnan(t) | isinf(t)) ^ !isfinite(t), t, 0);
        t = select(select(b == 0, t > s, t < s), t, s);
        Index i = floorDiv(q, 3) + ceilDiv(kv, h) - floorMod(q, kv) * 2;
        i = max(abs(i), min(-i, 7)) ^ ((i & 3) | (i << 2)) ^ (i >> 1);
        i = select(t >= 1, i, toIndex(t)) + toIndex((t <= 3) == (t != s));
        return t + toFloat(i);
      },
      [](Index b, Index h, Index q, Index kv) {
        return (q < kv) | (q <= kv) | (q != kv) | true;
      });
  ASSERT_TRUE(text) << text.error();
  Result<Mod> mod = Mod::fromSource(*text, "functions");
  EXPECT_TRUE(mod) << mod.error();
  for (const char *operation :
       {"math.acos ", "math.trunc ", "arith.remf ", "math.fma ", "arith.negf ",
        "arith.floordivsi ", "arith.ceildivsi ", "arith.shrsi ",
        "arith.fptosi ", "arith.extui ", "arith.select ", "math.isfinite ",
        "arith.cmpf une", "arith.constant true"})
    EXPECT_NE(text->find(operation), std::string::npos) << operation;
}

TEST(Lambda, NumbersKeepTheirBits) {
  Result<std::string> text =
      modText([](Score s, Index b, Index h, Index q, Index kv) {
        return s * 0.1F + max(s, -INFINITY) + min(s, 1e-45F) +
               toFloat(q + INT32_MIN) + copysign(NAN, s) - -0.0F;
      });
  ASSERT_TRUE(text) << text.error();
  for (const char *constant : {"1.000000015e-01", "0xFF800000", "e-45",
                               "-2147483648", "0x7FC00000", "-0.000000000e+00"})
    EXPECT_NE(text->find(constant), std::string::npos) << *text;
  EXPECT_TRUE(Mod::fromSource(*text, "numbers"));
}

//===----------------------------------------------------------------------===//
// Messages name the line of C++
//===----------------------------------------------------------------------===//

template <typename T>
void expectError(const Result<T> &result, int line, const std::string &what) {
  ASSERT_FALSE(result);
  std::string place = std::string("LambdaTest.cpp:") + std::to_string(line);
  EXPECT_NE(result.error().find(place), std::string::npos) << result.error();
  EXPECT_NE(result.error().find(what), std::string::npos) << result.error();
}

TEST(LambdaErrors, AnIntegerTooLarge) {
  int line = __LINE__ + 2;
  auto text = modText([](Index b, Index h, Index q, Index kv) {
    return q >= INT64_C(5000000000);
  });
  expectError(text, line,
              "expects an integer that fits an i32, got 5000000000");
}

TEST(LambdaErrors, CapturesOfOneName) {
  Table<Float, 1> first("x");
  int line = __LINE__ + 1;
  Table<Index, 1> second("x");
  auto text = modText([&](Score s, Index b, Index h, Index q, Index kv) {
    return s + first(h) * toFloat(second(q));
  });
  expectError(text, line, "expects distinct names of captures, got 'x' twice");
}

TEST(LambdaErrors, ACaptureNamedLikeAnArgument) {
  for (const char *name : {"kv", "", "two words", "1st", "%x"}) {
    int line = __LINE__ + 1;
    Scalar<Float> scalar(name);
    auto text = modText([&](Score s, Index b, Index h, Index q, Index kv) {
      return s * scalar;
    });
    expectError(text, line,
                "expects the name of a capture to be an identifier");
  }
}

TEST(LambdaErrors, ElementsOfAnotherKind) {
  int line = __LINE__ + 1;
  Table<Index, 1> table("table", ElementType::F32);
  auto text = modText(
      [&](Index b, Index h, Index q, Index kv) { return table(q) == kv; });
  expectError(text, line,
              "expects 'table' to be of elements that this value has, got f32");
}

TEST(LambdaErrors, AnArgumentOfAnotherProgram) {
  Index leaked = 0;
  auto leaks = [&](Score s, Index b, Index h, Index q, Index kv) {
    leaked = q;
    return s;
  };
  auto reads = [&](Index b, Index h, Index q, Index kv) {
    return leaked >= kv;
  };
  const char *what =
      "expects the arguments of its own program, got 'q' of another";
  expectError(modText(leaks, reads), __LINE__, what);
  // Of a mod that was recorded before, too.
  expectError(modText(reads), __LINE__, what);
}

TEST(LambdaErrors, ReadsOutOfBounds) {
  Table<Float, 1> bias("bias");
  int line = __LINE__ + 2;
  Result<Mod> mod = Mod::make([&](Score s, Index b, Index h, Index q,
                                  Index kv) { return s + bias(kv); });
  ASSERT_TRUE(mod) << mod.error();
  ProblemSizes sizes{1, 1, 1, queries, keys, channels, channels, 1};
  std::vector<float> data(3);
  expectError(mod->check(sizes, {{data.data(), {3}}}), line, "");
}

TEST(LambdaErrors, NamesOfMods) {
  auto mask = [](Index b, Index h, Index q, Index kv) { return q >= kv; };
  EXPECT_TRUE(modText(mask, "causal_2"));
  for (const char *name : {"has space", "", "2nd", "a-b"})
    expectError(modText(mask, std::string(name)), __LINE__,
                "expects the name of a mod to be an identifier, got '" +
                    std::string(name) + "'");
}
} // namespace

// NOLINTEND(performance-unnecessary-value-param,misc-unused-parameters)
