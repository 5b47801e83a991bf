// See Harness.h.
#include "Harness.h"

#include "Convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace attn;
using namespace attn::test;

static Target selectedTarget = Target::CPU;

void attn::test::selectTarget(Target target) { selectedTarget = target; }

bench::Device &attn::test::device() {
  static std::unique_ptr<bench::Device> instance = [] {
    if (selectedTarget == Target::CPU)
      return bench::createCPUDevice();
    auto cuda = bench::createCUDADevice();
    if (!cuda) {
      std::fprintf(stderr, "%s\n", cuda.error().c_str());
      std::exit(1);
    }
    return std::move(*cuda);
  }();
  return *instance;
}

Result<Mod> attn::test::loadPattern(const std::string &name) {
  return Mod::fromFile(std::string(ATTN_MODS_DIR) + "/" + name + ".mlir");
}

std::string Case::name() const {
  const ProblemSizes &s = sizes;
  std::string text = pattern + "_" + toString(type) + "_b" +
                     std::to_string(s.batch) + "_h" + std::to_string(s.heads) +
                     "kv" + std::to_string(s.kvHeads) + "_" +
                     std::to_string(s.queries) + "x" + std::to_string(s.keys) +
                     "_d" + std::to_string(s.headDim);
  if (s.valueDim != s.headDim)
    text += "v" + std::to_string(s.valueDim);
  if (numbers == Numbers::SmallIntegers)
    text += "_integers";
  if (layout == Layout::BSHD)
    text += "_bshd";
  return text;
}

static std::vector<double> randomNumbers(int64_t count, const Case &c,
                                         unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> integers(-2, 2);
  std::vector<float> numbers(count);
  for (float &x : numbers)
    x = c.numbers == Numbers::Normal ? normal(generator)
                                     : static_cast<float>(integers(generator));
  bench::roundTo(c.type, numbers.data(), count);
  return {numbers.begin(), numbers.end()};
}

Inputs attn::test::makeInputs(const Case &c) {
  const ProblemSizes &s = c.sizes;
  int64_t rows = s.batch * s.heads * s.queries;
  int64_t keyRows = s.batch * s.kvHeads * s.keys;
  return {s, 1 / std::sqrt(static_cast<double>(s.headDim)),
          randomNumbers(rows * s.headDim, c, 1),
          randomNumbers(keyRows * s.headDim, c, 2),
          randomNumbers(keyRows * s.valueDim, c, 3)};
}

namespace {
/// Device memory with guard bands on both sides.
class Buffer {
public:
  explicit Buffer(int64_t bytes) : bytes(bytes) {
    auto result = device().allocate(bytes + 2 * guard);
    EXPECT_TRUE(result) << result.error();
    memory = static_cast<char *>(*result);
    EXPECT_TRUE(device().fill(memory, 0x5a, bytes + 2 * guard));
    // Every floating-point type: NaN.
    EXPECT_TRUE(device().fill(memory + guard, 0xff, bytes));
  }
  ~Buffer() { device().release(memory); }
  Buffer(const Buffer &) = delete;

  void *data() { return memory + guard; }
  void upload(const void *from) {
    EXPECT_TRUE(device().copyIn(data(), from, bytes));
  }
  /// The contents; fails the test if a guard band was written to.
  std::vector<char> download() {
    std::vector<char> all(bytes + 2 * guard);
    EXPECT_TRUE(device().copyOut(all.data(), memory, all.size()));
    for (int64_t i = 0; i < guard; ++i) {
      if (all[i] != 0x5a || all[guard + bytes + i] != 0x5a) {
        ADD_FAILURE() << "memory around a result was written to";
        break;
      }
    }
    return {all.begin() + guard, all.end() - guard};
  }

private:
  static constexpr int64_t guard = 1024;
  int64_t bytes;
  char *memory = nullptr;
};

/// A 4-d tensor in a buffer, in the case's layout.
class Tensor {
public:
  Tensor(const Case &c, int64_t heads, int64_t length, int64_t channels)
      : sizes{c.sizes.batch, heads, length, channels}, type(c.type),
        buffer(c.sizes.batch * heads * length * channels * byteWidth(c.type)) {
    strides = c.layout == Layout::BHSD
                  ? std::array<int64_t, 3>{heads * length * channels,
                                           length * channels, channels}
                  : std::array<int64_t, 3>{length * heads * channels, channels,
                                           heads * channels};
  }
  TensorView view() { return {buffer.data(), type, sizes, strides}; }

  void upload(const std::vector<double> &numbers) {
    std::vector<float> values(numbers.size());
    each([&](int64_t from, int64_t to) { values[to] = numbers[from]; });
    std::vector<char> elements(numbers.size() * byteWidth(type));
    bench::fromFloat(elements.data(), type, values.data(), values.size());
    buffer.upload(elements.data());
  }
  std::vector<double> download() {
    std::vector<char> elements = buffer.download();
    std::vector<double> values(elements.size() / byteWidth(type));
    bench::toDouble(values.data(), elements.data(), type, values.size());
    std::vector<double> numbers(values.size());
    each([&](int64_t from, int64_t to) { numbers[from] = values[to]; });
    return numbers;
  }

private:
  /// Calls `body` with each element's place in (b, h, s, d) order and in
  /// memory.
  template <typename Body> void each(Body body) {
    int64_t i = 0;
    for (int64_t b = 0; b < sizes[0]; ++b)
      for (int64_t h = 0; h < sizes[1]; ++h)
        for (int64_t s = 0; s < sizes[2]; ++s)
          for (int64_t d = 0; d < sizes[3]; ++d)
            body(i++, b * strides[0] + h * strides[1] + s * strides[2] + d);
  }

  std::array<int64_t, 4> sizes;
  std::array<int64_t, 3> strides;
  ElementType type;
  Buffer buffer;
};
} // namespace

static void compare(const char *what, const std::vector<double> &actual,
                    const std::vector<double> &expected, double bound) {
  ASSERT_EQ(actual.size(), expected.size());
  double worst = 0;
  size_t place = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] == expected[i] ||
        (std::isnan(actual[i]) && std::isnan(expected[i])))
      continue;
    double error = std::fabs(actual[i] - expected[i]);
    if (!(error <= worst)) {
      worst = error;
      place = i;
      if (std::isnan(error))
        break;
    }
  }
  EXPECT_LE(worst, bound) << what << "[" << place << "] = " << actual[place]
                          << ", expected " << expected[place];
}

static double largest(const std::vector<double> &numbers) {
  double result = 0;
  for (double x : numbers)
    if (std::isfinite(x))
      result = std::fmax(result, std::fabs(x));
  return result;
}

void attn::test::runAndCompare(const Case &c, const Mod &mod,
                               const Oracle &oracle, const Inputs &inputs,
                               const std::vector<CaptureData> &captures) {
  const ProblemSizes &s = c.sizes;
  KernelSpec spec;
  spec.target = selectedTarget;
  spec.type = c.type;
  spec.headDim = s.headDim;
  spec.valueDim = s.valueDim;
  spec.lse = c.lse;
  spec.schedule = c.schedule;
  spec.aligned = s.headDim * byteWidth(c.type) % 16 == 0 &&
                 s.valueDim * byteWidth(c.type) % 16 == 0;
  Result<AttentionKernel> kernel = AttentionKernel::compile(mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();

  Tensor query(c, s.heads, s.queries, s.headDim);
  Tensor key(c, s.kvHeads, s.keys, s.headDim);
  Tensor value(c, s.kvHeads, s.keys, s.valueDim);
  Tensor out(c, s.heads, s.queries, s.valueDim);
  query.upload(inputs.query);
  key.upload(inputs.key);
  value.upload(inputs.value);
  int64_t rows = s.batch * s.heads * s.queries;
  Buffer lse(rows * sizeof(float));
  std::vector<CaptureView> views = viewsOf(captures);
  std::vector<std::unique_ptr<Buffer>> tables;
  for (size_t i = 0; i < captures.size(); ++i) {
    if (captures[i].sizes.empty())
      continue;
    tables.push_back(std::make_unique<Buffer>(captures[i].bytes.size()));
    tables.back()->upload(captures[i].bytes.data());
    views[i].data = tables.back()->data();
  }

  Result<void> run = kernel->run(
      query.view(), key.view(), value.view(), views, out.view(),
      c.lse ? static_cast<float *>(lse.data()) : nullptr, device().stream());
  ASSERT_TRUE(run) << run.error();
  Result<void> done = device().synchronize();
  ASSERT_TRUE(done) << done.error();

  Expected expected = evaluate(inputs, oracle, c.type);
  double unit = bench::unitRoundoff(c.type);
  double floor = 4 * unit * largest(expected.out);
  compare("out", out.download(), expected.out,
          2 * expected.roundedError + floor);
  if (!c.lse)
    return;
  std::vector<char> bytes = lse.download();
  std::vector<float> lse32(rows);
  std::memcpy(lse32.data(), bytes.data(), bytes.size());
  // Scores of a matrix unit have f32 accuracy whatever the element type is.
  compare("lse", {lse32.begin(), lse32.end()}, expected.lse,
          4e-6 * std::fmax(1, largest(expected.lse)) + 2e-6 * s.headDim);
}

void attn::test::runPattern(const Case &c) {
  Result<Mod> mod = loadPattern(c.pattern);
  ASSERT_TRUE(mod) << mod.error();
  auto captures = mod->makeCaptures(c.sizes);
  ASSERT_TRUE(captures) << captures.error();
  Result<void> fine = mod->check(c.sizes, viewsOf(*captures));
  ASSERT_TRUE(fine) << fine.error();
  runAndCompare(c, *mod, oracleOf(c.pattern, c.sizes, *captures), makeInputs(c),
                *captures);
}
