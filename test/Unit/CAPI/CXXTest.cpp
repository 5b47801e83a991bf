// attn.hpp: what it adds to the C interface, which is that nothing of a value
// is lost on the way.
#include "attn/attn.hpp"

#include <gtest/gtest.h>

#include <cmath>

using namespace attn;

static const char *const source = R"(
attn.mod @bias(%table: tensor<?xf32> {attn.shape = ["heads"], attn.data = @ones})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%h] : tensor<?xf32>
    %t = arith.mulf %s, %x : f32
    attn.yield %t : f32
  }
attn.fill @ones(%h: i32) {
  %one = arith.constant 1.0 : f32
  attn.yield %one : f32
}
)";

static Mod modOf(const char *text = source) {
  Result<Mod> mod = Mod::fromSource(text, "mod.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

TEST(CXX, ModsOfLambdas) {
  Table<Float, 1> table("table");
  Result<Mod> mod =
      Mod::make([&](Score s, Index b, Index h, Index q,
                    Index kv) { return s * table(h); },
                [&](Index b, Index h, Index q, Index kv) { return q >= kv; });
  ASSERT_TRUE(mod) << mod.error();
  EXPECT_TRUE(mod->hasScore());
  EXPECT_TRUE(mod->hasMask());
  ASSERT_EQ(mod->captures().size(), 1u);
  EXPECT_EQ(mod->captures()[0].name, "table");
  Result<Mod> wrong = Mod::make([](Index b, Index h, Index q, Index kv) {
    return q >= kv + (int64_t(1) << 40);
  });
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().find("CXXTest.cpp"), std::string::npos);
}

TEST(CXX, ModsSayWhatTheyAre) {
  Mod mod = modOf();
  EXPECT_EQ(mod.name(), "bias");
  EXPECT_TRUE(mod.hasScore());
  EXPECT_FALSE(mod.hasMask());
  ASSERT_EQ(mod.captures().size(), 1u);
  EXPECT_EQ(mod.captures()[0].name, "table");
  EXPECT_EQ(mod.captures()[0].type, ElementType::F32);
  EXPECT_EQ(mod.captures()[0].rank, 1);
  Result<Mod> shifted = mod.withQueryOffset(QueryOffset::Scalar);
  ASSERT_TRUE(shifted) << shifted.error();
  EXPECT_TRUE(shifted->captures()[1].isQueryOffset);
  EXPECT_TRUE(shifted->captures()[1].isScalar);
  Result<Mod> both = shifted->withLengths();
  ASSERT_TRUE(both) << both.error();
  EXPECT_TRUE(both->captures()[2].isLengths);
  Result<Mod> none = Mod::fromFile("/nonexistent");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(),
            "/nonexistent: error: cannot be read: No such file or directory");
}

TEST(CXX, DataIsThatOfTheFile) {
  auto captures = modOf().makeCaptures({2, 3, 3, 8, 8, 16, 16, 2});
  ASSERT_TRUE(captures) << captures.error();
  ASSERT_EQ(captures->size(), 1u);
  const CaptureData &table = captures->front();
  EXPECT_EQ(table.type, ElementType::F32);
  EXPECT_EQ(table.sizes, std::vector<int64_t>{3});
  ASSERT_EQ(table.bytes.size(), 12u);
  EXPECT_EQ(reinterpret_cast<const float *>(table.bytes.data())[2], 1);
  Result<void> good = modOf().check({2, 3, 3, 8, 8}, viewsOf(*captures));
  EXPECT_TRUE(good) << good.error();
  Result<void> bad = modOf().check({2, 4, 4, 8, 8}, viewsOf(*captures));
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().find("mod.mlir:4:10: error:"), std::string::npos);
}

namespace {
/// Two heads of 8 positions of 16 channels.
struct Matrix {
  explicit Matrix(unsigned seed = 0) : data(2 * 8 * 16) {
    for (float &x : data)
      x = seed ? static_cast<float>((seed = seed * 1664525 + 7) >> 16) / 65536
               : 0;
  }
  TensorView view() {
    return {data.data(), ElementType::F32, {1, 2, 8, 16}, {256, 128, 16}};
  }
  std::vector<float> data;
};
} // namespace

TEST(CXX, KernelsRunForwardAndBackward) {
  Mod mod = modOf();
  KernelSpec spec;
  spec.headDim = spec.valueDim = 16;
  spec.scale = 0.5f, spec.lse = true;
  Result<void> fine = AttentionKernel::check(mod, spec);
  EXPECT_TRUE(fine) << fine.error();
  auto kernel = AttentionKernel::compile(mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  EXPECT_EQ(kernel->schedule().find("#attn."), 0u);
  EXPECT_GT(kernel->compileSeconds(), 0);
  EXPECT_FALSE(kernel->needsTileLists());
  ProblemSizes sizes{1, 2, 2, 8, 8, 16, 16, 1};
  EXPECT_TRUE(kernel->prepare(sizes));
  EXPECT_TRUE(kernel->prepare());
  Result<int64_t> bytes = kernel->workspaceBytes(sizes);
  ASSERT_TRUE(bytes) << bytes.error();
  Result<int64_t> same = kernel->workspaceBytes(SizeRange{sizes, sizes});
  ASSERT_TRUE(same) << same.error();
  EXPECT_EQ(*bytes, *same);

  Matrix q(1), k(2), v(3), out, gradOut(4), gq, gk, gv;
  std::vector<float> lse(16), gradLse(16);
  // Factors of the scores: with 0 all keys weigh the same.
  const float factors[] = {1, 9, 0};
  std::vector<CaptureView> captures{{factors, {2}, {2}, ElementType::F32}};
  Result<void> run = kernel->run(q.view(), k.view(), v.view(), captures,
                                 out.view(), lse.data());
  ASSERT_TRUE(run) << run.error();
  double mean = 0;
  for (int i = 0; i < 8; ++i)
    mean += v.data[128 + 16 * i] / 8;
  EXPECT_NEAR(out.data[128], mean, 1e-5);
  EXPECT_NEAR(lse[8], std::log(8), 1e-5);

  auto gradient = GradientKernel::compile(mod, spec, {"table"});
  ASSERT_TRUE(gradient) << gradient.error();
  GradientArguments a;
  a.query = q.view(), a.key = k.view(), a.value = v.view(), a.out = out.view();
  a.lse = lse.data(), a.captures = captures;
  a.gradOut = gradOut.view(), a.gradLse = gradLse.data();
  a.gradQuery = gq.view(), a.gradKey = gk.view(), a.gradValue = gv.view();
  float gradTable[2] = {};
  a.gradCaptures = {gradTable};
  Result<void> back = gradient->run(a);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(gq.data[128], 0); // nothing of those scores is of the query
  EXPECT_NE(gq.data[0], 0);
  EXPECT_NE(gradTable[1], 0);
  EXPECT_TRUE(gradient->workspaceBytes(sizes, captures));
  EXPECT_FALSE(gradient->workspaceBytes(sizes));

  captures[0].strides = {1, 1};
  Result<void> wrong = kernel->run(q.view(), k.view(), v.view(), captures,
                                   out.view(), lse.data());
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().find("expects 1 strides"), std::string::npos);
}

TEST(CXX, TypesAreThoseOfTheLibrary) {
  EXPECT_STREQ(toString(ElementType::F32), "f32");
  EXPECT_STREQ(toString(ElementType::U8), "u8");
  EXPECT_EQ(byteWidth(ElementType::F64), 8);
  EXPECT_STREQ(version(), "0.1.0");
}

TEST(CXX, Tunes) {
  Mod mod = modOf("attn.mod @noop");
  KernelSpec spec;
  spec.headDim = spec.valueDim = 16;
  Matrix in(1), out;
  AttentionArguments a;
  a.query = a.key = a.value = in.view(), a.out = out.view();
  Result<Tuning> tuning = tune(mod, spec, a, {1});
  ASSERT_TRUE(tuning) << tuning.error();
  EXPECT_LE(tuning->tried, tuning->candidates);
  EXPECT_EQ(tuning->gain == 1, tuning->schedule.empty());
  std::vector<float> lse(16);
  Matrix grads[3];
  GradientArguments g;
  g.query = g.key = g.value = g.gradOut = in.view(), g.out = out.view();
  g.gradQuery = grads[0].view(), g.gradKey = grads[1].view();
  g.gradValue = grads[2].view(), g.lse = lse.data();
  Result<Tuning> ofGradients = tune(mod, spec, {}, g, {1});
  ASSERT_TRUE(ofGradients) << ofGradients.error();
  EXPECT_EQ(ofGradients->gain == 1, ofGradients->schedule.empty());
  spec.schedule = "#attn.schedule<tiling = <q = 64, kv = 64>>";
  EXPECT_FALSE(tune(mod, spec, a));
  EXPECT_FALSE(tune(mod, spec, {}, g));
}
