// Gradients against their definition in f64 and plain C++. The derivative of a
// score program is taken numerically from the pattern that is written by hand.
#include "Harness.h"

#include "attn/API/Gradient.h"
#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace attn;
using namespace attn::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct GradientCase {
  std::string name, pattern;
  ElementType type = ElementType::F32;
  ProblemSizes sizes;
  bool gradLse = true;
};

/// Memory of the device that holds what a host's vector does. A copy has its
/// own.
class Placed {
public:
  Placed() = default;
  Placed(const Placed &) {}
  ~Placed() { device().release(memory); }

  void *in(const void *host, size_t size) {
    reserve(size);
    EXPECT_TRUE(device().copyIn(memory, host, static_cast<int64_t>(size)));
    return memory;
  }
  void out(void *host, size_t size) {
    EXPECT_TRUE(device().synchronize());
    EXPECT_TRUE(device().copyOut(host, memory, static_cast<int64_t>(size)));
  }
  void *reserve(size_t size) {
    if (!memory)
      memory = *device().allocate(std::max<int64_t>(size, 16));
    return memory;
  }

private:
  void *memory = nullptr;
};

/// A tensor of numbers (batch, head, position, channel), as an element type
/// holds it.
struct Tensor {
  std::array<int64_t, 4> sizes;
  ElementType type;
  std::vector<std::byte> bytes;
  bool isBSHD = false;
  Placed placed;

  Tensor(std::array<int64_t, 4> sizes, ElementType type, bool isBSHD = false)
      : sizes(sizes), type(type),
        bytes(static_cast<size_t>(count() * byteWidth(type)), std::byte(0xff)),
        isBSHD(isBSHD) {}

  int64_t count() const { return sizes[0] * sizes[1] * sizes[2] * sizes[3]; }

  /// Where a kernel finds it, after what the host wrote.
  TensorView onDevice() {
    TensorView v = view();
    v.data = placed.in(bytes.data(), bytes.size());
    return v;
  }
  void fetch() { placed.out(bytes.data(), bytes.size()); }

  TensorView view() {
    TensorView view;
    view.data = bytes.data(), view.type = type, view.sizes = sizes;
    view.strides = {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3],
                    sizes[3]};
    if (isBSHD)
      view.strides = {sizes[1] * sizes[2] * sizes[3], sizes[3],
                      sizes[1] * sizes[3]};
    return view;
  }

  /// Calls `visit` with the first byte of each row, and its number.
  void forEachRow(const std::function<void(void *, int64_t)> &visit) {
    TensorView v = view();
    int64_t row = 0;
    for (int64_t b = 0; b < sizes[0]; ++b)
      for (int64_t h = 0; h < sizes[1]; ++h)
        for (int64_t i = 0; i < sizes[2]; ++i)
          visit(bench::rowOf(v, b, h, i), row++);
  }

  void set(const std::vector<double> &numbers) {
    std::vector<float> floats(numbers.begin(), numbers.end());
    forEachRow([&](void *to, int64_t row) {
      bench::fromFloat(to, type, &floats[row * sizes[3]], sizes[3]);
    });
  }
  std::vector<double> get() {
    std::vector<double> numbers(static_cast<size_t>(count()));
    forEachRow([&](void *from, int64_t row) {
      bench::toDouble(&numbers[row * sizes[3]], from, type, sizes[3]);
    });
    return numbers;
  }
};

struct Gradients {
  std::vector<double> query, key, value;
};

/// By the definition (attn.attention_backward).
class Definition {
public:
  Definition(const Inputs &in, const Oracle &oracle,
             const std::vector<double> &gradOut,
             const std::vector<float> &gradLse)
      : in(in), s(in.sizes), oracle(oracle), gradOut(gradOut),
        gradLse(gradLse) {
    result.query.resize(in.query.size());
    result.key.resize(in.key.size());
    result.value.resize(in.value.size());
  }

  Gradients run() {
    for (int b = 0; b < s.batch; ++b)
      for (int h = 0; h < s.heads; ++h)
        for (int q = 0; q < s.queries; ++q)
          addRow(b, h, q);
    return result;
  }

private:
  bool keeps(int b, int h, int q, int kv) const {
    return !oracle.mask || oracle.mask(b, h, q, kv);
  }
  double score(double x, int b, int h, int q, int kv) const {
    return oracle.score ? oracle.score(x, b, h, q, kv) : x;
  }

  void addRow(int b, int h, int q) {
    int64_t row = (int64_t(b) * s.heads + h) * s.queries + q;
    int64_t firstKey =
        (int64_t(b) * s.kvHeads + h / (s.heads / s.kvHeads)) * s.keys;
    const double *x = &in.query[row * s.headDim];
    const double *dout = &gradOut[row * s.valueDim];
    std::vector<double> products(s.keys), t(s.keys, -infinity), p(s.keys);
    double greatest = -infinity, sum = 0;
    for (int kv = 0; kv < s.keys; ++kv) {
      if (!keeps(b, h, q, kv))
        continue;
      const double *y = &in.key[(firstKey + kv) * s.headDim];
      for (int64_t c = 0; c < s.headDim; ++c)
        products[kv] += x[c] * y[c] * in.scale;
      t[kv] = score(products[kv], b, h, q, kv);
      greatest = std::max(greatest, t[kv]);
    }
    if (greatest == -infinity)
      return;
    for (int kv = 0; kv < s.keys; ++kv)
      sum += p[kv] = std::exp(t[kv] - greatest);
    std::vector<double> ofWeights(s.keys);
    double delta = gradLse.empty() ? 0 : -double(gradLse[row]);
    for (int kv = 0; kv < s.keys; ++kv) {
      if (!keeps(b, h, q, kv))
        continue;
      p[kv] /= sum;
      const double *v = &in.value[(firstKey + kv) * s.valueDim];
      for (int64_t c = 0; c < s.valueDim; ++c) {
        ofWeights[kv] += dout[c] * v[c];
        result.value[(firstKey + kv) * s.valueDim + c] += p[kv] * dout[c];
      }
      delta += p[kv] * ofWeights[kv];
    }
    for (int kv = 0; kv < s.keys; ++kv) {
      if (!keeps(b, h, q, kv))
        continue;
      const double step = 1e-5 * std::max(1.0, std::fabs(products[kv]));
      double slope = (score(products[kv] + step, b, h, q, kv) -
                      score(products[kv] - step, b, h, q, kv)) /
                     (2 * step);
      double ds = p[kv] * (ofWeights[kv] - delta) * slope * in.scale;
      for (int64_t c = 0; c < s.headDim; ++c) {
        result.query[row * s.headDim + c] +=
            ds * in.key[(firstKey + kv) * s.headDim + c];
        result.key[(firstKey + kv) * s.headDim + c] += ds * x[c];
      }
    }
  }

  const Inputs &in;
  const ProblemSizes &s;
  const Oracle &oracle;
  const std::vector<double> &gradOut;
  const std::vector<float> &gradLse;
  Gradients result;
};

std::vector<double> normal(int64_t count, ElementType type, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float &x : numbers)
    x = distribution(random);
  bench::roundTo(type, numbers.data(), count);
  return {numbers.begin(), numbers.end()};
}

/// The distance in the norm, of numbers that must all be finite.
double distance(const std::vector<double> &got,
                const std::vector<double> &want) {
  double error = 0, size = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (!std::isfinite(got[i]))
      return infinity;
    error += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  return size == 0 ? std::sqrt(error) : std::sqrt(error / size);
}

KernelSpec specOf(ElementType type, int64_t headDim, int64_t valueDim) {
  device(); // whose context a kernel is compiled for
  KernelSpec spec;
  spec.target = selectedTarget(), spec.portable = portableIsSelected();
  spec.type = type, spec.headDim = headDim, spec.valueDim = valueDim;
  return spec;
}

/// One problem: its forward pass, and the gradients of a kernel.
struct BothPasses {
  ProblemSizes s;
  Tensor query, key, value, out, gradOut, gradQuery, gradKey, gradValue;
  std::vector<float> lse, gradLse;
  std::vector<CaptureData> captures;

  BothPasses(const ProblemSizes &s, ElementType type, bool isBSHD = false)
      : s(s), query({s.batch, s.heads, s.queries, s.headDim}, type, isBSHD),
        key({s.batch, s.kvHeads, s.keys, s.headDim}, type, isBSHD),
        value({s.batch, s.kvHeads, s.keys, s.valueDim}, type, isBSHD),
        out({s.batch, s.heads, s.queries, s.valueDim}, type, isBSHD),
        gradOut(out), gradQuery(query), gradKey(key), gradValue(value),
        lse(static_cast<size_t>(s.batch * s.heads * s.queries)) {}

  void set(const Inputs &inputs) {
    query.set(inputs.query), key.set(inputs.key);
    value.set(inputs.value);
  }

  /// With everything where a kernel finds it.
  GradientArguments arguments(const Mod &mod) {
    GradientArguments a;
    a.query = query.onDevice(), a.key = key.onDevice();
    a.value = value.onDevice(), a.out = out.onDevice();
    a.lse = onDevice(placedLse, lse), a.captures = placeCaptures(mod);
    a.gradOut = gradOut.onDevice();
    a.gradLse = gradLse.empty() ? nullptr : onDevice(placedGradLse, gradLse);
    a.gradQuery = gradQuery.onDevice(), a.gradKey = gradKey.onDevice();
    a.gradValue = gradValue.onDevice();
    a.stream = device().stream();
    return a;
  }

  /// What a kernel wrote.
  void fetch() {
    for (Tensor *tensor : {&gradQuery, &gradKey, &gradValue})
      tensor->fetch();
  }

  /// Both passes. Errors of the API are failures.
  void compute(const Mod &mod) {
    KernelSpec spec = specOf(query.type, s.headDim, s.valueDim);
    spec.lse = true;
    Result<AttentionKernel> forward = AttentionKernel::compile(mod, spec);
    ASSERT_TRUE(forward) << forward.error();
    Result<void> ran = forward->run(
        query.onDevice(), key.onDevice(), value.onDevice(), placeCaptures(mod),
        out.onDevice(), onDevice(placedLse, lse), device().stream());
    ASSERT_TRUE(ran) << ran.error();
    out.fetch();
    placedLse.out(lse.data(), lse.size() * sizeof(float));
    spec.lse = !gradLse.empty();
    Result<GradientKernel> kernel = GradientKernel::compile(mod, spec);
    ASSERT_TRUE(kernel) << kernel.error();
    ran = kernel->run(arguments(mod));
    ASSERT_TRUE(ran) << ran.error();
    fetch();
  }

private:
  static float *onDevice(Placed &placed, const std::vector<float> &numbers) {
    return static_cast<float *>(
        placed.in(numbers.data(), numbers.size() * sizeof(float)));
  }
  std::vector<CaptureView> placeCaptures(const Mod &mod) {
    placedCaptures = std::make_unique<PlacedCaptures>(Case(), mod, captures);
    return placedCaptures->views();
  }

  Placed placedLse, placedGradLse;
  std::unique_ptr<PlacedCaptures> placedCaptures;
};

/// What the rounding of inputs to the products leaves of the digits.
double allowed(ElementType type) {
  return type == ElementType::F32 ? 3e-6 : 4 * bench::unitRoundoff(type);
}

void compare(BothPasses &run, const Gradients &want) {
  double limit = allowed(run.query.type);
  EXPECT_LT(distance(run.gradQuery.get(), want.query), limit);
  EXPECT_LT(distance(run.gradKey.get(), want.key), limit);
  EXPECT_LT(distance(run.gradValue.get(), want.value), limit);
}

class GradientsOf : public testing::TestWithParam<GradientCase> {};

TEST_P(GradientsOf, AreThoseOfTheDefinition) {
  const GradientCase &g = GetParam();
  Case c;
  c.pattern = g.pattern, c.type = g.type, c.sizes = g.sizes;
  Inputs inputs = makeInputs(c);
  Result<Mod> mod = loadPattern(g.pattern);
  ASSERT_TRUE(mod) << mod.error();
  BothPasses run(g.sizes, g.type, g.sizes.heads % 2 == 0);
  Result<std::vector<CaptureData>> captures = mod->makeCaptures(g.sizes);
  ASSERT_TRUE(captures) << captures.error();
  run.captures = *captures;
  run.set(inputs);
  std::vector<double> gradOut = normal(run.gradOut.count(), g.type, 77);
  run.gradOut.set(gradOut);
  if (g.gradLse)
    for (double x :
         normal(static_cast<int64_t>(run.lse.size()), ElementType::F32, 78))
      run.gradLse.push_back(static_cast<float>(x));
  run.compute(*mod);
  compare(run, Definition(inputs, oracleOf(g.pattern, g.sizes, run.captures),
                          gradOut, run.gradLse)
                   .run());
}

std::vector<GradientCase> allCases() {
  std::vector<GradientCase> cases;
  const ProblemSizes usual{2, 4, 2, 70, 150, 64, 64, 2};
  for (const char *pattern :
       {"noop", "causal", "rel", "head_bias", "alibi", "sliding_window",
        "prefix_lm", "softcap", "document_mask"}) {
    ProblemSizes sizes = usual;
    if (std::string(pattern) == "document_mask")
      sizes.queries = sizes.keys;
    cases.push_back(
        {std::string(pattern) + "_f32", pattern, ElementType::F32, sizes});
  }
  // What has warps with roles on a GPU: several tiles on both axes, heads of a
  // group one after the other, widths on both sides of each schedule.
  const ProblemSizes tiles{2, 4, 2, 200, 300, 64, 64, 2};
  for (const char *pattern : {"noop", "causal", "head_bias", "alibi",
                              "sliding_window", "prefix_lm", "document_mask"}) {
    ProblemSizes sizes = tiles;
    if (std::string(pattern) == "document_mask")
      sizes.queries = sizes.keys;
    cases.push_back(
        {std::string(pattern) + "_bf16", pattern, ElementType::BF16, sizes});
  }
  for (int64_t width : {24, 96, 128, 192, 256})
    cases.push_back({"causal_bf16_" + std::to_string(width),
                     "causal",
                     ElementType::BF16,
                     {1, 2, 1, 150, 190, width, width, 1},
                     false});
  // Three kernels with different tiles, each with lists of its own.
  cases.push_back({"documents_wide",
                   "document_mask",
                   ElementType::BF16,
                   {1, 2, 1, 300, 300, 256, 256, 1},
                   false});
  cases.push_back({"narrow_values",
                   "alibi",
                   ElementType::F16,
                   {1, 2, 1, 130, 140, 192, 128, 1}});
  cases.push_back({"wide_values",
                   "noop",
                   ElementType::BF16,
                   {1, 3, 1, 70, 260, 64, 256, 1}});
  cases.push_back({"softcap_f16", "softcap", ElementType::F16, usual});
  cases.push_back({"window_long",
                   "sliding_window",
                   ElementType::F32,
                   {1, 1, 1, 700, 700, 16, 16, 1},
                   false});
  cases.push_back({"documents_long",
                   "document_mask",
                   ElementType::F32,
                   {1, 2, 1, 500, 500, 32, 32, 1},
                   false});
  cases.push_back({"more_queries",
                   "causal",
                   ElementType::F32,
                   {1, 3, 1, 150, 70, 40, 72, 1}});
  cases.push_back(
      {"one_pair", "causal", ElementType::F32, {1, 1, 1, 1, 1, 8, 8, 1}});
  cases.push_back(
      {"odd", "alibi", ElementType::F32, {1, 5, 5, 65, 63, 1, 3, 1}});
  cases.push_back(
      {"wide", "noop", ElementType::F32, {1, 8, 1, 33, 65, 256, 128, 1}});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, GradientsOf, testing::ValuesIn(allCases()),
                         [](const auto &info) { return info.param.name; });

Result<Mod> modOf(const char *programs) {
  return Mod::fromSource(std::string("attn.mod @m ") + programs, "mod.mlir");
}

/// Keeps what is strictly earlier, and nothing of the last three keys.
constexpr const char *strictly = R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %last = arith.constant 60 : i32
    %earlier = arith.cmpi sgt, %q, %kv : i32
    %seen = arith.cmpi slt, %kv, %last : i32
    %keep = arith.andi %earlier, %seen : i1
    attn.yield %keep : i1
  })";

TEST(Gradient, WhatIsMaskedDoesNotCountWhateverItIs) {
  // Rows without keys, keys that nobody sees: zeros, with NaN in all of them.
  Result<Mod> mod = modOf(strictly);
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.sizes = {1, 2, 1, 70, 63, 16, 16, 1};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  std::vector<double> gradOut = normal(run.gradOut.count(), c.type, 5);
  auto spoil = [&](std::vector<double> numbers, int64_t heads, int64_t length,
                   int64_t channels, int64_t from, int64_t to) {
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = from; i < to; ++i)
        for (int64_t d = 0; d < channels; ++d)
          numbers[(h * length + i) * channels + d] =
              d % 2 ? std::nan("") : infinity;
    return numbers;
  };
  run.query.set(spoil(inputs.query, 2, 70, 16, 0, 1));
  run.gradOut.set(spoil(gradOut, 2, 70, 16, 0, 1));
  run.key.set(spoil(inputs.key, 1, 63, 16, 60, 63));
  run.value.set(spoil(inputs.value, 1, 63, 16, 60, 63));
  run.compute(*mod);
  Oracle oracle;
  oracle.mask = [](int, int, int q, int kv) { return q > kv && kv < 60; };
  compare(run, Definition(inputs, oracle, gradOut, run.gradLse).run());
  std::vector<double> ofKeys = run.gradKey.get(),
                      ofValues = run.gradValue.get(),
                      ofQueries = run.gradQuery.get();
  for (int64_t i = 60 * 16; i < 63 * 16; ++i)
    EXPECT_TRUE(ofKeys[i] == 0 && ofValues[i] == 0) << i;
  for (int64_t d = 0; d < 16; ++d)
    EXPECT_TRUE(ofQueries[d] == 0 && ofQueries[70 * 16 + d] == 0) << d;
}

void expectTheSameInAnyWorkspace(ElementType type, int64_t width,
                                 int64_t length) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = type, c.sizes = {1, 4, 2, length, length, width, width, 1};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  run.gradOut.set(normal(run.gradOut.count(), c.type, 5));
  run.compute(*mod);
  auto bytes = [&] {
    return std::array{run.gradQuery.bytes, run.gradKey.bytes,
                      run.gradValue.bytes};
  };
  auto first = bytes();
  for (Tensor *tensor : {&run.gradQuery, &run.gradKey, &run.gradValue})
    for (double x : tensor->get())
      ASSERT_TRUE(std::isfinite(x));
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(c.type, width, width));
  ASSERT_TRUE(kernel) << kernel.error();
  // Two numbers for each query of whole tiles.
  int64_t bytesOfRows = kernel->workspaceBytes(c.sizes);
  EXPECT_GE(bytesOfRows, 4 * 2 * 4 * length);
  EXPECT_LE(bytesOfRows, 4 * 2 * 4 * (length + 384));
  for (int i = 0; i < (interpreted() ? 2 : 20); ++i) {
    for (Tensor *tensor : {&run.gradQuery, &run.gradKey, &run.gradValue})
      std::fill(tensor->bytes.begin(), tensor->bytes.end(), std::byte(0xff));
    std::vector<std::byte> poison(static_cast<size_t>(bytesOfRows),
                                  std::byte(0xff));
    Placed workspace;
    GradientArguments a = run.arguments(*mod);
    if (i % 2)
      a.workspace = workspace.in(poison.data(), poison.size());
    Result<void> ran = kernel->run(a);
    ASSERT_TRUE(ran) << ran.error();
    run.fetch();
    EXPECT_TRUE(bytes() == first);
  }
}

TEST(Gradient, IsTheSameOnEveryRunAndInAnyWorkspace) {
  expectTheSameInAnyWorkspace(ElementType::F32, 32, 200);
  // Kernels for sm_90a visit 48 queries at a time where others own 128: up to
  // 288, behind the last that anybody wrote.
  expectTheSameInAnyWorkspace(ElementType::BF16, 256, 250);
}

/// Of causal attention with given schedules, against the definition.
void expectGradientsBy(const std::string &schedules, ElementType type) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = type, c.sizes = {1, 4, 2, 150, 200, 32, 32, 1};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  std::vector<double> gradOut = normal(run.gradOut.count(), c.type, 5);
  run.gradOut.set(gradOut);
  run.compute(*mod);
  KernelSpec spec = specOf(c.type, 32, 32);
  spec.schedule = schedules;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  for (Tensor *tensor : {&run.gradQuery, &run.gradKey, &run.gradValue})
    std::fill(tensor->bytes.begin(), tensor->bytes.end(), std::byte(0xff));
  ASSERT_TRUE(kernel->run(run.arguments(*mod)));
  run.fetch();
  compare(run, Definition(inputs, oracleOf("causal", c.sizes, run.captures),
                          gradOut, {})
                   .run());
}

TEST(Gradient, ByGivenSchedules) {
  std::string warps = selectedTarget() == Target::CPU ? "1" : "2";
  auto plain = [&](const std::string &tiles) {
    return "#attn.schedule<" + tiles + ", warps = " + warps;
  };
  expectGradientsBy("[" + plain("q = 32, kv = 48") + ">, " +
                        plain("q = 48, kv = 32") + ", keys = true>, " +
                        plain("q = 16, kv = 64") + ", keys = true>]",
                    ElementType::F32);
  if (!runsSM90a())
    return;
  // Groups that take turns.
  const std::string roles =
      "warps = 8, stages = 2, producers = 4, pingpong = true, persistent = "
      "true";
  expectGradientsBy("[#attn.schedule<q = 128, kv = 64, " + roles +
                        ">, #attn.schedule<q = 48, kv = 128, " + roles +
                        ", keys = true>]",
                    ElementType::BF16);
}

TEST(Gradient, OfMemoryThatTMADoesNotTake) {
  // What no element is reached by may be anything, but not for a tensor map.
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = ElementType::BF16, c.sizes = {1, 2, 1, 30, 40, 16, 16, 1};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  run.gradOut.set(normal(run.gradOut.count(), c.type, 5));
  run.compute(*mod);
  std::vector<double> expected = run.gradKey.get();
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(c.type, 16, 16));
  ASSERT_TRUE(kernel) << kernel.error();
  GradientArguments a = run.arguments(*mod);
  a.query.strides[0] = int64_t(1) << 44;
  std::fill(run.gradKey.bytes.begin(), run.gradKey.bytes.end(),
            std::byte(0xff));
  a.gradKey = run.gradKey.onDevice();
  Result<void> ran = kernel->run(a);
  ASSERT_TRUE(ran) << ran.error();
  run.fetch();
  EXPECT_LT(distance(run.gradKey.get(), expected), allowed(c.type));
}

void expectOneUpstreamRowForAll(ElementType type) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = type;
  c.sizes = {2, 2, 1, 30, 40, 16, 16, 2};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  std::vector<double> row = normal(16, c.type, 5), all;
  for (int64_t i = 0; i < 2 * 2 * 30; ++i)
    all.insert(all.end(), row.begin(), row.end());
  run.gradOut.set(all);
  run.compute(*mod);
  std::vector<double> expected = run.gradQuery.get();
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(c.type, 16, 16));
  ASSERT_TRUE(kernel) << kernel.error();
  GradientArguments a = run.arguments(*mod);
  a.gradOut.strides = {0, 0, 0};
  ASSERT_TRUE(kernel->run(a));
  run.fetch();
  EXPECT_LT(distance(run.gradQuery.get(), expected), allowed(type));
}

TEST(Gradient, OfOneUpstreamRowForAll) {
  // What a sum's gradient is: one number, expanded.
  for (ElementType type : {ElementType::F32, ElementType::BF16})
    expectOneUpstreamRowForAll(type);
}

TEST(Gradient, OfQueriesAtAnOffset) {
  Result<Mod> mod = loadPattern("alibi");
  ASSERT_TRUE(mod) << mod.error();
  Result<Mod> shifted = mod->withQueryOffset(QueryOffset::PerBatch);
  ASSERT_TRUE(shifted) << shifted.error();
  Case c;
  c.sizes = {2, 2, 1, 30, 140, 16, 16, 2};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  std::vector<double> gradOut = normal(run.gradOut.count(), c.type, 5);
  run.gradOut.set(gradOut);
  run.captures = *shifted->makeCaptures(c.sizes);
  const int32_t offsets[] = {100, -3};
  std::memcpy(run.captures.back().bytes.data(), offsets, sizeof offsets);
  run.compute(*shifted);
  Oracle plain = oracleOf("alibi", c.sizes, run.captures), oracle;
  oracle.score = [=](double s, int b, int h, int q, int kv) {
    return plain.score(s, b, h, q + offsets[b], kv);
  };
  oracle.mask = [=](int b, int h, int q, int kv) {
    return plain.mask(b, h, q + offsets[b], kv);
  };
  compare(run, Definition(inputs, oracle, gradOut, run.gradLse).run());
}

TEST(Gradient, OfNothing) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(ElementType::F32, 16, 16));
  ASSERT_TRUE(kernel) << kernel.error();
  BothPasses noKeys({1, 2, 1, 5, 0, 16, 16, 1}, ElementType::F32);
  ASSERT_TRUE(kernel->run(noKeys.arguments(*mod)));
  noKeys.fetch();
  EXPECT_EQ(noKeys.gradQuery.get(), std::vector<double>(2 * 5 * 16));
  BothPasses noQueries({1, 2, 1, 0, 5, 16, 16, 1}, ElementType::F32);
  ASSERT_TRUE(kernel->run(noQueries.arguments(*mod)));
  noQueries.fetch();
  EXPECT_EQ(noQueries.gradKey.get(), std::vector<double>(5 * 16));
  EXPECT_EQ(noQueries.gradValue.get(), std::vector<double>(5 * 16));
}

TEST(Gradient, SaysWhatItDoesNotTake) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::F32, 16, 16);
  spec.schedule = "#attn.variants<[<always -> <q = 64, kv = 64>>]>";
  EXPECT_EQ(GradientKernel::compile(*mod, spec).error(),
            "expects a schedule for gradients, or a list of one that owns "
            "queries and at most two that own keys, such as [#attn.schedule<q "
            "= 64, kv = 64>, #attn.schedule<q = 64, kv = 64, keys = true>], "
            "got '#attn.variants<[<always -> <q = 64, kv = 64>>]>'");
  spec.schedule = "";
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  BothPasses run({1, 2, 1, 5, 7, 16, 16, 1}, ElementType::F32);
  auto errorOf = [&](const std::function<void(GradientArguments &)> &change) {
    GradientArguments a = run.arguments(*mod);
    change(a);
    Result<void> ran = kernel->run(a);
    return ran ? "" : ran.error();
  };
  EXPECT_EQ(errorOf([](auto &a) { a.gradKey.sizes[2] = 6; }),
            "expects 'gradKey' length 7 like 'key', got 6");
  EXPECT_EQ(errorOf([](auto &a) { a.gradOut.type = ElementType::BF16; }),
            "expects 'gradOut' of f32, got bf16");
  EXPECT_EQ(errorOf([](auto &a) { a.gradQuery.data = nullptr; }),
            "expects memory for 'gradQuery', got null");
  EXPECT_EQ(errorOf([](auto &a) { a.lse = nullptr; }),
            "expects memory for 'lse', got null");
  float gradLse[10] = {};
  EXPECT_EQ(errorOf([&](auto &a) { a.gradLse = gradLse; }),
            "expects no 'gradLse': the kernel was compiled without it");
  EXPECT_EQ(errorOf([](auto &a) { a.value.sizes[1] = 2; }),
            "expects 'value' number of heads 1, got 2");
}

} // namespace
