// Every operation of the language of mods on the target, and the same bits on
// all targets. A mask reads operands from a table by the query's position, a
// head for each operation, and keeps the keys that are bits of the result; the
// values are unit vectors, so that these bits can be read from the output.
#include "Harness.h"
#include "MathCases.h"

#include "devices/Device.h"
#include "devices/Tensors.h"
#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

constexpr int64_t kBits = 64, kOperands = 3;

/// Samples of a case: the operands of each.
using Samples = std::vector<std::vector<Scalar>>;

Samples samplesOf(const MathCase &c, size_t count) {
  Samples samples;
  std::vector<std::vector<Scalar>> special;
  size_t product = 1;
  for (const std::string &type : c.operands) {
    special.push_back(specialValues(type));
    product *= special.back().size();
  }
  // All combinations, or as many of them, spread, as leave room for others.
  size_t combinations = std::min(product, count * 3 / 4);
  for (size_t i = 0; i < combinations; ++i) {
    size_t at = i * product / combinations;
    std::vector<Scalar> values;
    for (const auto &list : special) {
      values.push_back(list[at % list.size()]);
      at /= list.size();
    }
    samples.push_back(values);
  }
  while (samples.size() < count) {
    std::vector<Scalar> values;
    for (const std::string &type : c.operands)
      values.push_back(
          randomValue(type, samples.size() * kOperands + values.size()));
    samples.push_back(values);
  }
  return samples;
}

uint64_t bitsOf(const std::string &type, const Scalar &value) {
  if (!isFloatType(type))
    return static_cast<uint64_t>(value.i);
  auto single = static_cast<float>(value.f);
  uint32_t bits;
  std::memcpy(&bits, &single, sizeof bits);
  return bits;
}

/// %a, %b or %c of `type` from its low and high word.
std::string operandText(char name, int index, const std::string &type) {
  std::string low = "%low" + std::to_string(index),
              high = "%high" + std::to_string(index), to = "%";
  to += name;
  if (type == "i32")
    return to + " = arith.xori " + low + ", %zero : i32\n";
  if (type == "f32")
    return to + " = arith.bitcast " + low + " : i32 to f32\n";
  if (isFloatType(type))
    return to + "32 = arith.bitcast " + low + " : i32 to f32\n" + to +
           " = arith.truncf " + to + "32 : f32 to " + type + "\n";
  if (type != "i64" && type != "index")
    return to + " = arith.trunci " + low + " : i32 to " + type + "\n";
  std::string text = to + "l = arith.extui " + low + " : i32 to i64\n" + to +
                     "h = arith.extui " + high + " : i32 to i64\n" + to +
                     "s = arith.shli " + to + "h, %k32 : i64\n" + to +
                     "w = arith.ori " + to + "l, " + to + "s : i64\n";
  if (type == "i64")
    return text + to + " = arith.xori " + to + "w, %zero64 : i64\n";
  return text + to + " = arith.index_cast " + to + "w : i64 to index\n";
}

/// %bits of %r.
std::string resultText(const std::string &type) {
  if (type == "i64")
    return "%bits = arith.xori %r, %zero64 : i64\n";
  if (type == "index")
    return "%bits = arith.index_cast %r : index to i64\n";
  if (!isFloatType(type))
    return "%bits = arith.extsi %r : " + type + " to i64\n";
  std::string text;
  if (type != "f32")
    text = "%wide = arith.extf %r : " + type + " to f32\n";
  return text + "%word = arith.bitcast " + (type == "f32" ? "%r" : "%wide") +
         " : f32 to i32\n%bits = arith.extui %word : i32 to i64\n";
}

/// Up to %resultN, the result of the case that the head chooses, of N cases: an
/// i64 of its bits, or an f32 as it is.
std::string resultsText(const std::vector<MathCase> &cases, bool asBits) {
  std::string text = R"(
%zero = arith.constant 0 : i32
%zero64 = arith.constant 0 : i64
%k32 = arith.constant 32 : i64
%none = arith.constant 0.0 : f32
)";
  for (int64_t i = 0; i < kOperands; ++i)
    for (bool high : {false, true}) {
      std::string word = std::to_string(2 * i + high);
      text += "%c" + word + " = arith.constant " + word + " : i32\n" +
              (high ? "%high" : "%low") + std::to_string(i) +
              " = attn.load %x[%head, %c" + word +
              ", %q] : tensor<?x?x?xi32>\n";
    }
  std::string last = asBits ? "%zero64" : "%none";
  std::string type = asBits ? "i64" : "f32";
  for (size_t i = 0; i < cases.size(); ++i) {
    std::string number = std::to_string(i), next = "%result" + number;
    text += "%number" + number + " = arith.constant " + number + " : i32\n" +
            "%is" + number + " = arith.cmpi eq, %head, %number" + number +
            " : i32\n" + next + " = scf.if %is" + number + " -> (" + type +
            ") {\n";
    for (size_t k = 0; k < cases[i].operands.size(); ++k)
      text += operandText("abc"[k], static_cast<int>(k), cases[i].operands[k]);
    text += cases[i].text + "\n" + (asBits ? resultText(cases[i].result) : "") +
            "scf.yield " + (asBits ? "%bits" : "%r") + " : " + type +
            "\n} else {\nscf.yield " + last + " : " + type + "\n}\n";
    last = next;
  }
  return text;
}

std::string maskOf(const std::vector<MathCase> &cases) {
  return "attn.mod @sweep(%x: tensor<?x?x?xi32>)\n"
         "mask(%batch: i32, %head: i32, %q: i32, %kv: i32) {" +
         resultsText(cases, /*asBits=*/true) +
         "%position = arith.extui %kv : i32 to i64\n"
         "%shifted = arith.shrui %result" +
         std::to_string(cases.size() - 1) +
         ", %position : i64\n"
         "%keep = arith.trunci %shifted : i64 to i1\n"
         "attn.yield %keep : i1\n}\n";
}

std::string scoreOf(const std::vector<MathCase> &cases) {
  return "attn.mod @sweep(%x: tensor<?x?x?xi32>)\n"
         "score(%score: f32, %batch: i32, %head: i32, %q: i32, %kv: i32) {" +
         resultsText(cases, /*asBits=*/false) + "attn.yield %result" +
         std::to_string(cases.size() - 1) + " : f32\n}\n";
}

/// [case][operand word][sample]
std::vector<uint32_t> tableOf(const std::vector<MathCase> &cases,
                              const std::vector<Samples> &samples) {
  size_t count = samples[0].size();
  std::vector<uint32_t> table(cases.size() * 2 * kOperands * count);
  for (size_t i = 0; i < cases.size(); ++i)
    for (size_t s = 0; s < count; ++s)
      for (size_t k = 0; k < cases[i].operands.size(); ++k) {
        uint64_t bits = bitsOf(cases[i].operands[k], samples[i][s][k]);
        for (size_t high : {0, 1})
          table[((i * kOperands + k) * 2 + high) * count + s] =
              static_cast<uint32_t>(bits >> (32 * high));
      }
  return table;
}

/// A contiguous tensor of f32 or bf16 in the memory of a device.
struct Floats {
  Floats(bench::Device &device, ElementType type, std::array<int64_t, 4> sizes,
         const std::vector<float> &values)
      : device(device), count(values.size()) {
    std::vector<char> bytes(count * byteWidth(type));
    bench::fromFloat(bytes.data(), type, values.data(),
                     static_cast<int64_t>(count));
    auto made = bench::Buffer::create(device, bytes.size());
    EXPECT_TRUE(made) << made.error();
    buffer = std::move(*made);
    auto copied = device.copyIn(buffer.data(), bytes.data(), bytes.size());
    EXPECT_TRUE(copied) << copied.error();
    view.data = buffer.data();
    view.type = type;
    view.sizes = sizes;
    view.strides = {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3],
                    sizes[3]};
  }
  std::vector<double> read() const {
    std::vector<char> bytes(count * byteWidth(view.type));
    auto done = device.copyOut(bytes.data(), buffer.data(), bytes.size());
    EXPECT_TRUE(done) << done.error();
    std::vector<double> numbers(count);
    bench::toDouble(numbers.data(), bytes.data(), view.type,
                    static_cast<int64_t>(count));
    return numbers;
  }
  bench::Device &device;
  size_t count;
  bench::Buffer buffer;
  TensorView view;
};

/// What the target makes of a table: out and lse.
struct Results {
  std::vector<double> out, lse;
};

Results runOn(Target target, bench::Device &device, const Mod &mod,
              int64_t heads, int64_t queries, int64_t keys,
              const std::vector<uint32_t> &table, ElementType type) {
  Results results;
  KernelSpec spec;
  spec.target = target;
  spec.type = type;
  spec.headDim = spec.valueDim = kBits;
  spec.lse = true;
  // Small tiles on a GPU: a thread evaluates the program for each element.
  if (target == Target::CUDA)
    spec.schedule = type != ElementType::F32 && runsSM90a()
                        ? "#attn.schedule<tiling = <q = 64, kv = 16>, "
                          "roles = <warps = 4, producers = 4>, "
                          "pipeline = <stages = 2>>"
                        : "#attn.schedule<tiling = <q = 16, kv = 16>>";
  auto kernel = AttentionKernel::compile(mod, spec);
  EXPECT_TRUE(kernel) << kernel.error();
  if (!kernel)
    return results;
  std::vector<float> unit(keys * kBits);
  for (int64_t i = 0; i < std::min(keys, kBits); ++i)
    unit[i * kBits + i] = 1;
  Floats query(device, type, {1, heads, queries, kBits},
               std::vector<float>(heads * queries * kBits)),
      key(device, type, {1, 1, keys, kBits}, std::vector<float>(keys * kBits)),
      value(device, type, {1, 1, keys, kBits}, unit),
      out(device, type, {1, heads, queries, kBits},
          std::vector<float>(heads * queries * kBits, NAN)),
      lse(device, ElementType::F32, {1, 1, heads, queries},
          std::vector<float>(heads * queries, NAN));
  int64_t bytes = static_cast<int64_t>(table.size() * sizeof(uint32_t));
  auto memory = bench::Buffer::create(device, bytes);
  EXPECT_TRUE(memory) << memory.error();
  auto copied = device.copyIn(memory->data(), table.data(), bytes);
  EXPECT_TRUE(copied) << copied.error();
  std::vector<CaptureView> captures{
      {memory->data(), {heads, 2 * kOperands, queries}}};
  auto done =
      kernel->run(query.view, key.view, value.view, captures, out.view,
                  static_cast<float *>(lse.buffer.data()), device.stream());
  EXPECT_TRUE(done) << done.error();
  done = device.synchronize();
  EXPECT_TRUE(done) << done.error();
  return {out.read(), lse.read()};
}

/// [case][sample]: the bits of each result.
std::vector<uint64_t> masksOn(Target target, bench::Device &device,
                              const Mod &mod, int64_t cases, int64_t samples,
                              const std::vector<uint32_t> &table) {
  // The kernels with tensor copies are none for f32.
  ElementType type = target == Target::CUDA && runsSM90a() ? ElementType::BF16
                                                           : ElementType::F32;
  Results results =
      runOn(target, device, mod, cases, samples, kBits, table, type);
  std::vector<uint64_t> masks(results.out.size() / kBits);
  for (size_t i = 0; i < results.out.size(); ++i)
    masks[i / kBits] |= uint64_t(results.out[i] != 0) << i % kBits;
  return masks;
}

std::string describe(const MathCase &c, const std::vector<Scalar> &sample) {
  std::string text = c.name() + ":";
  for (size_t k = 0; k < sample.size(); ++k) {
    char number[64];
    if (isFloatType(c.operands[k]))
      std::snprintf(number, sizeof number, " %.9g (%a)", sample[k].f,
                    sample[k].f);
    else
      std::snprintf(number, sizeof number, " %lld",
                    static_cast<long long>(sample[k].i));
    text += number;
  }
  return text;
}

/// The error in units of the last place; infinite for a wrong integer.
double errorOf(const MathCase &c, const std::vector<Scalar> &sample,
               uint64_t bits) {
  Scalar expected = c.expected(sample.data());
  if (!isFloatType(c.result)) {
    int width = widthOf(c.result);
    uint64_t mask = width == 64 ? ~uint64_t(0) : (uint64_t(1) << width) - 1;
    return ((bits ^ static_cast<uint64_t>(expected.i)) & mask) == 0 ? 0
                                                                    : INFINITY;
  }
  auto word = static_cast<uint32_t>(bits);
  float actual;
  std::memcpy(&actual, &word, sizeof actual);
  if (c.flushes && actual == 0 && std::fabs(expected.f) < 0x1p-125)
    return 0;
  return unitsBetween(actual, expected.f);
}

/// Writes the worst error of an operation into the results of the tests, whose
/// readers want one line.
void recordError(std::string name, double worst) {
  std::replace(name.begin(), name.end(), '\n', ' ');
  testing::Test::RecordProperty(name, std::to_string(worst));
}

/// Compares the results of the cases with what is expected, and with those of
/// the CPU where the target is another one.
void sweep(const std::vector<MathCase> &cases, size_t count) {
  std::vector<Samples> samples;
  for (const MathCase &c : cases)
    samples.push_back(samplesOf(c, count));
  std::vector<uint32_t> table = tableOf(cases, samples);
  std::string text = maskOf(cases);
  Result<Mod> mod = Mod::fromSource(text, "sweep.mlir");
  ASSERT_TRUE(mod) << mod.error() << "\n" << text;
  auto size = static_cast<int64_t>(cases.size());
  auto length = static_cast<int64_t>(count);
  auto actual = masksOn(selectedTarget(), device(), *mod, size, length, table);
  ASSERT_EQ(actual.size(), cases.size() * count);
  for (size_t i = 0; i < cases.size(); ++i) {
    double worst = 0;
    size_t place = 0;
    for (size_t s = 0; s < count; ++s) {
      double error = errorOf(cases[i], samples[i][s], actual[i * count + s]);
      if (error > worst)
        worst = error, place = s;
    }
    if (isFloatType(cases[i].result))
      recordError(cases[i].name(), worst);
    if (std::getenv("ATTN_TEST_PRINT_ERRORS"))
      std::printf("%-60s %.3f at %s\n", cases[i].op.c_str(), worst,
                  describe(cases[i], samples[i][place]).c_str());
    EXPECT_LE(worst, cases[i].units)
        << describe(cases[i], samples[i][place]) << " gives bits " << std::hex
        << actual[i * count + place];
  }
  if (selectedTarget() == Target::CPU)
    return;
  auto cpu = bench::createCPUDevice();
  auto same = masksOn(Target::CPU, *cpu, *mod, size, length, table);
  ASSERT_EQ(same.size(), actual.size());
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_EQ(actual[i], same[i])
        << "not the CPU's: "
        << describe(cases[i / count], samples[i / count][i % count]);
}

/// On the PTX machine, ptxas assembles the code as well where there is one: it
/// takes no other code than a GPU's driver.
class MathSweep : public testing::TestWithParam<int> {
protected:
  MathSweep() {
    if (const char *ptxas = std::getenv("ATTN_TEST_PTXAS"))
      setenv("ATTN_PTX_ASSEMBLER", ptxas, 1);
  }
  ~MathSweep() override { unsetenv("ATTN_PTX_ASSEMBLER"); }
};

constexpr int kParts = 12;

/// Cases that take as long in each part.
std::vector<MathCase> partOf(int part) {
  std::vector<MathCase> all = mathCases(), some;
  for (size_t i = static_cast<size_t>(part); i < all.size(); i += kParts)
    some.push_back(all[i]);
  return some;
}

TEST_P(MathSweep, HasTheDefinedResultsOnEveryTarget) {
  sweep(partOf(GetParam()), interpreted() ? 160 : 512);
}

INSTANTIATE_TEST_SUITE_P(Parts, MathSweep, testing::Range(0, kParts));

// With many more values, where that is cheap.
TEST(MathErrors, StayBelowTheirBounds) {
  if (interpreted())
    GTEST_SKIP() << "expects a target that runs millions of pairs";
  std::vector<MathCase> functions;
  for (const MathCase &c : mathCases())
    if (c.units > 0)
      functions.push_back(c);
  sweep(functions, 8000);
}

/// The error of a score that docs/Mods.md allows, beside that of the LSE.
double scoreBound(const MathCase &c, double x, ElementType type) {
  double units = c.units;
  if (selectedTarget() == Target::CUDA) {
    if (c.op == "math.tanh" && type != ElementType::F32)
      return std::ldexp(1.0, -10) * std::fabs(std::tanh(x));
    if (c.op == "math.exp")
      units = 4 + std::fabs(x);
    if (c.op == "math.log" || c.op == "math.log2")
      return std::ldexp(1.0, -21) * (1 + std::fabs(std::log(std::fabs(x))));
    units += 2;
  }
  Scalar operand{x, 0};
  return units * std::ldexp(1.0, -23) * std::fabs(c.expected(&operand).f);
}

// As scores, where a target may approximate: one key, whose score is the LSE.
TEST(MathScores, AreWithinTheirBounds) {
  std::vector<MathCase> cases;
  for (const MathCase &c : mathCases())
    if (c.operands == std::vector<std::string>{"f32"} && c.result == "f32")
      cases.push_back(c);
  size_t count = 64;
  std::vector<Samples> samples(cases.size());
  for (size_t i = 0; i < cases.size(); ++i)
    for (uint64_t seed = 0; samples[i].size() < count; ++seed) {
      Scalar x = randomValue("f32", seed);
      double result = cases[i].expected(&x).f;
      if (std::fabs(x.f) < 80 && std::fabs(x.f) > 1e-3 &&
          std::fabs(result) < 1e6)
        samples[i].push_back({x});
    }
  Result<Mod> mod = Mod::fromSource(scoreOf(cases), "scores.mlir");
  ASSERT_TRUE(mod) << mod.error();
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    Results results =
        runOn(selectedTarget(), device(), *mod,
              static_cast<int64_t>(cases.size()), static_cast<int64_t>(count),
              /*keys=*/1, tableOf(cases, samples), type);
    ASSERT_EQ(results.lse.size(), cases.size() * count);
    for (size_t i = 0; i < cases.size(); ++i)
      for (size_t s = 0; s < count; ++s) {
        double expected = cases[i].expected(samples[i][s].data()).f;
        double bound = scoreBound(cases[i], samples[i][s][0].f, type) +
                       8e-7 * std::fmax(1, std::fabs(expected));
        ASSERT_NEAR(results.lse[i * count + s], expected, bound)
            << describe(cases[i], samples[i][s]);
      }
  }
}

} // namespace
