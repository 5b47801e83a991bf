// Gradients of captured values against central differences of the forward pass
// in f64 and plain C++: of single elements, and along random directions.
#include "Harness.h"

#include "attn/API/Gradient.h"
#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

using namespace attn;
using namespace attn::test;

namespace {

/// The elements of captured values, as numbers.
using Tables = std::vector<std::vector<double>>;
using Score = std::function<double(const Tables &, double s, int b, int h,
                                   int q, int kv)>;
using Mask = std::function<bool(int b, int h, int q, int kv)>;

struct CaptureCase {
  std::string name;
  std::string mod; ///< a file of test/Inputs/mods or configs/mods, or programs
  std::vector<std::vector<int64_t>> shapes; ///< of the captures
  std::vector<std::string> wrt;
  Score score;
  Mask mask = nullptr;
  ElementType type = ElementType::F32;
  ProblemSizes sizes = {2, 4, 2, 70, 150, 16, 8, 2};
  bool gradLse = true;
  std::optional<int32_t> queryOffset = std::nullopt;
  bool isStrided = false; ///< captures have an innermost stride of 2
  double limit = 2e-5;    ///< of the error of f32, relative to the norm
  std::string schedule = "";
};

std::vector<double> normal(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution;
  std::vector<double> numbers(count);
  for (double &x : numbers)
    x = distribution(random);
  return numbers;
}

/// <out, gradOut> + <lse, gradLse>, by the definition of attention.
class Loss {
public:
  Loss(const CaptureCase &c, const Inputs &in, std::vector<double> gradOut,
       std::vector<double> gradLse)
      : c(c), s(c.sizes), in(in), gradOut(std::move(gradOut)),
        gradLse(std::move(gradLse)) {
    for (int b = 0; b < s.batch; ++b)
      for (int h = 0; h < s.heads; ++h)
        for (int q = 0; q < s.queries; ++q)
          for (int kv = 0; kv < s.keys; ++kv)
            addPair(b, h, q, kv);
  }

  double of(const Tables &tables) const {
    double loss = 0;
    size_t pair = 0, row = 0;
    std::vector<double> t(s.keys);
    for (int b = 0; b < s.batch; ++b)
      for (int h = 0; h < s.heads; ++h)
        for (int q = 0; q < s.queries; ++q, ++row, pair += s.keys) {
          double greatest = -INFINITY, sum = 0, weighted = 0;
          for (int kv = 0; kv < s.keys; ++kv) {
            bool keeps = !c.mask || c.mask(b, h, q, kv);
            t[kv] = keeps ? c.score(tables, products[pair + kv], b, h, q, kv)
                          : -INFINITY;
            greatest = std::max(greatest, t[kv]);
          }
          if (greatest == -INFINITY)
            continue;
          for (int kv = 0; kv < s.keys; ++kv) {
            double p = std::exp(t[kv] - greatest);
            sum += p, weighted += p * values[pair + kv];
          }
          loss += weighted / sum;
          if (!gradLse.empty())
            loss += gradLse[row] * (greatest + std::log(sum));
        }
    return loss;
  }

private:
  static double dot(const double *x, const double *y, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i)
      sum += x[i] * y[i];
    return sum;
  }

  /// scale * query * key, and value * gradOut.
  void addPair(int b, int h, int q, int kv) {
    int64_t row = (int64_t(b) * s.heads + h) * s.queries + q;
    int64_t key =
        (int64_t(b) * s.kvHeads + h / (s.heads / s.kvHeads)) * s.keys + kv;
    products.push_back(in.scale * dot(&in.query[row * s.headDim],
                                      &in.key[key * s.headDim], s.headDim));
    values.push_back(dot(&gradOut[row * s.valueDim],
                         &in.value[key * s.valueDim], s.valueDim));
  }

  const CaptureCase &c;
  const ProblemSizes &s;
  const Inputs &in;
  std::vector<double> gradOut, gradLse, products, values;
};

int64_t count(const std::vector<int64_t> &shape) {
  int64_t result = 1;
  for (int64_t size : shape)
    result *= size;
  return result;
}

/// Contiguous memory of a kernel for numbers (batch, head, position, channel).
struct Memory {
  std::array<int64_t, 4> sizes;
  ElementType type;
  std::vector<std::byte> bytes;

  Memory(std::array<int64_t, 4> sizes, ElementType type)
      : sizes(sizes), type(type),
        bytes(static_cast<size_t>(sizes[0] * sizes[1] * sizes[2] * sizes[3] *
                                  byteWidth(type)),
              std::byte(0xff)) {}
  void set(const std::vector<double> &numbers) {
    std::vector<float> floats(numbers.begin(), numbers.end());
    bench::fromFloat(bytes.data(), type, floats.data(),
                     static_cast<int64_t>(floats.size()));
  }
  TensorView view() {
    return {bytes.data(),
            type,
            sizes,
            {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3]}};
  }
};

Result<Mod> modOf(const CaptureCase &c) {
  bool isFile = c.mod.find(' ') == std::string::npos;
  Result<Mod> mod =
      isFile ? Mod::fromFile(ATTN_TEST_MODS_DIR "/" + c.mod + ".mlir")
             : Mod::fromSource("attn.mod @m" + c.mod, "mod.mlir");
  if (isFile && !mod)
    mod = loadPattern(c.mod);
  if (mod && c.queryOffset)
    return mod->withQueryOffset(QueryOffset::Scalar);
  return mod;
}

/// The captured values of a case: random floats, and integers from 0 to 4.
class Captures {
public:
  Captures(const CaptureCase &c, const Mod &mod) : c(c) {
    for (size_t i = 0; i < c.shapes.size(); ++i) {
      const CaptureInfo &info = mod.captures()[i];
      std::vector<double> numbers = normal(count(c.shapes[i]), 40 + i);
      bool isInteger = info.type == ElementType::I32;
      for (double &x : numbers)
        x = isInteger ? std::fmod(std::fabs(std::floor(x * 7)), 5)
                      : 0.9 + 0.4 * x;
      set(info, numbers);
    }
    if (c.queryOffset)
      set(mod.captures().back(), {double(*c.queryOffset)});
  }

  std::vector<CaptureView> views() const {
    std::vector<CaptureView> result;
    for (size_t i = 0; i < bytes.size(); ++i) {
      CaptureView view;
      view.data = bytes[i].data();
      if (i < c.shapes.size())
        view.sizes = c.shapes[i];
      if (c.isStrided && !view.sizes.empty()) {
        view.strides.assign(view.sizes.size(), 2);
        for (size_t d = view.sizes.size() - 1; d-- > 0;)
          view.strides[d] = view.strides[d + 1] * view.sizes[d + 1];
      }
      result.push_back(view);
    }
    return result;
  }

  Tables tables; ///< as kernels read them

private:
  void set(const CaptureInfo &info, const std::vector<double> &numbers) {
    int64_t width = byteWidth(info.type), step = c.isStrided ? 2 : 1;
    std::vector<std::byte> memory(numbers.size() * width * step);
    std::vector<double> rounded;
    for (size_t i = 0; i < numbers.size(); ++i) {
      std::byte *at = &memory[i * width * step];
      double back = numbers[i];
      if (info.type == ElementType::I32) {
        auto integer = static_cast<int32_t>(numbers[i]);
        std::memcpy(at, &integer, sizeof integer);
      } else {
        auto x = static_cast<float>(numbers[i]);
        bench::fromFloat(at, info.type, &x, 1);
        bench::toDouble(&back, at, info.type, 1);
      }
      rounded.push_back(back);
    }
    bytes.push_back(std::move(memory));
    tables.push_back(std::move(rounded));
  }

  const CaptureCase &c;
  std::vector<std::vector<std::byte>> bytes;
};

/// One case: both passes, and what is asked for.
class CaptureRun {
public:
  explicit CaptureRun(const CaptureCase &c) : c(c), s(c.sizes) {}

  /// Errors of the API are failures.
  void compute() {
    Result<Mod> mod = modOf(c);
    ASSERT_TRUE(mod) << mod.error();
    captures.emplace(c, *mod);
    for (const std::string &name : c.wrt)
      for (size_t i = 0; i < mod->captures().size(); ++i)
        if (mod->captures()[i].name == name)
          numbers.push_back(i);
    ASSERT_EQ(numbers.size(), c.wrt.size());
    setInputs();
    KernelSpec spec;
    spec.type = c.type, spec.headDim = s.headDim, spec.valueDim = s.valueDim;
    spec.lse = true;
    Result<AttentionKernel> forward = AttentionKernel::compile(*mod, spec);
    ASSERT_TRUE(forward) << forward.error();
    Result<void> ran = forward->run(query.view(), key.view(), value.view(),
                                    captures->views(), out.view(), lse.data());
    ASSERT_TRUE(ran) << ran.error();
    spec.lse = c.gradLse;
    spec.schedule = c.schedule;
    Result<GradientKernel> compiled =
        GradientKernel::compile(*mod, spec, c.wrt);
    ASSERT_TRUE(compiled) << compiled.error();
    kernel = *compiled;
    computeAgain();
  }

  /// The backward pass, into poisoned memory, with a poisoned workspace.
  void computeAgain() {
    GradientArguments a;
    a.query = query.view(), a.key = key.view(), a.value = value.view();
    a.out = out.view(), a.lse = lse.data(), a.captures = captures->views();
    a.gradOut = gradOut.view();
    a.gradLse = c.gradLse ? gradLse.data() : nullptr;
    a.gradQuery = gradQuery.view(), a.gradKey = gradKey.view();
    a.gradValue = gradValue.view();
    gradients.clear();
    for (size_t number : numbers)
      gradients.emplace_back(captures->tables[number].size() + 2, NAN);
    for (std::vector<float> &gradient : gradients)
      a.gradCaptures.push_back(gradient.data() + 1);
    int64_t floats = kernel->workspaceBytes(s, a.captures) / 4;
    std::vector<float> workspace(static_cast<size_t>(floats) + 8, NAN);
    auto start = (reinterpret_cast<uintptr_t>(workspace.data()) + 15) / 16 * 16;
    a.workspace = reinterpret_cast<void *>(start);
    a.workspaceBytes = floats * 4;
    Result<void> ran = kernel->run(a);
    ASSERT_TRUE(ran) << ran.error();
    for (const std::vector<float> &gradient : gradients)
      EXPECT_TRUE(std::isnan(gradient.front()) && std::isnan(gradient.back()));
  }

  void compare() {
    Loss loss(c, inputs, numbersOut,
              c.gradLse ? std::vector<double>(gradLse.begin(), gradLse.end())
                        : std::vector<double>());
    for (size_t i = 0; i < numbers.size(); ++i) {
      std::vector<double> got(gradients[i].begin() + 1, gradients[i].end() - 1);
      compareOne(loss, numbers[i], got);
    }
  }

  std::vector<std::vector<float>> gradients; ///< between two more numbers

private:
  void setInputs() {
    Case asCase;
    asCase.type = c.type, asCase.sizes = s;
    inputs = makeInputs(asCase);
    query.set(inputs.query), key.set(inputs.key), value.set(inputs.value);
    numbersOut = normal(
        static_cast<size_t>(s.batch * s.heads * s.queries * s.valueDim), 77);
    std::vector<float> rounded(numbersOut.begin(), numbersOut.end());
    bench::roundTo(c.type, rounded.data(),
                   static_cast<int64_t>(rounded.size()));
    numbersOut.assign(rounded.begin(), rounded.end());
    gradOut.set(numbersOut);
    std::vector<double> ofLse = normal(lse.size(), 78);
    gradLse.assign(ofLse.begin(), ofLse.end());
  }

  double slope(const Loss &loss, size_t number,
               const std::vector<double> &direction) {
    const double step = 1e-4;
    double ends[2];
    for (int end = 0; end < 2; ++end) {
      Tables moved = captures->tables;
      for (size_t i = 0; i < direction.size(); ++i)
        moved[number][i] += (end ? step : -step) * direction[i];
      ends[end] = loss.of(moved);
    }
    return (ends[1] - ends[0]) / (2 * step);
  }

  void compareOne(const Loss &loss, size_t number,
                  const std::vector<double> &got) {
    double size = 0;
    for (double x : got) {
      ASSERT_TRUE(std::isfinite(x));
      size += x * x;
    }
    size = std::sqrt(size);
    const double limit =
        (c.type == ElementType::F32 ? c.limit : 3e-2) * std::max(size, 0.1);
    std::mt19937 random(static_cast<unsigned>(number));
    for (int i = 0; i < 12; ++i) {
      std::vector<double> direction(got.size());
      direction[random() % got.size()] = 1;
      expectAlong(loss, number, got, direction, limit);
    }
    for (unsigned seed = 0; seed < 3; ++seed) {
      std::vector<double> direction = normal(got.size(), seed);
      expectAlong(loss, number, got, direction, 4 * limit);
    }
  }

  void expectAlong(const Loss &loss, size_t number,
                   const std::vector<double> &got,
                   const std::vector<double> &direction, double limit) {
    double along = 0;
    for (size_t i = 0; i < got.size(); ++i)
      along += got[i] * direction[i];
    EXPECT_NEAR(along, slope(loss, number, direction), limit)
        << "capture " << number;
  }

  const CaptureCase &c;
  const ProblemSizes &s;
  Inputs inputs;
  std::vector<double> numbersOut;
  std::optional<Captures> captures;
  std::optional<GradientKernel> kernel;
  std::vector<size_t> numbers; ///< of the captures that are asked for
  Memory query{{s.batch, s.heads, s.queries, s.headDim}, c.type},
      key{{s.batch, s.kvHeads, s.keys, s.headDim}, c.type},
      value{{s.batch, s.kvHeads, s.keys, s.valueDim}, c.type},
      out{{s.batch, s.heads, s.queries, s.valueDim}, c.type}, gradOut{out},
      gradQuery{query}, gradKey{key}, gradValue{value};
  std::vector<float> lse = std::vector<float>(s.batch * s.heads * s.queries),
                     gradLse;
};

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
  Score bias = [=](const Tables &t, double s, int, int h, int q, int kv) {
    return s + t[0][(h * Q + q) * K + kv];
  };
  Score headBias = [](const Tables &t, double s, int, int h, int, int) {
    return s + t[0][h];
  };
  Score slope = [](const Tables &t, double s, int, int h, int q, int kv) {
    return s + t[0][h] * (kv - q);
  };
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
      "[#attn.schedule<q = 64, kv = 32>, #attn.schedule<q = 48, kv = 64, keys "
      "= true>, #attn.schedule<q = 48, kv = 64, keys = true>]";
  return cases;
}

std::vector<CaptureCase> allCases() {
  std::vector<CaptureCase> cases = fileCases();
  for (CaptureCase &c : indexCases())
    cases.push_back(c);
  return cases;
}

/// What GoogleTest says a case is.
void PrintTo(const CaptureCase &c, std::ostream *out) { *out << c.mod; }

class GradientsOfCaptures : public testing::TestWithParam<CaptureCase> {};

TEST_P(GradientsOfCaptures, AreThoseOfTheDefinition) {
  CaptureCase c = GetParam();
  if (c.name.rfind("listed", 0) == 0) {
    // The ids that the case's captures will have.
    std::vector<double> ids = normal(150, 41);
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
  for (int i = 0; i < 3; ++i) {
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
  KernelSpec spec;
  spec.headDim = spec.valueDim = 16;
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, spec, {"slopes"});
  ASSERT_TRUE(kernel) << kernel.error();
  Memory queries({1, 2, 5, 16}, ElementType::F32),
      keys({1, 2, 0, 16}, ElementType::F32);
  std::vector<float> lse(10), slopes(2, 1), gradient(2, NAN);
  GradientArguments a;
  a.query = a.out = a.gradOut = a.gradQuery = queries.view();
  a.key = a.value = a.gradKey = a.gradValue = keys.view();
  a.lse = lse.data();
  CaptureView view;
  view.data = slopes.data(), view.sizes = {2};
  a.captures = {view};
  a.gradCaptures = {gradient.data()};
  Result<void> ran = kernel->run(a);
  ASSERT_TRUE(ran) << ran.error();
  EXPECT_EQ(gradient, std::vector<float>(2));
  a.gradCaptures = {};
  EXPECT_EQ(kernel->run(a).error(), "expects 1 gradients of captures, got 0");
  a.gradCaptures = {nullptr};
  EXPECT_EQ(kernel->run(a).error(),
            "expects memory for the gradient of 'slopes', got null");
}

TEST(CaptureGradient, SaysWhichCapturesItDoesNotTake) {
  Result<Mod> documents = loadPattern("document_mask"),
              alibi = loadPattern("alibi");
  ASSERT_TRUE(documents) << documents.error();
  ASSERT_TRUE(alibi) << alibi.error();
  KernelSpec spec;
  auto errorOf = [&](const Mod &mod, const std::vector<std::string> &wrt) {
    Result<GradientKernel> kernel = GradientKernel::compile(mod, spec, wrt);
    return kernel ? "" : kernel.error();
  };
  EXPECT_EQ(errorOf(*documents, {"documents"}),
            "expects 'wrt' to name captures of floats, got 'documents' of i32");
  EXPECT_EQ(errorOf(*alibi, {"slope"}),
            "expects 'wrt' to name captures of '@alibi', got 'slope'");
  EXPECT_EQ(errorOf(*alibi, {"slopes", "slopes"}),
            "expects 'wrt' to name a capture once, got 'slopes' twice");
  spec.target = Target::CUDA;
  EXPECT_EQ(errorOf(*alibi, {"slopes"}),
            "expects no 'wrt' for the target CUDA: no kernel for GPUs computes "
            "gradients of captures yet, got 'slopes'");
}

TEST(CaptureGradient, AsksForMemoryBySizes) {
  auto bytesOf = [](const std::string &mod, const std::string &wrt,
                    const ProblemSizes &sizes,
                    const std::vector<int64_t> &shape) -> int64_t {
    CaptureCase c;
    c.mod = mod;
    Result<Mod> read = modOf(c);
    if (!read)
      return -1;
    KernelSpec spec;
    spec.headDim = spec.valueDim = 16;
    spec.schedule = "#attn.schedule<q = 64, kv = 64>";
    Result<GradientKernel> kernel = GradientKernel::compile(*read, spec, {wrt});
    CaptureView view;
    view.sizes = shape;
    return kernel ? kernel->workspaceBytes(sizes, {view}) : -1;
  };
  const ProblemSizes sizes{2, 4, 4, 100, 300, 16, 16, 2};
  // Delta and LSE of two query tiles.
  const int64_t statistics = 2 * 4 * 2 * 128 * 4;
  // The sums of rows.
  EXPECT_EQ(bytesOf("temperature", "temperature", sizes, {}),
            statistics + 2 * 4 * 100 * 4);
  // A slot for each of two batches and two query tiles.
  EXPECT_EQ(bytesOf("t5_table", "table", sizes, {32, 4}),
            statistics + 2 * 2 * 32 * 4 * 4);
  // Two batches add to one element. With one it is the result itself.
  EXPECT_EQ(bytesOf("full_bias", "bias", sizes, {4, 100, 300}),
            statistics + 2 * 4 * 100 * 300 * 4);
  EXPECT_EQ(bytesOf("full_bias", "bias", {1, 4, 4, 100, 300, 16, 16, 1},
                    {4, 100, 300}),
            statistics / 2);
  // No more slots than fit into 128 MiB: a task goes over the batches.
  EXPECT_EQ(bytesOf("full_bias", "bias", {3, 8, 8, 1500, 1500, 16, 16, 3},
                    {8, 1500, 1500}),
            3 * 8 * 2 * 1536 * 4);
}

} // namespace
