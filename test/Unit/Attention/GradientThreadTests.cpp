// The bits of gradients on a CPU, whatever threads compute them. How many there
// are is said when a process starts, so that each number takes one of its own.
#include "GradientHarness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <unistd.h>

using namespace attn;
using namespace attn::test;

namespace {

/// FNV-1a.
struct Digest {
  uint64_t value = 14695981039346656037u;
  void add(const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i)
      value = (value ^ static_cast<const unsigned char *>(data)[i]) *
              1099511628211u;
  }
};

constexpr const char *digestIs = "digest of gradients: ";

/// What each number of threads computes: 20 times, and prints.
TEST(GradientThreads, GiveTheSameBitsOnEveryRun) {
  Result<Mod> mod = loadPattern("alibi");
  ASSERT_TRUE(mod) << mod.error();
  ProblemSizes s{2, 4, 2, 130, 150, 32, 32, 2};
  BothPasses run(s, ElementType::F32);
  run.captures = *mod->makeCaptures(s);
  unsigned seed = 1;
  for (Tensor *tensor : {&run.query, &run.key, &run.value, &run.gradOut})
    tensor->set(normal(tensor->count(), tensor->type, seed++));
  ASSERT_NO_FATAL_FAILURE(run.computeForward(*mod));
  // The slopes' gradient is summed over all pairs of a head.
  Result<GradientKernel> kernel = GradientKernel::compile(
      *mod, specOf(ElementType::F32, 32, 32), {mod->captures().front().name});
  ASSERT_TRUE(kernel) << kernel.error();
  std::set<uint64_t> digests;
  for (int i = 0; i < 20; ++i) {
    run.poisonGradients();
    GradientArguments a = run.arguments(*mod);
    std::vector<float> slopes(4, NAN);
    a.gradCaptures = {slopes.data()};
    Result<void> ran = kernel->run(a);
    ASSERT_TRUE(ran) << ran.error();
    run.fetch();
    Digest digest;
    for (Tensor *tensor : {&run.gradQuery, &run.gradKey, &run.gradValue})
      digest.add(tensor->bytes.data(), tensor->bytes.size());
    digest.add(slopes.data(), slopes.size() * sizeof(float));
    digests.insert(digest.value);
  }
  EXPECT_EQ(digests.size(), 1u);
  for (double x : run.gradQuery.get())
    ASSERT_TRUE(std::isfinite(x));
  std::printf("%s%016llx\n", digestIs,
              static_cast<unsigned long long>(*digests.begin()));
}

/// The line with the digest that so many threads print.
std::string digestOf(int threads) {
  // Not as a shard of the test suite.
  std::string command =
      "env -u GTEST_OUTPUT -u GTEST_SHARD_INDEX -u GTEST_TOTAL_SHARDS "
      "ATTN_NUM_THREADS=" +
      std::to_string(threads) + " /proc/" + std::to_string(getpid()) +
      "/exe --gtest_filter=GradientThreads.GiveTheSameBitsOnEveryRun";
  std::string digest;
  FILE *output = popen(command.c_str(), "r");
  if (!output)
    return "";
  char line[256];
  while (std::fgets(line, sizeof line, output))
    if (std::string(line).find(digestIs) == 0)
      digest = line;
  return pclose(output) == 0 ? digest : "";
}

TEST(GradientThreads, DoNotChangeTheBits) {
  std::string one = digestOf(1);
  EXPECT_NE(one, "");
  for (int threads : {2, 7})
    EXPECT_EQ(digestOf(threads), one) << threads << " threads";
}

} // namespace
