// Merges of parts of an attention (MergeKernel) against their definition: any
// number of parts, of all types and layouts, empty ones, LSEs of any size,
// sinks; and against attention over all keys.
#include "GradientHarness.h"

#include "attn/API/Merge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

using namespace attn;
using namespace attn::test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct Merged {
  std::vector<double> out;
  std::vector<float> lse;
};

/// Outs and LSEs of parts, and what becomes of them.
struct Merging {
  std::array<int64_t, 4> sizes;
  ElementType type;
  bool isBSHD = false;
  std::vector<std::vector<double>> outs;
  std::vector<std::vector<float>> lses;
  std::vector<float> sink; ///< none: no sink
  int64_t mostParts = 0;   ///< of the kernel; 0: those that there are
  bool inPlace = false;

  Merging(std::array<int64_t, 4> sizes, ElementType type, int64_t parts)
      : sizes(sizes), type(type) {
    for (int64_t i = 0; i < parts; ++i) {
      auto seed = static_cast<unsigned>(i);
      outs.push_back(normal(rows() * sizes[3], type, 10 + seed));
      std::vector<double> numbers = normal(rows(), ElementType::F32, 50 + seed);
      for (double &x : numbers)
        x = 4 * x + 3;
      lses.emplace_back(numbers.begin(), numbers.end());
    }
  }

  int64_t rows() const { return sizes[0] * sizes[1] * sizes[2]; }
  void empty(int64_t part, int64_t row) {
    lses[part][row] = -infinity;
    std::fill_n(&outs[part][row * sizes[3]], sizes[3], NAN);
  }

  Merged definition() const {
    Merged result{std::vector<double>(rows() * sizes[3]),
                  std::vector<float>(rows())};
    for (int64_t row = 0; row < rows(); ++row) {
      std::vector<double> exponents;
      for (const std::vector<float> &lse : lses)
        exponents.push_back(lse[row]);
      if (!sink.empty())
        exponents.push_back(sink[row / sizes[2] % sizes[1]]);
      double greatest = -infinity, sum = 0;
      for (double x : exponents)
        greatest = std::isnan(x) ? x : std::max(greatest, x);
      auto weight = [&](double x) {
        return x == -infinity ? 0 : std::exp(x - greatest);
      };
      for (double x : exponents)
        sum += weight(x);
      result.lse[row] =
          static_cast<float>(sum == 0 ? -infinity : greatest + std::log(sum));
      for (int64_t d = 0; d < sizes[3] && sum != 0; ++d)
        for (size_t i = 0; i < outs.size(); ++i)
          if (double w = weight(exponents[i]))
            result.out[row * sizes[3] + d] +=
                w / sum * outs[i][row * sizes[3] + d];
    }
    return result;
  }

  MergeSpec spec() const {
    KernelSpec own = specOf(type, 64, 64);
    MergeSpec spec;
    spec.target = own.target, spec.device = own.device;
    spec.type = type, spec.valueDim = sizes[3];
    spec.parts = mostParts ? mostParts : static_cast<int64_t>(outs.size());
    spec.sink = !sink.empty();
    return spec;
  }

  Merged run() {
    device();
    Result<MergeKernel> kernel = MergeKernel::compile(spec());
    EXPECT_TRUE(kernel) << kernel.error();
    if (!kernel)
      return {};
    std::vector<Tensor> tensors(outs.size(), Tensor(sizes, type, isBSHD));
    std::vector<Placed> places(lses.size());
    MergeArguments a;
    for (size_t i = 0; i < outs.size(); ++i) {
      tensors[i].set(outs[i]);
      a.parts.push_back({tensors[i].onDevice(),
                         static_cast<float *>(places[i].in(
                             lses[i].data(), rows() * sizeof(float)))});
    }
    Placed placedSink, placedLse;
    if (!sink.empty())
      a.sink = static_cast<float *>(
          placedSink.in(sink.data(), sink.size() * sizeof(float)));
    Tensor out(sizes, type, isBSHD);
    out.poison();
    Tensor &target = inPlace ? tensors[0] : out;
    a.out = inPlace ? a.parts[0].out : out.onDevice();
    Merged result;
    result.lse.assign(rows(), NAN);
    a.lse = static_cast<float *>(
        placedLse.in(result.lse.data(), rows() * sizeof(float)));
    a.stream = device().stream();
    Result<void> run = kernel->run(a);
    EXPECT_TRUE(run) << run.error();
    EXPECT_TRUE(device().synchronize());
    target.fetch();
    placedLse.out(result.lse.data(), rows() * sizeof(float));
    result.out = target.get();
    return result;
  }

  void runAndCompare() {
    Merged got = run(), want = definition();
    ASSERT_EQ(got.out.size(), want.out.size());
    double unit = type == ElementType::F32   ? 1e-6
                  : type == ElementType::F16 ? 1e-3
                                             : 8e-3;
    for (size_t i = 0; i < want.out.size(); ++i) {
      if (std::isnan(want.out[i]))
        EXPECT_TRUE(std::isnan(got.out[i])) << "out " << i;
      else
        ASSERT_NEAR(got.out[i], want.out[i],
                    unit * (0.5 + std::fabs(want.out[i])))
            << "out " << i;
    }
    for (size_t i = 0; i < want.lse.size(); ++i) {
      if (std::isnan(want.lse[i]))
        EXPECT_TRUE(std::isnan(got.lse[i])) << "lse " << i;
      else if (std::isinf(want.lse[i]))
        EXPECT_EQ(got.lse[i], want.lse[i]) << "lse " << i;
      else
        ASSERT_NEAR(got.lse[i], want.lse[i],
                    1e-6 * (1 + std::fabs(want.lse[i])))
            << "lse " << i;
    }
  }
};

TEST(Merge, AnyNumberOfParts) {
  for (int64_t parts : {1, 2, 5}) {
    SCOPED_TRACE(parts);
    Merging({2, 3, 4, 32}, parts == 1 ? ElementType::F32 : ElementType::BF16,
            parts)
        .runAndCompare();
  }
  // Fewer than there may be.
  for (int64_t parts : {1, 3, 16}) {
    Merging merging({1, 2, 3, 16}, ElementType::F16, parts);
    merging.mostParts = 16;
    merging.runAndCompare();
  }
}

TEST(Merge, ChannelsOfAnyNumberInEitherLayout) {
  for (ElementType type : {ElementType::F32, ElementType::BF16})
    for (int64_t channels : {1, 6, 40, 256})
      for (bool isBSHD : {false, true}) {
        SCOPED_TRACE(channels);
        Merging merging({2, 2, 3, channels}, type, 2);
        merging.isBSHD = isBSHD;
        merging.runAndCompare();
      }
}

TEST(Merge, PartsWithoutKeysDoNotCount) {
  Merging merging({1, 2, 4, 24}, ElementType::BF16, 3);
  merging.empty(0, 0);
  merging.empty(2, 1);
  merging.empty(0, 2), merging.empty(1, 2);
  for (int64_t part : {0, 1, 2}) // nobody has any
    merging.empty(part, 5);
  merging.runAndCompare();
  Merged got = merging.run();
  EXPECT_EQ(got.lse[5], -infinity);
  EXPECT_EQ(got.out[5 * 24], 0);
}

TEST(Merge, LSEsOfAnySize) {
  Merging merging({1, 1, 8, 16}, ElementType::F32, 2);
  const std::pair<float, float> pairs[] = {
      {1e9f, 1e9f},   {-1e9f, -1e9f},       {1e9f, -1e9f},     {-1e30f, -1e30f},
      {-1e30f, 5.0f}, {-3.4e38f, -3.4e38f}, {1e9f, 1e9f + 64}, {88.0f, -88.0f}};
  for (int row = 0; row < 8; ++row)
    merging.lses[0][row] = pairs[row].first,
    merging.lses[1][row] = pairs[row].second;
  merging.runAndCompare();
}

TEST(Merge, NaNStaysInItsRow) {
  Merging merging({1, 1, 3, 16}, ElementType::F32, 2);
  merging.lses[1][1] = NAN;
  merging.outs[0][0] = NAN; // of a part that has keys
  Merged got = merging.run();
  for (int64_t i = 0; i < 48; ++i)
    EXPECT_EQ(std::isnan(got.out[i]), i == 0 || i / 16 == 1) << i;
  for (int64_t row = 0; row < 3; ++row)
    EXPECT_EQ(std::isnan(got.lse[row]), row == 1);
}

TEST(Merge, SinksAreAPartWithoutValues) {
  Merging merging({2, 3, 2, 16}, ElementType::BF16, 2);
  merging.sink = {-1.0f, 4.0f, -infinity};
  merging.empty(0, 3), merging.empty(1, 3);   // what is left is the sink
  merging.empty(0, 11), merging.empty(1, 11); // of nothing
  merging.runAndCompare();
  Merged got = merging.run();
  EXPECT_EQ(got.lse[3], 4.0f);
  EXPECT_EQ(got.out[3 * 16], 0);
  EXPECT_EQ(got.lse[11], -infinity);
}

TEST(Merge, OutMayBeThatOfAPart) {
  Merging merging({2, 2, 3, 40}, ElementType::BF16, 3);
  merging.inPlace = true;
  merging.runAndCompare();
}

TEST(Merge, NothingIsLaunchedForNoRows) {
  Merging merging({0, 2, 3, 16}, ElementType::F32, 2);
  EXPECT_TRUE(merging.run().out.empty());
}

/// Attention over parts of the keys, merged, is attention over all.
TEST(Merge, IsAttentionOverAllKeys) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::F32, 32, 32);
  spec.lse = true;
  device();
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  constexpr int64_t heads = 2, queries = 3, keys = 90;
  Tensor q({1, heads, queries, 32}, spec.type),
      k({1, heads, keys, 32}, spec.type), v({1, heads, keys, 32}, spec.type);
  q.set(normal(q.count(), spec.type, 1));
  k.set(normal(k.count(), spec.type, 2));
  v.set(normal(v.count(), spec.type, 3));
  auto run = [&](int64_t from, int64_t to, std::vector<float> &lse) {
    Tensor out({1, heads, queries, 32}, spec.type);
    Placed placed;
    lse.assign(heads * queries, NAN);
    auto part = [&](Tensor &tensor) {
      TensorView view = tensor.onDevice();
      view.data = static_cast<float *>(view.data) + from * view.strides[2];
      view.sizes[2] = to - from;
      return view;
    };
    auto *memory =
        static_cast<float *>(placed.in(lse.data(), lse.size() * sizeof(float)));
    Result<void> ran = kernel->run(q.onDevice(), part(k), part(v), {},
                                   out.onDevice(), memory, device().stream());
    EXPECT_TRUE(ran) << ran.error();
    EXPECT_TRUE(device().synchronize());
    out.fetch();
    placed.out(lse.data(), lse.size() * sizeof(float));
    return out.get();
  };
  Merging merging({1, heads, queries, 32}, spec.type, 3);
  std::vector<int64_t> cuts{0, 7, 70, keys};
  for (size_t i = 0; i < 3; ++i)
    merging.outs[i] = run(cuts[i], cuts[i + 1], merging.lses[i]);
  std::vector<float> lse;
  std::vector<double> want = run(0, keys, lse);
  Merged got = merging.run();
  EXPECT_LT(distance(got.out, want), 1e-6);
  for (size_t i = 0; i < lse.size(); ++i)
    EXPECT_NEAR(got.lse[i], lse[i], 1e-5);
}

TEST(MergeMistakes, AreNamed) {
  device();
  auto compiled = [](auto change) {
    MergeSpec spec = Merging({1, 1, 1, 16}, ElementType::F32, 2).spec();
    change(spec);
    Result<MergeKernel> kernel = MergeKernel::compile(spec);
    return kernel ? "" : kernel.error();
  };
  EXPECT_EQ(compiled([](MergeSpec &s) { s.parts = 17; }),
            "expects 1 to 16 parts, got 17");
  EXPECT_EQ(compiled([](MergeSpec &s) { s.valueDim = 300; }),
            "expects a value dimension of 1 to 256, got 300");
  EXPECT_EQ(compiled([](MergeSpec &s) { s.type = ElementType::I32; }),
            "expects element type f32, f16 or bf16, got i32");

  Result<MergeKernel> kernel =
      MergeKernel::compile(Merging({1, 1, 1, 16}, ElementType::F32, 2).spec());
  ASSERT_TRUE(kernel) << kernel.error();
  Tensor tensor({1, 2, 3, 16}, ElementType::F32),
      longer({1, 2, 4, 16}, ElementType::F32),
      half({1, 2, 3, 16}, ElementType::F16);
  Placed placed;
  auto *lse = static_cast<float *>(placed.reserve(64));
  auto errorOf = [&](auto change) {
    MergeArguments a;
    a.parts = {{tensor.onDevice(), lse}, {tensor.onDevice(), lse}};
    a.out = tensor.onDevice(), a.lse = lse;
    a.stream = device().stream();
    change(a);
    Result<void> run = kernel->run(a);
    return run ? "" : run.error();
  };
  EXPECT_EQ(errorOf([](MergeArguments &a) { a.parts.clear(); }),
            "expects 1 to 2 parts, got 0");
  EXPECT_EQ(
      errorOf([](MergeArguments &a) { a.parts.push_back(a.parts.front()); }),
      "expects 1 to 2 parts, got 3");
  EXPECT_EQ(
      errorOf([&](MergeArguments &a) { a.parts[1].out = longer.onDevice(); }),
      "expects 'part' length 3, got 4");
  EXPECT_EQ(
      errorOf([&](MergeArguments &a) { a.parts[1].out = half.onDevice(); }),
      "expects 'part' of f32, got f16");
  EXPECT_EQ(errorOf([](MergeArguments &a) { a.parts[0].lse = nullptr; }),
            "expects memory for the LSE of a part, got null");
  EXPECT_EQ(errorOf([](MergeArguments &a) { a.lse = nullptr; }),
            "expects memory for 'lse', got null");
  EXPECT_EQ(errorOf([&](MergeArguments &a) { a.sink = lse; }),
            "expects no 'sink': the kernel was compiled without it");
  EXPECT_EQ(errorOf([](MergeArguments &) {}), "");
  EXPECT_TRUE(device().synchronize());
}

} // namespace
