// See CaptureRun.h.
#include "CaptureRun.h"

#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>

using namespace attn;
using namespace attn::test;

void attn::test::PrintTo(const CaptureCase &c, std::ostream *out) {
  *out << c.mod;
}

std::vector<double> attn::test::normalNumbers(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution;
  std::vector<double> numbers(count);
  for (double &x : numbers)
    x = distribution(random);
  return numbers;
}

void *DeviceCopy::in(const void *host, size_t size) {
  if (!memory)
    memory = *device().allocate(std::max<int64_t>(size, 16));
  EXPECT_TRUE(device().copyIn(memory, host, static_cast<int64_t>(size)));
  return memory;
}

void DeviceCopy::out(void *host, size_t size) {
  EXPECT_TRUE(device().synchronize());
  EXPECT_TRUE(device().copyOut(host, memory, static_cast<int64_t>(size)));
}

/// test/Inputs/mods/NAME.mlir of the package that the program is in, else of
/// the source tree.
static Result<Mod> loadTestMod(const std::string &name) {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::path program = fs::read_symlink("/proc/self/exe", code);
  fs::path mods = program.parent_path() / "../test/Inputs/mods";
  if (code || !fs::is_directory(mods, code))
    mods = ATTN_TEST_MODS_DIR;
  return Mod::fromFile((mods / (name + ".mlir")).lexically_normal().string());
}

Result<Mod> attn::test::modOf(const CaptureCase &c) {
  bool isFile = c.mod.find(' ') == std::string::npos;
  Result<Mod> mod = isFile ? loadPattern(c.mod)
                           : Mod::fromSource("attn.mod @m" + c.mod, "mod.mlir");
  if (isFile && !mod)
    mod = loadTestMod(c.mod);
  if (mod && c.queryOffset)
    return mod->withQueryOffset(QueryOffset::Scalar);
  return mod;
}

namespace {

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
  DeviceCopy placed;

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
  /// Where a kernel finds it, after what the host wrote.
  TensorView view() {
    return {placed.in(bytes.data(), bytes.size()),
            type,
            sizes,
            {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3]}};
  }
};

/// The captured values of a case: random floats, and integers from 0 to 4.
class Captures {
public:
  Captures(const CaptureCase &c, const Mod &mod) : c(c), mod(mod) {
    for (size_t i = 0; i < c.shapes.size(); ++i) {
      const CaptureInfo &info = mod.captures()[i];
      std::vector<double> numbers = normalNumbers(count(c.shapes[i]), 40 + i);
      bool isInteger = info.type == ElementType::I32;
      for (double &x : numbers)
        x = isInteger ? std::fmod(std::fabs(std::floor(x * 7)), 5)
                      : 0.9 + 0.4 * x;
      set(info, numbers);
    }
    if (c.queryOffset)
      set(mod.captures().back(), {double(*c.queryOffset)});
    placed.resize(bytes.size());
  }

  std::vector<CaptureView> views() {
    std::vector<CaptureView> result;
    for (size_t i = 0; i < bytes.size(); ++i) {
      CaptureView view;
      view.data = mod.captures()[i].isScalar
                      ? bytes[i].data()
                      : placed[i].in(bytes[i].data(), bytes[i].size());
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
  Mod mod;
  std::vector<std::vector<std::byte>> bytes;
  std::vector<DeviceCopy> placed;
};
} // namespace

struct CaptureRun::Impl {
  explicit Impl(const CaptureCase &c) : c(c), s(c.sizes) {}

  KernelSpec spec() const {
    device(); // whose context kernels are compiled for
    KernelSpec spec;
    spec.target = selectedTarget(), spec.portable = portableIsSelected();
    spec.type = c.type, spec.headDim = s.headDim, spec.valueDim = s.valueDim;
    return spec;
  }

  void runForward(const Mod &mod) {
    KernelSpec withLse = spec();
    withLse.lse = true;
    Result<AttentionKernel> forward = AttentionKernel::compile(mod, withLse);
    ASSERT_TRUE(forward) << forward.error();
    Result<void> ran =
        forward->run(query.view(), key.view(), value.view(), captures->views(),
                     out.view(), onDevice(placedLse, lse), device().stream());
    ASSERT_TRUE(ran) << ran.error();
    out.placed.out(out.bytes.data(), out.bytes.size());
    placedLse.out(lse.data(), lse.size() * sizeof(float));
  }

  GradientArguments arguments() {
    GradientArguments a;
    a.query = query.view(), a.key = key.view(), a.value = value.view();
    a.out = out.view(), a.lse = onDevice(placedLse, lse);
    a.captures = captures->views(), a.gradOut = gradOut.view();
    a.gradLse = c.gradLse ? onDevice(placedGradLse, gradLse) : nullptr;
    a.gradQuery = gradQuery.view(), a.gradKey = gradKey.view();
    a.gradValue = gradValue.view();
    a.stream = device().stream();
    return a;
  }

  static float *onDevice(DeviceCopy &placed,
                         const std::vector<float> &numbers) {
    return static_cast<float *>(
        placed.in(numbers.data(), numbers.size() * sizeof(float)));
  }

  void setInputs() {
    Case asCase;
    asCase.type = c.type, asCase.sizes = s;
    inputs = makeInputs(asCase);
    query.set(inputs.query), key.set(inputs.key), value.set(inputs.value);
    numbersOut = normalNumbers(
        static_cast<size_t>(s.batch * s.heads * s.queries * s.valueDim), 77);
    std::vector<float> rounded(numbersOut.begin(), numbersOut.end());
    bench::roundTo(c.type, rounded.data(),
                   static_cast<int64_t>(rounded.size()));
    numbersOut.assign(rounded.begin(), rounded.end());
    gradOut.set(numbersOut);
    std::vector<double> ofLse = normalNumbers(lse.size(), 78);
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
      std::vector<double> direction = normalNumbers(got.size(), seed);
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
  DeviceCopy placedLse, placedGradLse, placedWorkspace;
  std::vector<DeviceCopy> placedGradients;
};

CaptureRun::CaptureRun(const CaptureCase &c)
    : impl(std::make_unique<Impl>(c)) {}
CaptureRun::~CaptureRun() = default;

void CaptureRun::compute() {
  Impl &i = *impl;
  Result<Mod> mod = modOf(i.c);
  ASSERT_TRUE(mod) << mod.error();
  i.captures.emplace(i.c, *mod);
  for (const std::string &name : i.c.wrt)
    for (size_t k = 0; k < mod->captures().size(); ++k)
      if (mod->captures()[k].name == name)
        i.numbers.push_back(k);
  ASSERT_EQ(i.numbers.size(), i.c.wrt.size());
  i.placedGradients.resize(i.numbers.size());
  i.setInputs();
  i.runForward(*mod);
  if (testing::Test::HasFatalFailure())
    return;
  KernelSpec spec = i.spec();
  spec.lse = i.c.gradLse;
  spec.schedule = i.c.schedule;
  Result<GradientKernel> compiled =
      GradientKernel::compile(*mod, spec, i.c.wrt);
  ASSERT_TRUE(compiled) << compiled.error();
  i.kernel = *compiled;
  computeAgain();
}

void CaptureRun::computeAgain() {
  Impl &i = *impl;
  GradientArguments a = i.arguments();
  gradients.clear();
  for (size_t number : i.numbers)
    gradients.emplace_back(i.captures->tables[number].size() + 2, NAN);
  for (size_t k = 0; k < gradients.size(); ++k)
    a.gradCaptures.push_back(
        Impl::onDevice(i.placedGradients[k], gradients[k]) + 1);
  int64_t floats = i.kernel->workspaceBytes(i.s, a.captures) / 4;
  std::vector<float> workspace(static_cast<size_t>(floats) + 8, NAN);
  auto start =
      reinterpret_cast<uintptr_t>(Impl::onDevice(i.placedWorkspace, workspace));
  a.workspace = reinterpret_cast<void *>((start + 15) / 16 * 16);
  a.workspaceBytes = floats * 4;
  Result<void> ran = i.kernel->run(a);
  ASSERT_TRUE(ran) << ran.error();
  for (size_t k = 0; k < gradients.size(); ++k)
    i.placedGradients[k].out(gradients[k].data(),
                             gradients[k].size() * sizeof(float));
  for (const std::vector<float> &gradient : gradients)
    EXPECT_TRUE(std::isnan(gradient.front()) && std::isnan(gradient.back()));
}

void CaptureRun::compare() {
  Impl &i = *impl;
  Loss loss(i.c, i.inputs, i.numbersOut,
            i.c.gradLse
                ? std::vector<double>(i.gradLse.begin(), i.gradLse.end())
                : std::vector<double>());
  for (size_t k = 0; k < i.numbers.size(); ++k)
    i.compareOne(loss, i.numbers[k],
                 {gradients[k].begin() + 1, gradients[k].end() - 1});
}
