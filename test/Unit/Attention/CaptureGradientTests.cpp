// Gradients of captured values against the definition (CaptureRun.h).
#include "CaptureRun.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

/// Programs with positions named b, h, q and kv.
std::string score(const std::string &captures, const std::string &body,
                  const std::string &rest = "") {
  return "(" + captures +
         ") score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {" + body +
         "} " + rest;
}

const char *const causal = R"(mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  })";
bool isCausal(int, int, int q, int kv) { return q >= kv; }

std::vector<CaptureCase> fileCases() {
  const int H = 4, Q = 70, K = 150;
  auto bucket = [](int d) {
    int far = 16 + int(std::log2(d / 16.0f) * 5.33333349f);
    return d < 16 ? d : std::min(far, 31);
  };
  CaptureScore bias = [=](const Tables &t, double s, int, int h, int q,
                          int kv) { return s + t[0][(h * Q + q) * K + kv]; };
  CaptureScore headBias = [](const Tables &t, double s, int, int h, int, int) {
    return s + t[0][h];
  };
  CaptureScore slope = [](const Tables &t, double s, int, int h, int q,
                          int kv) { return s + t[0][h] * (kv - q); };
  std::vector<CaptureCase> cases;
  cases.push_back({"head_bias", "head_bias", {{H}}, {"bias"}, headBias});
  cases.push_back(
      {"learned_slope", "alibi", {{H}}, {"slopes"}, slope, isCausal});
  cases.push_back({"t5_table",
                   "t5_table",
                   {{32, H}},
                   {"table"},
                   [=](const Tables &t, double s, int, int h, int q, int kv) {
                     return s + t[0][bucket(q - kv) * H + h];
                   },
                   isCausal});
  cases.back().sizes.queries = 300;
  cases.push_back({"full_bias", "full_bias", {{H, Q, K}}, {"bias"}, bias});
  cases.push_back({"temperature",
                   "temperature",
                   {{}},
                   {"temperature"},
                   [](const Tables &t, double s, int, int, int, int) {
                     return s * t[0][0];
                   }});
  cases.push_back(cases[0]);
  cases.back().name = "head_bias_without_lse", cases.back().gradLse = false;
  cases.push_back(cases[3]);
  cases.back().name = "full_bias_bf16", cases.back().type = ElementType::BF16;
  cases.push_back(cases[4]);
  cases.back().name = "temperature_f16", cases.back().type = ElementType::F16;
  cases.push_back(cases[3]);
  cases.back().name = "full_bias_strided", cases.back().isStrided = true;
  cases.push_back(cases[1]);
  cases.back().name = "learned_slope_moved";
  cases.back().queryOffset = 60;
  cases.back().score = [](const Tables &t, double s, int, int h, int q,
                          int kv) { return s + t[0][h] * (kv - q - 60); };
  cases.back().mask = [](int, int, int q, int kv) { return q + 60 >= kv; };
  // Widths of other tiles and kernels; rows that are not aligned.
  cases.push_back(cases[2]);
  cases.back().name = "t5_table_wide", cases.back().type = ElementType::BF16;
  cases.back().sizes = {1, 4, 2, 130, 150, 256, 192, 1};
  cases.push_back(cases[1]);
  cases.back().name = "learned_slope_wide";
  cases.back().sizes = {1, 4, 2, 70, 150, 160, 136, 1};
  // Several tiles on both axes, carried by a pass that makes all.
  cases.push_back(cases[1]);
  cases.back().name = "learned_slope_bf16_128";
  cases.back().type = ElementType::BF16;
  cases.back().sizes = {1, 4, 2, 200, 300, 128, 128, 1};
  cases.push_back(cases[3]);
  cases.back().name = "full_bias_odd", cases.back().type = ElementType::F16;
  cases.back().sizes.headDim = 5, cases.back().sizes.valueDim = 3;
  return cases;
}

std::vector<CaptureCase> indexCases() {
  const int B = 2, H = 4, Q = 70, K = 150;
  std::vector<CaptureCase> cases;
  cases.push_back({"by_key",
                   score("%t: tensor<?xf32>", R"(
    %x = attn.load %t[%kv] : tensor<?xf32>
    %y = arith.mulf %x, %s : f32
    attn.yield %y : f32)",
                         causal),
                   {{K}},
                   {"t"},
                   [](const Tables &t, double s, int, int, int, int kv) {
                     return s * t[0][kv];
                   },
                   isCausal});
  cases.push_back(cases.back());
  cases.back().name = "by_key_wide", cases.back().type = ElementType::BF16;
  cases.back().sizes = {1, 4, 2, 70, 150, 256, 200, 1};
  cases.push_back({"by_batch_head_and_key",
                   score("%t: tensor<?x?x?xf32>", R"(
    %x = attn.load %t[%b, %h, %kv] : tensor<?x?x?xf32>
    %y = arith.addf %x, %s : f32
    attn.yield %y : f32)"),
                   {{B, H, K}},
                   {"t"},
                   [=](const Tables &t, double s, int b, int h, int, int kv) {
                     return s + t[0][(b * H + h) * K + kv];
                   }});
  cases.push_back({"by_query",
                   score("%t: tensor<?xf32>", R"(
    %x = attn.load %t[%q] : tensor<?xf32>
    %y = arith.mulf %x, %s : f32
    attn.yield %y : f32)",
                         causal),
                   {{Q}},
                   {"t"},
                   [](const Tables &t, double s, int, int, int q, int) {
                     return s * t[0][q];
                   },
                   isCausal});
  // Heads that share, and keys by an id; both tables are read twice.
  cases.push_back({"shared_heads_and_ids",
                   score("%heads: tensor<?xf32>, %ids: tensor<?xi32>, "
                         "%t: tensor<?xf32>",
                         R"(
    %c2 = arith.constant 2 : i32
    %g = arith.divui %h, %c2 : i32
    %x = attn.load %heads[%g] : tensor<?xf32>
    %i = attn.load %ids[%kv] : tensor<?xi32>
    %j = attn.load %ids[%q] : tensor<?xi32>
    %u = attn.load %t[%i] : tensor<?xf32>
    %v = attn.load %t[%j] : tensor<?xf32>
    %y = arith.mulf %x, %s : f32
    %z = arith.mulf %u, %v : f32
    %w = arith.addf %y, %z : f32
    attn.yield %w : f32)"),
                   {{2}, {K}, {5}},
                   {"t", "heads"},
                   [](const Tables &t, double s, int, int h, int q, int kv) {
                     return s * t[0][h / 2] +
                            t[2][int(t[1][kv])] * t[2][int(t[1][q])];
                   }});
  // By distance, without a head; clamped at both ends, where many meet.
  cases.push_back({"toeplitz_clamped",
                   score("%t: tensor<?xbf16>", R"(
    %c20 = arith.constant 20 : i32
    %d = arith.subi %q, %kv : i32
    %i = arith.addi %d, %c20 : i32
    %x = attn.load %t[%i] : tensor<?xbf16>
    %f = arith.extf %x : bf16 to f32
    %y = arith.mulf %f, %s : f32
    attn.yield %y : f32)"),
                   {{41}},
                   {"t"},
                   [](const Tables &t, double s, int, int, int q, int kv) {
                     return s * t[0][std::clamp(q - kv + 20, 0, 40)];
                   }});
  cases.push_back({"by_query_and_key",
                   score("%t: tensor<?x?xf32>", R"(
    %x = attn.load %t[%q, %kv] : tensor<?x?xf32>
    %y = arith.addf %x, %s : f32
    attn.yield %y : f32)",
                         causal),
                   {{Q, K}},
                   {"t"},
                   [=](const Tables &t, double s, int, int, int q, int kv) {
                     return s + t[0][q * K + kv];
                   },
                   isCausal});
  cases.push_back({"by_everything",
                   score("%t: tensor<?x?x?x?xf32>", R"(
    %x = attn.load %t[%b, %h, %q, %kv] : tensor<?x?x?x?xf32>
    %y = arith.addf %x, %s : f32
    attn.yield %y : f32)"),
                   {{B, H, Q, K}},
                   {"t"},
                   [=](const Tables &t, double s, int b, int h, int q, int kv) {
                     return s + t[0][((b * H + h) * Q + q) * K + kv];
                   }});
  // Both ways: tasks of different query tiles meet in an element.
  cases.push_back({"both_ways",
                   score("%t: tensor<?x?xf32>", R"(
    %x = attn.load %t[%q, %kv] : tensor<?x?xf32>
    %y = attn.load %t[%kv, %q] : tensor<?x?xf32>
    %u = arith.mulf %x, %s : f32
    %v = arith.addf %u, %y : f32
    attn.yield %v : f32)"),
                   {{K, K}},
                   {"t"},
                   [=](const Tables &t, double s, int, int, int q, int kv) {
                     return s * t[0][q * K + kv] + t[0][kv * K + q];
                   }});
  cases.back().sizes.queries = K;
  // In nested branches, of which one is on both positions; an index that is
  // computed inside of one.
  cases.push_back({"in_branches",
                   score("%t: tensor<?xf32>, %u: tensor<?xf32>", R"(
    %c3 = arith.constant 3 : i32
    %c40 = arith.constant 40 : i32
    %later = arith.cmpi sgt, %q, %kv : i32
    %r = scf.if %later -> f32 {
      %early = arith.cmpi slt, %kv, %c40 : i32
      %y = scf.if %early -> f32 {
        %i = arith.divui %kv, %c3 : i32
        %x = attn.load %t[%i] : tensor<?xf32>
        %z = arith.mulf %x, %s : f32
        scf.yield %z : f32
      } else {
        %x = attn.load %u[%h] : tensor<?xf32>
        %z = arith.addf %x, %s : f32
        scf.yield %z : f32
      }
      scf.yield %y : f32
    } else {
      scf.yield %s : f32
    }
    attn.yield %r : f32)"),
                   {{14}, {H}},
                   {"t", "u"},
                   [](const Tables &t, double s, int, int h, int q, int kv) {
                     if (q <= kv)
                       return s;
                     return kv < 40 ? s * t[0][kv / 3] : s + t[1][h];
                   }});
  // An index from the score itself.
  cases.push_back({"by_score",
                   score("%t: tensor<?xf32>", R"(
    %c4 = arith.constant 4 : i32
    %two = arith.constant 2.0 : f32
    %x = arith.mulf %s, %two : f32
    %f = math.floor %x : f32
    %n = arith.fptosi %f : f32 to i32
    %i = arith.addi %n, %c4 : i32
    %y = attn.load %t[%i] : tensor<?xf32>
    %z = arith.addf %y, %s : f32
    attn.yield %z : f32)"),
                   {{8}},
                   {"t"},
                   [](const Tables &t, double s, int, int, int, int) {
                     int i = int(std::floor(s * 2)) + 4;
                     return s + t[0][std::clamp(i, 0, 7)];
                   }});
  // What a branch adds may depend on the score: it is no bias, which kernels
  // that make all in one pass may add to products that start with the LSE.
  cases.push_back({"squared_in_a_branch",
                   score("%t: tensor<?xf32>", R"(
    %c1 = arith.constant 1 : i32
    %x = attn.load %t[%kv] : tensor<?xf32>
    %odd = arith.andi %h, %c1 : i32
    %is = arith.cmpi eq, %odd, %c1 : i32
    %y = scf.if %is -> f32 {
      %z = arith.mulf %s, %s : f32
      %a = arith.addf %z, %x : f32
      scf.yield %a : f32
    } else {
      scf.yield %x : f32
    }
    %w = arith.addf %s, %y : f32
    attn.yield %w : f32)"),
                   {{K}},
                   {"t"},
                   [](const Tables &t, double s, int, int h, int, int kv) {
                     return s + t[0][kv] + (h % 2 ? s * s : 0);
                   }});
  cases.back().type = ElementType::BF16;
  cases.back().sizes.headDim = cases.back().sizes.valueDim = 64;
  // Scores for which the weight of a row outside of the tensor, whose LSE
  // reads as zero, is infinite; a derivative that is NaN where the mask hides.
  cases.push_back({"large_and_nan",
                   score("%t: tensor<?x?xf32>, %c: f32", R"(
    %far = arith.constant 100.0 : f32
    %x = attn.load %t[%q, %kv] : tensor<?x?xf32>
    %d = arith.subi %q, %kv : i32
    %f = arith.sitofp %d : i32 to f32
    %r = math.sqrt %f : f32
    %u = arith.mulf %r, %c : f32
    %v = arith.mulf %x, %u : f32
    %w = arith.addf %v, %s : f32
    %y = arith.addf %w, %far : f32
    attn.yield %y : f32)",
                         causal),
                   {{Q, K}, {}},
                   {"t", "c"},
                   [=](const Tables &t, double s, int, int, int q, int kv) {
                     return s + 100 +
                            t[0][q * K + kv] * t[1][0] *
                                std::sqrt(double(q - kv));
                   },
                   isCausal});
  cases.back().limit = 2e-4; // The spacing of scores is 8e-6.
  // Several at once; rows that the mask empties; lists of tiles.
  cases.push_back({"listed",
                   score("%t: tensor<?xf32>, %ids: tensor<?xi32>, "
                         "%u: tensor<?x?xf32>, %c: f16",
                         R"(
    %x = attn.load %t[%kv] : tensor<?xf32>
    %y = attn.load %u[%q, %kv] : tensor<?x?xf32>
    %z = arith.mulf %x, %y : f32
    %f = arith.extf %c : f16 to f32
    %v = arith.mulf %f, %s : f32
    %w = arith.addf %z, %v : f32
    attn.yield %w : f32)",
                         R"(mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %one = arith.constant 1 : i32
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %k = arith.addi %j, %one : i32
    %keep = arith.cmpi eq, %i, %k : i32
    attn.yield %keep : i1
  })"),
                   {{K}, {K}, {K, K}, {}},
                   {"c", "u", "t"},
                   [=](const Tables &t, double s, int, int, int q, int kv) {
                     return t[0][kv] * t[2][q * K + kv] + s * t[3][0];
                   }});
  cases.back().mask = [](int, int, int, int) { return true; };
  // By three kernels of different tiles.
  cases.push_back(cases.back());
  cases.back().name = "listed_in_three";
  cases.back().schedule =
      "[#attn.schedule<tiling = <q = 64, kv = 32>>, "
      "#attn.schedule<tiling = <q = 48, kv = 64, owns_keys>>, "
      "#attn.schedule<tiling = <q = 48, kv = 64, owns_keys>>]";
  // Where gradients of queries and of keys may be made in one pass.
  cases.push_back(cases.back());
  cases.back().name = "listed_bf16_64", cases.back().type = ElementType::BF16;
  cases.back().sizes.headDim = cases.back().sizes.valueDim = 64;
  cases.back().schedule = "";
  return cases;
}

/// A sum of each kind in one program: of rows of queries whose elements warps
/// share, of rows of keys, of pairs of which some share an element, and of
/// pairs of which none do.
CaptureCase mixedCase(ElementType type) {
  const int H = 4, Q = 70, K = 150;
  CaptureCase c{"mixed",
                score("%slopes: tensor<?xf32>, %t: tensor<?xf32>, "
                      "%near: tensor<?x?xf32>, %bias: tensor<?x?x?xf32>",
                      R"(
    %c3 = arith.constant 3 : i32
    %m = attn.load %slopes[%h] : tensor<?xf32>
    %x = attn.load %t[%kv] : tensor<?xf32>
    %d = arith.subi %q, %kv : i32
    %e = arith.divui %d, %c3 : i32
    %n = attn.load %near[%h, %e] : tensor<?x?xf32>
    %y = attn.load %bias[%h, %q, %kv] : tensor<?x?x?xf32>
    %u = arith.mulf %s, %m : f32
    %v = arith.addf %u, %x : f32
    %w = arith.addf %v, %n : f32
    %z = arith.addf %w, %y : f32
    attn.yield %z : f32)",
                      causal),
                {{H}, {K}, {H, 12}, {H, Q, K}},
                {"slopes", "t", "near", "bias"},
                [=](const Tables &t, double s, int, int h, int q, int kv) {
                  int distance = std::min((q - kv) / 3, 11);
                  return s * t[0][h] + t[1][kv] + t[2][h * 12 + distance] +
                         t[3][(h * Q + q) * K + kv];
                },
                isCausal};
  c.type = type;
  c.name += type == ElementType::F32 ? "_f32" : "_bf16";
  return c;
}

/// Where gradients of queries and of keys may be made in one pass.
CaptureCase mixedAtOnceCase() {
  CaptureCase c = mixedCase(ElementType::BF16);
  c.name += "_64";
  c.sizes.headDim = c.sizes.valueDim = 64;
  return c;
}

/// More tiles of queries than slots, so that tasks go over several.
CaptureCase manyTilesCase() {
  CaptureCase c{"many_tiles",
                score("%c: f32, %near: tensor<?xf32>", R"(
    %d = arith.subi %kv, %q : i32
    %n = attn.load %near[%d] : tensor<?xf32>
    %u = arith.mulf %s, %c : f32
    %v = arith.addf %u, %n : f32
    attn.yield %v : f32)"),
                {{}, {10}},
                {"c", "near"},
                [](const Tables &t, double s, int, int, int q, int kv) {
                  return s * t[0][0] + t[1][std::clamp(kv - q, 0, 9)];
                }};
  c.sizes = {2, 260, 260, 2, 10, 8, 8, 2};
  return c;
}

std::vector<CaptureCase> allCases() {
  std::vector<CaptureCase> cases = fileCases();
  for (CaptureCase &c : indexCases())
    cases.push_back(c);
  return cases;
}

class GradientsOfCaptures : public testing::TestWithParam<CaptureCase> {};

TEST_P(GradientsOfCaptures, AreThoseOfTheDefinition) {
  CaptureCase c = GetParam();
  if (c.name.rfind("listed", 0) == 0) {
    // The ids that the case's captures will have.
    std::vector<double> ids = normalNumbers(150, 41);
    c.mask = [ids](int, int, int q, int kv) {
      auto id = [&](int i) {
        return std::fmod(std::fabs(std::floor(ids[i] * 7)), 5);
      };
      return id(q) == id(kv) + 1;
    };
  }
  CaptureRun run(c);
  run.compute();
  if (HasFatalFailure())
    return;
  run.compare();
  auto first = run.gradients;
  // Thousands of tasks have done each thing often in one run.
  int more = c.sizes.batch * c.sizes.heads > 100 ? 1 : 3;
  for (int i = 0; i < more; ++i) {
    run.computeAgain();
    for (size_t k = 0; k < first.size(); ++k)
      EXPECT_EQ(std::memcmp(first[k].data() + 1, run.gradients[k].data() + 1,
                            (first[k].size() - 2) * sizeof(float)),
                0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GradientsOfCaptures,
                         testing::ValuesIn(allCases()),
                         [](const auto &info) { return info.param.name; });

// On the PTX machine these stand for the others.
INSTANTIATE_TEST_SUITE_P(Mixed, GradientsOfCaptures,
                         testing::Values(mixedCase(ElementType::F32),
                                         mixedCase(ElementType::BF16),
                                         mixedAtOnceCase(), manyTilesCase()),
                         [](const auto &info) { return info.param.name; });

TEST(CaptureGradient, IsExactlyZeroForWhatHasNoPart) {
  // What only the mask reads, and what all scores of a query have in common.
  CaptureCase c{"",
                score("%a: tensor<?xf32>, %m: tensor<?xf32>", R"(
    %x = attn.load %a[%q] : tensor<?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32)",
                      R"(mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %m[%kv] : tensor<?xf32>
    %one = arith.constant 1.0 : f32
    %keep = arith.cmpf ogt, %x, %one : f32
    attn.yield %keep : i1
  })"),
                {{70}, {150}},
                {"m", "a"},
                nullptr};
  c.gradLse = false;
  CaptureRun run(c);
  run.compute();
  ASSERT_EQ(run.gradients.size(), 2u);
  for (const std::vector<float> &gradient : run.gradients)
    for (size_t i = 1; i + 1 < gradient.size(); ++i)
      EXPECT_EQ(gradient[i], 0) << i;
}

TEST(CaptureGradient, IsZeroWithoutPairs) {
  Result<Mod> mod = loadPattern("alibi");
  ASSERT_TRUE(mod) << mod.error();
  device(); // whose context a kernel is compiled for
  KernelSpec spec;
  spec.target = selectedTarget(), spec.portable = portableIsSelected();
  spec.headDim = spec.valueDim = 16;
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, spec, {"slopes"});
  ASSERT_TRUE(kernel) << kernel.error();
  DeviceCopy queries, statistics, table, result;
  std::vector<float> numbers(1 * 2 * 5 * 16), lse(10), slopes(2, 1),
      gradient(2, NAN);
  GradientArguments a;
  TensorView view{queries.in(numbers.data(), numbers.size() * sizeof(float)),
                  ElementType::F32,
                  {1, 2, 5, 16},
                  {160, 80, 16}};
  a.query = a.out = a.gradOut = a.gradQuery = view;
  view.sizes[2] = 0;
  a.key = a.value = a.gradKey = a.gradValue = view;
  a.lse = static_cast<float *>(
      statistics.in(lse.data(), lse.size() * sizeof(float)));
  CaptureView capture;
  capture.data = table.in(slopes.data(), 2 * sizeof(float));
  capture.sizes = {2};
  a.captures = {capture};
  a.gradCaptures = {
      static_cast<float *>(result.in(gradient.data(), 2 * sizeof(float)))};
  a.stream = device().stream();
  Result<void> ran = kernel->run(a);
  ASSERT_TRUE(ran) << ran.error();
  result.out(gradient.data(), 2 * sizeof(float));
  EXPECT_EQ(gradient, std::vector<float>(2));
  a.gradCaptures = {};
  EXPECT_EQ(kernel->run(a).error(), "expects 1 gradients of captures, got 0");
  a.gradCaptures = {nullptr};
  EXPECT_EQ(kernel->run(a).error(),
            "expects memory for the gradient of 'slopes', got null");
}

} // namespace
