// What broke other attention kernels: masked-out NaN, empty rows, uneven
// dimensions, programs with branches and tables; and what a caller gets to read
// after a mistake.
#include "Harness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace attn;
using namespace attn::test;

static constexpr double nan64 = std::numeric_limits<double>::quiet_NaN();
static constexpr double infinity = std::numeric_limits<double>::infinity();

static Case makeCase(const char *pattern, ElementType type, int64_t queries,
                     int64_t keys, int64_t headDim, int64_t valueDim) {
  Case c;
  c.pattern = pattern;
  c.type = type;
  c.sizes = {1, 2, 1, queries, keys, headDim, valueDim, 1};
  return c;
}

static Mod parse(const std::string &text) {
  Result<Mod> mod = Mod::fromSource(text, "test.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

template <typename T>
static CaptureData table(ElementType type, std::vector<int64_t> sizes,
                         const std::vector<T> &values) {
  CaptureData data{type, std::move(sizes), {}};
  data.bytes.resize(values.size() * sizeof(T));
  std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}

TEST(Edge, EveryHeadDimensionWorks) {
  for (int64_t d : {1, 2, 7, 33, 72, 96, 113, 160, 192, 255})
    for (ElementType type : {ElementType::F32, ElementType::BF16})
      runPattern(makeCase("causal", type, 70, 70, d, d));
}

TEST(Edge, ValueDimensionMayDiffer) {
  runPattern(makeCase("noop", ElementType::F32, 33, 65, 64, 128));
  runPattern(makeCase("causal", ElementType::BF16, 130, 129, 192, 128));
  runPattern(makeCase("alibi", ElementType::F16, 64, 64, 17, 3));
}

TEST(Edge, SchedulesAgree) {
  for (const char *schedule :
       {"#attn.schedule<tiling = <q = 16, kv = 16>>",
        "#attn.schedule<tiling = <q = 32, kv = 128>, roles = <warps = 2>>",
        "#attn.schedule<tiling = <q = 128, kv = 48>, roles = <warps = 8>>"}) {
    for (ElementType type : {ElementType::F32, ElementType::BF16}) {
      Case c = makeCase("alibi", type, 200, 300, 64, 64);
      c.schedule = schedule;
      runPattern(c);
    }
  }
}

// Rows, or the first row, that start anywhere: no copy of 16 bytes may be used.
TEST(Edge, RowsMayStartAnywhere) {
  struct Place {
    int64_t rowPadding, offset;
    Layout layout;
  };
  for (ElementType type :
       {ElementType::F32, ElementType::BF16, ElementType::F16})
    for (Place place :
         {Place{1, 0, Layout::BHSD}, Place{0, 1, Layout::BSHD},
          Place{3, 5, Layout::BSHD}, Place{16, 8, Layout::BHSD}}) {
      Case c = makeCase("causal", type, 70, 90, 64, 80);
      c.layout = place.layout;
      c.rowPadding = place.rowPadding, c.offset = place.offset;
      SCOPED_TRACE(c.name());
      runPattern(c);
    }
}

/// As accurate as products and sums that are added block by block.
TEST(Edge, LongRowsKeepTheirAccuracy) {
  runPattern(makeCase("noop", ElementType::F32, 40, 16384, 64, 64));
}

TEST(Edge, RunsAgreeBitForBit) {
  for (const char *pattern : {"noop", "causal", "document_mask"})
    for (ElementType type :
         {ElementType::F32, ElementType::BF16, ElementType::F16}) {
      Case c = makeCase(pattern, type, 333, 350, 64, 64);
      c.runs = interpreted() ? 3 : 20;
      SCOPED_TRACE(c.name());
      runPattern(c);
    }
}

TEST(Edge, LSEIsOptional) {
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    Case c = makeCase("softcap", type, 65, 130, 96, 96);
    c.lse = false;
    runPattern(c);
  }
}

// Keys after the last query are never kept by a causal mask.
TEST(Edge, NaNThatNoRowKeepsDoesNotLeak) {
  for (ElementType type :
       {ElementType::F32, ElementType::BF16, ElementType::F16}) {
    Case c = makeCase("causal", type, 70, 130, 64, 64);
    Inputs inputs = makeInputs(c);
    for (int64_t j = 70; j < 130; ++j)
      for (int64_t d = 0; d < 64; ++d)
        inputs.key[j * 64 + d] = inputs.value[j * 64 + d] = nan64;
    Result<Mod> mod = loadPattern("causal");
    ASSERT_TRUE(mod) << mod.error();
    runAndCompare(c, *mod, oracleOf("causal", c.sizes, {}), inputs, {});
  }
}

// Rows that keep the NaN are NaN, the others are not.
TEST(Edge, NaNReachesOnlyRowsThatKeepIt) {
  for (ElementType type :
       {ElementType::F32, ElementType::BF16, ElementType::F16}) {
    Case c = makeCase("causal", type, 150, 150, 64, 80);
    Inputs inputs = makeInputs(c);
    for (int64_t d = 0; d < 80; ++d)
      inputs.value[77 * 80 + d] = d % 2 ? nan64 : infinity;
    Result<Mod> mod = loadPattern("causal");
    ASSERT_TRUE(mod) << mod.error();
    runAndCompare(c, *mod, oracleOf("causal", c.sizes, {}), inputs, {});
  }
}

TEST(Edge, RowsWithoutKeysAreZero) {
  Mod mod = parse(R"(
    attn.mod @odd_rows
      mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
        %one = arith.constant 1 : i32
        %zero = arith.constant 0 : i32
        %bit = arith.andi %q, %one : i32
        %keep = arith.cmpi ne, %bit, %zero : i32
        attn.yield %keep : i1
      })");
  Oracle oracle;
  oracle.mask = [](int, int, int q, int) { return q % 2 == 1; };
  for (ElementType type :
       {ElementType::F32, ElementType::BF16, ElementType::F16}) {
    Case c = makeCase("noop", type, 90, 75, 32, 32);
    runAndCompare(c, mod, oracle, makeInputs(c), {});
    c = makeCase("noop", type, 5, 0, 32, 32);
    runAndCompare(c, mod, oracle, makeInputs(c), {});
  }
}

// Without keys, queries, heads or batches there is no pair to evaluate a
// program for, nor need there be memory.
TEST(Edge, NothingIsReadWhereThereIsNothing) {
  Case c = makeCase("document_mask", ElementType::BF16, 5, 5, 32, 48);
  for (int64_t ProblemSizes::*size :
       {&ProblemSizes::keys, &ProblemSizes::queries, &ProblemSizes::heads,
        &ProblemSizes::batch}) {
    Case empty = c;
    empty.sizes.*size = 0;
    if (!empty.sizes.heads)
      empty.sizes.kvHeads = 0;
    SCOPED_TRACE(empty.name());
    runPattern(empty);
  }
  for (Layout layout : {Layout::BHSD, Layout::BSHD}) {
    Case noKeys = makeCase("alibi", ElementType::F32, 5, 0, 16, 7);
    noKeys.sizes.batch = 2;
    noKeys.layout = layout;
    noKeys.rowPadding = 3;
    runPattern(noKeys);
  }
}

/// A program for heads, queries and keys below 2, 70 and 90.
static void runProgram(const char *score, const char *mask,
                       const Oracle &oracle, ElementType type) {
  std::string text = "attn.mod @folds\n";
  if (score)
    text += std::string("score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) "
                        "{\n") +
            score + "\nattn.yield %t : f32\n}\n";
  if (mask)
    text += std::string("mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n") +
            mask + "\nattn.yield %keep : i1\n}\n";
  SCOPED_TRACE(text);
  Case c = makeCase("noop", type, 70, 90, 32, 32);
  runAndCompare(c, parse(text), oracle, makeInputs(c), {});
}

// Of what folds to a constant, little is left to compile.
TEST(Edge, ProgramsMayFoldToConstants) {
  const char *nothing = "%keep = arith.constant false";
  const char *all = "%keep = arith.constant true";
  const char *corner = R"(%zero = arith.constant 0 : i32
    %row = arith.cmpi eq, %q, %zero : i32
    %column = arith.cmpi eq, %kv, %zero : i32
    %keep = arith.andi %row, %column : i1)";
  const char *firstHead = R"(%one = arith.constant 1 : i32
    %keep = arith.cmpi slt, %h, %one : i32)";
  const char *key = "%t = arith.sitofp %kv : i32 to f32";
  const char *flat = "%t = arith.constant 1.0 : f32";
  const char *minus = "%t = arith.constant 0xFF800000 : f32";
  const char *notANumber = "%t = arith.constant 0x7FC00000 : f32";
  auto number = [](double x) {
    return [x](double, int, int, int, int) { return x; };
  };
  Oracle none;
  none.mask = [](int, int, int, int) { return false; };
  runProgram(nullptr, nothing, none, ElementType::BF16);
  runProgram(nullptr, nothing, none, ElementType::F32);
  runProgram(flat, all, {number(1), {}}, ElementType::BF16);
  runProgram(minus, nullptr, {number(-infinity), {}}, ElementType::BF16);
  runProgram(key, corner,
             {[](double, int, int, int, int kv) -> double { return kv; },
              [](int, int, int q, int kv) { return q == 0 && kv == 0; }},
             ElementType::BF16);
  runProgram(notANumber, firstHead,
             {number(nan64), [](int, int h, int, int) { return h < 1; }},
             ElementType::BF16);
}

TEST(Edge, ScoresMayBeMinusInfinity) {
  Mod mod = parse(R"(
    attn.mod @drops_thirds
      score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
        %three = arith.constant 3 : i32
        %zero = arith.constant 0 : i32
        %minus = arith.constant 0xFF800000 : f32
        %x = arith.addi %q, %kv : i32
        %r = arith.remsi %x, %three : i32
        %drop = arith.cmpi eq, %r, %zero : i32
        %t = arith.select %drop, %minus, %s : f32
        attn.yield %t : f32
      })");
  Oracle oracle;
  oracle.score = [](double s, int, int, int q, int kv) {
    return (q + kv) % 3 == 0 ? -infinity : s;
  };
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    Case c = makeCase("noop", type, 65, 64, 64, 64);
    runAndCompare(c, mod, oracle, makeInputs(c), {});
    // One key: rows 0, 3, ... have nothing else.
    c = makeCase("noop", type, 65, 1, 64, 64);
    runAndCompare(c, mod, oracle, makeInputs(c), {});
  }
}

// A branch, a two-dimensional table read under its condition, and a scalar.
TEST(Edge, ProgramsMayBranchAndReadTables) {
  Mod mod = parse(R"(
    attn.mod @branches(%bias: tensor<?x?xf32>, %limit: i32)
      score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
        %near = arith.cmpi slt, %kv, %limit : i32
        %t = scf.if %near -> f32 {
          %x = attn.load %bias[%h, %kv] : tensor<?x?xf32>
          %y = arith.addf %s, %x : f32
          scf.yield %y : f32
        } else {
          scf.yield %s : f32
        }
        attn.yield %t : f32
      } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
        %true = arith.constant true
        attn.yield %true : i1
      })");
  std::vector<float> bias(2 * 40);
  for (size_t i = 0; i < bias.size(); ++i)
    bias[i] = std::sin(static_cast<float>(i));
  std::vector<CaptureData> captures{
      table(ElementType::F32, {2, 40}, bias),
      table(ElementType::I32, {}, std::vector<int32_t>{40})};
  Oracle oracle;
  oracle.score = [&](double s, int, int h, int, int kv) {
    return kv < 40 ? s + bias[h * 40 + kv] : s;
  };
  for (ElementType type :
       {ElementType::F32, ElementType::BF16, ElementType::F16}) {
    Case c = makeCase("noop", type, 100, 90, 64, 64);
    Result<void> fine = mod.check(c.sizes, viewsOf(captures));
    EXPECT_TRUE(fine) << fine.error();
    runAndCompare(c, mod, oracle, makeInputs(c), captures);
  }
}

TEST(Edge, ScoresMayBeLarge) {
  Case c = makeCase("noop", ElementType::F32, 40, 200, 64, 64);
  Inputs inputs = makeInputs(c);
  for (double &x : inputs.query)
    x *= 1024;
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  // Only the largest scores count, and these are integers times a power of two.
  for (double &x : inputs.query)
    x = std::round(x);
  for (double &x : inputs.key)
    x = std::round(x);
  runAndCompare(c, *mod, Oracle(), inputs, {});
}

TEST(Mistakes, LoadsOutOfBoundsNameTheirPlace) {
  Mod mod = parse(R"(attn.mod @reads(%table: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%q] : tensor<?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  })");
  std::vector<CaptureData> captures{
      table(ElementType::F32, {7}, std::vector<float>(7))};
  ProblemSizes sizes{1, 1, 1, 8, 8, 16, 16, 1};
  Result<void> result = mod.check(sizes, viewsOf(captures));
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().find("test.mlir:3:10: error: 'attn.load' op reads "
                                "index 7 of dimension 0, which has 7 elements"),
            std::string::npos)
      << result.error();
  sizes.queries = 7;
  EXPECT_TRUE(mod.check(sizes, viewsOf(captures)));
}

TEST(Mistakes, TextThatDoesNotParseNamesItsPlace) {
  Result<Mod> mod =
      Mod::fromSource("attn.mod @x\n  mask(%b: i32) { }", "a.mlir");
  ASSERT_FALSE(mod);
  EXPECT_EQ(mod.error().find("a.mlir:"), 0u) << mod.error();
  Result<Mod> absent = Mod::fromFile("/no/such/file.mlir");
  ASSERT_FALSE(absent);
  EXPECT_NE(absent.error().find("/no/such/file.mlir"), std::string::npos);
  Result<Mod> two = Mod::fromSource("attn.mod @x\nattn.mod @y", "b.mlir");
  ASSERT_FALSE(two);
  EXPECT_NE(two.error().find("'@x' and '@y'"), std::string::npos)
      << two.error();
}

static std::string messageOf(const AttentionKernel &kernel, TensorView query,
                             TensorView key, TensorView value, TensorView out) {
  Result<void> result = kernel.run(query, key, value, {}, out);
  return result ? "success" : result.error();
}

TEST(Mistakes, ArgumentsThatDoNotFit) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec;
  spec.headDim = spec.valueDim = 16;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<float> memory(1024);
  auto view = [&](int64_t heads, int64_t length, int64_t channels) {
    return TensorView{memory.data(),
                      ElementType::F32,
                      {1, heads, length, channels},
                      {heads * length * channels, length * channels, channels}};
  };
  TensorView good = view(2, 4, 16);
  EXPECT_EQ(messageOf(*kernel, good, view(2, 4, 32), good, good),
            "expects 'key' head dimension 16, got 32");
  EXPECT_EQ(messageOf(*kernel, view(3, 4, 16), good, good, view(3, 4, 16)),
            "expects a number of query heads that is a multiple of the 2 key "
            "heads, got 3");
  EXPECT_EQ(messageOf(*kernel, good, good, view(2, 5, 16), good),
            "expects 'value' length 4, got 5");
  TensorView half = good;
  half.type = ElementType::F16;
  EXPECT_EQ(messageOf(*kernel, good, half, good, good),
            "expects 'key' of f32, got f16");
  TensorView negative = good;
  negative.sizes[2] = -1;
  EXPECT_EQ(messageOf(*kernel, negative, good, good, negative),
            "expects 'query' with sizes of at least 0, got -1");
}

TEST(Mistakes, SpecificationsThatDoNotFit) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec;
  spec.headDim = 257;
  Result<AttentionKernel> wide = AttentionKernel::compile(*mod, spec);
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error(), "expects a head dimension of 1 to 256, got 257");
  spec.headDim = 64;
  spec.schedule = "fast";
  Result<AttentionKernel> schedule = AttentionKernel::compile(*mod, spec);
  ASSERT_FALSE(schedule);
  EXPECT_NE(schedule.error().find("expects a schedule such as"),
            std::string::npos);
}
