// Launches on a GPU that are captured into a graph, and done again with other
// numbers in the same memory.
#include "GradientHarness.h"
#include "StreamCapture.h"

#include <gtest/gtest.h>

#include <array>

#include <cmath>

using namespace attn;
using namespace attn::test;

namespace {

/// Problems of one mod whose inputs change in place.
struct Replayed {
  Mod mod;
  Case c;
  BothPasses run;

  Replayed(const Mod &mod, const Case &c)
      : mod(mod), c(c), run(c.sizes, c.type) {
    run.captures = *mod.makeCaptures(c.sizes);
    run.gradLse.resize(run.lse.size());
  }

  /// Other inputs, and their forward pass, in the memory of the former ones.
  GradientArguments setInputs(unsigned seed) {
    auto fill = [&](Tensor &tensor) {
      tensor.set(normal(tensor.count(), c.type, seed++));
    };
    for (Tensor *tensor : {&run.query, &run.key, &run.value, &run.gradOut})
      fill(*tensor);
    for (float &x : run.gradLse)
      x = std::sin(static_cast<float>(seed++));
    run.computeForward(mod);
    run.poisonGradients();
    return run.arguments(mod);
  }

  Gradients results() {
    run.fetch();
    return {run.gradQuery.get(), run.gradKey.get(), run.gradValue.get()};
  }
};

Case caseOf(const std::string &pattern) {
  Case c;
  c.pattern = pattern, c.type = ElementType::BF16;
  c.sizes = interpreted() ? ProblemSizes{1, 2, 1, 140, 140, 32, 32, 1}
                          : ProblemSizes{2, 8, 2, 1100, 1100, 128, 128, 2};
  return c;
}

/// `limit`: how far from those of a launch without a graph.
void expectReplayedGradients(const std::string &pattern, bool deterministic,
                             double limit) {
  Case c = caseOf(pattern);
  Result<Mod> mod = loadPattern(pattern);
  ASSERT_TRUE(mod) << mod.error();
  Replayed problem(*mod, c);
  KernelSpec spec = specOf(c.type, c.sizes.headDim, c.sizes.valueDim);
  spec.lse = true, spec.deterministic = deterministic;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  ASSERT_TRUE(kernel->prepare(c.sizes));

  GradientArguments a = problem.setInputs(1);
  Placed workspace;
  a.workspaceBytes = kernel->workspaceBytes(c.sizes, a.captures);
  a.workspace = workspace.reserve(a.workspaceBytes);
  Result<GradientTiles> tiles =
      kernel->findTiles(c.sizes, a.captures, a.stream);
  ASSERT_TRUE(tiles) << tiles.error();
  a.tiles = &*tiles;
  Result<void> ran;
  CapturedGraph graph([&] { ran = kernel->run(a); });
  ASSERT_TRUE(ran) << ran.error();
  // A capture runs nothing.
  problem.run.fetch();
  EXPECT_TRUE(std::isnan(problem.run.gradQuery.get().front()));

  for (unsigned seed : {100, 200}) {
    GradientArguments same = problem.setInputs(seed);
    ASSERT_EQ(same.query.data, a.query.data);
    graph.launch();
    Gradients replayed = problem.results();
    same.workspace = a.workspace, same.workspaceBytes = a.workspaceBytes;
    same.tiles = a.tiles;
    problem.run.poisonGradients();
    problem.run.arguments(*mod);
    ASSERT_TRUE(kernel->run(same));
    Gradients wanted = problem.results();
    EXPECT_LE(distance(replayed.query, wanted.query), limit);
    EXPECT_LE(distance(replayed.key, wanted.key), limit);
    EXPECT_LE(distance(replayed.value, wanted.value), limit);
  }
}

class Graph : public testing::Test {
  void SetUp() override {
    if (selectedTarget() == Target::CPU)
      GTEST_SKIP() << "the CPU has no graphs";
  }
};
using GradientMemory = Graph;

TEST_F(Graph, OfGradientsIsReplayedWithOtherInputs) {
  expectReplayedGradients("causal", /*deterministic=*/true, 0);
  if (!interpreted())
    expectReplayedGradients("causal", /*deterministic=*/false,
                            allowed(ElementType::BF16));
}

TEST_F(Graph, OfGradientsWithListsIsReplayedWithOtherInputs) {
  expectReplayedGradients("document_mask", /*deterministic=*/false,
                          allowed(ElementType::BF16));
}

TEST_F(Graph, OfAttentionIsReplayedWithOtherInputs) {
  Case c = caseOf("causal");
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Replayed problem(*mod, c);
  Result<AttentionKernel> kernel = AttentionKernel::compile(
      *mod, specOf(c.type, c.sizes.headDim, c.sizes.valueDim));
  ASSERT_TRUE(kernel) << kernel.error();
  ASSERT_TRUE(kernel->prepare(c.sizes));
  GradientArguments a = problem.setInputs(1);
  auto enqueue = [&] {
    return kernel->run(a.query, a.key, a.value, a.captures, a.out, nullptr,
                       a.stream);
  };
  Result<void> ran;
  CapturedGraph graph([&] { ran = enqueue(); });
  ASSERT_TRUE(ran) << ran.error();
  for (unsigned seed : {100, 200}) {
    problem.setInputs(seed);
    Tensor &out = problem.run.out;
    out.poison(), out.onDevice();
    graph.launch();
    out.fetch();
    std::vector<std::byte> replayed = out.bytes;
    for (double x : out.get())
      ASSERT_TRUE(std::isfinite(x));
    ASSERT_TRUE(enqueue());
    out.fetch();
    EXPECT_TRUE(replayed == out.bytes);
  }
}

/// Lengths are read on the device, and the grid and the memory of parts depend
/// on nothing that changes: as in a serving program.
void expectReplayedLengths(const char *parts) {
  Case c = caseOf("noop");
  c.sizes = {3, 4, 2, 1, 300, 32, 32, 3};
  Result<Mod> plain = loadPattern("noop");
  ASSERT_TRUE(plain) << plain.error();
  Result<Mod> mod = plain->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  Replayed problem(*mod, c);
  KernelSpec spec = specOf(c.type, c.sizes.headDim, c.sizes.valueDim);
  spec.schedule =
      std::string("#attn.schedule<tiling = <q = 16, kv = 32, pack, ") + parts +
      ">>";
  spec.shares = 5;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  ASSERT_TRUE(kernel->prepare(c.sizes));
  GradientArguments a = problem.setInputs(1);
  auto enqueue = [&] {
    return kernel->run(a.query, a.key, a.value, a.captures, a.out, nullptr,
                       a.stream);
  };
  Result<void> ran;
  CapturedGraph graph([&] { ran = enqueue(); });
  ASSERT_TRUE(ran) << ran.error();
  Tensor &out = problem.run.out;
  std::vector<std::vector<std::byte>> results;
  for (std::array<int32_t, 3> lengths :
       {std::array{300, 0, 7}, {1, 299, 0}, {64, 65, 300}}) {
    void *memory = const_cast<void *>(a.captures.back().data);
    ASSERT_TRUE(device().copyIn(memory, lengths.data(), sizeof lengths));
    out.poison(), out.onDevice();
    graph.launch();
    out.fetch();
    results.push_back(out.bytes);
    std::vector<double> values = out.get();
    for (size_t i = 0; i < values.size(); ++i) {
      bool isEmpty = lengths[i / (values.size() / 3)] == 0;
      ASSERT_TRUE(isEmpty ? values[i] == 0 : std::isfinite(values[i])) << i;
    }
    out.poison(), out.onDevice();
    ASSERT_TRUE(enqueue());
    out.fetch();
    EXPECT_TRUE(results.back() == out.bytes);
  }
  EXPECT_FALSE(results[0] == results[1] || results[1] == results[2]);
}

TEST_F(Graph, OfSharesIsReplayedWithOtherLengths) {
  expectReplayedLengths("shares");
}

TEST_F(Graph, OfChunksIsReplayedWithOtherLengths) {
  expectReplayedLengths("chunk = 2");
}

/// The memory of chunks is that of a size.
TEST_F(Graph, OfChunksNeedsMemory) {
  Case c = caseOf("noop");
  c.sizes = {1, 1, 1, 1, 200, 16, 16, 1};
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  Replayed problem(*mod, c);
  KernelSpec spec = specOf(c.type, 16, 16);
  spec.schedule = "#attn.schedule<tiling = <q = 16, kv = 32, chunk = 2>>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  GradientArguments a = problem.setInputs(1);
  ASSERT_TRUE(kernel->prepare(
      ProblemSizes{1, 1, 1, 1, 100, 16, 16, 1})); // of which there are two
  auto errorOfCapture = [&] {
    Result<void> ran;
    CapturedGraph graph([&] {
      ran = kernel->run(a.query, a.key, a.value, a.captures, a.out, nullptr,
                        a.stream);
    });
    return ran ? "" : ran.error();
  };
  EXPECT_EQ(errorOfCapture(),
            "expects a workspace, or AttentionKernel::prepare for these sizes, "
            "before a stream capture: it needs 4616 bytes");
  ASSERT_TRUE(kernel->prepare(c.sizes));
  EXPECT_EQ(errorOfCapture(), "");
}

TEST_F(Graph, SaysWhatWasNotPrepared) {
  Case c = caseOf("causal");
  c.sizes = {1, 1, 1, 40, 40, 16, 16, 1};
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Replayed problem(*mod, c);
  KernelSpec spec = specOf(c.type, 16, 16);
  spec.lse = true;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  GradientArguments a = problem.setInputs(1);
  auto errorOfCapture = [&] {
    Result<void> ran;
    CapturedGraph graph([&] { ran = kernel->run(a); });
    return ran ? "" : ran.error();
  };
  EXPECT_EQ(errorOfCapture().find("expects a workspace of "), 0u);
  Placed workspace;
  a.workspaceBytes = kernel->workspaceBytes(c.sizes, a.captures);
  a.workspace = workspace.reserve(a.workspaceBytes);
  // Rows that do not start at multiples of 16 bytes.
  a.gradOut.strides[2] = 15;
  std::string unprepared = errorOfCapture();
  EXPECT_EQ(unprepared.find("expects GradientKernel::prepare() for "), 0u)
      << unprepared;
  Result<void> prepared = kernel->prepare(a);
  ASSERT_TRUE(prepared) << prepared.error();
  EXPECT_EQ(errorOfCapture(), "");
}

TEST_F(GradientMemory, IsNotThatOfTheHost) {
  Case c = caseOf("noop");
  c.sizes = {1, 1, 1, 40, 40, 16, 16, 1};
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  Replayed problem(*mod, c);
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(c.type, 16, 16));
  ASSERT_TRUE(kernel) << kernel.error();
  problem.run.gradLse.clear();
  GradientArguments a = problem.setInputs(1);
  a.gradOut.data = problem.run.gradOut.bytes.data();
  Result<void> ran = kernel->run(a);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().find("expects 'gradOut' in memory of GPU "), 0u)
      << ran.error();
  // Nothing was launched: what the GPU holds is as it was.
  problem.run.fetch();
  EXPECT_TRUE(std::isnan(problem.run.gradValue.get().front()));
}

} // namespace
