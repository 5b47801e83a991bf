// What gradients of captured values take, and the memory that they ask for.
#include "CaptureRun.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::test;

namespace {

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
    spec.schedule = "#attn.schedule<tiling = <q = 64, kv = 64>>";
    Result<GradientKernel> kernel = GradientKernel::compile(*read, spec, {wrt});
    CaptureView view;
    view.sizes = shape;
    return kernel ? kernel->workspaceBytes(sizes, {view}) : -1;
  };
  const ProblemSizes sizes{2, 4, 4, 100, 300, 16, 16, 2};
  // Delta and LSE of two query tiles.
  const int64_t statistics = 2 * 4 * 2 * 128 * 4;
  // The sums of rows of keys.
  EXPECT_EQ(bytesOf("temperature", "temperature", sizes, {}),
            statistics + 2 * 4 * 300 * 4);
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
