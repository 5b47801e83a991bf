// Starts the attention cases for one target: AttentionTests is for the CPU,
// GPUAttentionTests for a GPU. Where the test suite does not ask for a GPU
// (ATTN_TEST_GPU), the cases of the latter are skipped, and counted as such.
// With
// --portable a GPU runs the kernels that every GPU can run.
#include "Harness.h"
#include "ManyCases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {
class SkipAll : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo &) override {
    GTEST_SKIP() << "no GPU asked for";
  }
};
} // namespace

/// `--target cpu` or `--target cuda`, of which the last counts, overrides what
/// the program is for.
static const char *targetOption(int argc, char **argv) {
  const char *target = nullptr;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], "--target") == 0)
      target = argv[i + 1];
  return target;
}

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  const char *target = targetOption(argc, argv);
  std::string name = target ? target : ATTN_TEST_TARGET;
  if (name != "cpu" && name != "cuda") {
    std::fprintf(stderr, "expects --target cpu or cuda, got '%s'\n",
                 name.c_str());
    return 1;
  }
  selectTarget(name == "cuda" ? Target::CUDA : Target::CPU);
  if (std::any_of(argv, argv + argc, [](const char *argument) {
        return std::strcmp(argument, "--portable") == 0;
      }))
    selectPortable();
  // What is about full size, or about the order of a GPU's blocks: of each kind
  // some are left.
  if (name == "cpu" && testing::GTEST_FLAG(filter) == "*")
    testing::GTEST_FLAG(filter) =
        "-*GradientInvariants*/causal_*:*GradientInvariants*/noop:"
        "*GradientInvariants*/alibi:*GradientInvariants*/window:"
        "*GradientInvariants*/prefix_lm:*GradientInvariants*/rel:"
        "*GradientInvariants*_1025:GradientEdges.GiveTheSameBits*"
        ":" ATTN_MANY_CASES;
  if (!target && name == "cuda" && !std::getenv("ATTN_TEST_GPU"))
    testing::UnitTest::GetInstance()->listeners().Append(new SkipAll);
  return RUN_ALL_TESTS();
}
