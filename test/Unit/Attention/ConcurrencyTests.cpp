// One kernel, several threads: runs and lists at the same time give what one
// thread gives. Under ThreadSanitizer (./dev test --sanitize) this says more.
#include "Harness.h"

#include "attn/API/Tiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

using namespace attn;
using namespace attn::test;

namespace {
/// Tensors of one problem in host memory, batch x head x position x channel.
struct Arrays {
  explicit Arrays(const ProblemSizes &s)
      : sizes(s), query(count(s.heads, s.queries, s.headDim)),
        key(count(s.kvHeads, s.keys, s.headDim)),
        value(count(s.kvHeads, s.keys, s.valueDim)) {
    float x = 0;
    for (std::vector<float> *data : {&query, &key, &value})
      for (float &element : *data)
        element = std::sin(x += 0.7f);
  }

  int64_t count(int64_t heads, int64_t positions, int64_t channels) const {
    return sizes.batch * heads * positions * channels;
  }
  TensorView view(std::vector<float> &data, int64_t heads, int64_t positions,
                  int64_t channels) const {
    return {data.data(),
            ElementType::F32,
            {sizes.batch, heads, positions, channels},
            {heads * positions * channels, positions * channels, channels}};
  }

  ProblemSizes sizes;
  std::vector<float> query, key, value;
};

/// What one run gives; empty if it fails.
std::vector<float> runOnce(const AttentionKernel &kernel, Arrays &arrays,
                           const std::vector<CaptureView> &captures,
                           const TileLists *lists) {
  const ProblemSizes &s = arrays.sizes;
  std::vector<float> out(arrays.count(s.heads, s.queries, s.valueDim));
  Result<void> ran =
      kernel.run(arrays.view(arrays.query, s.heads, s.queries, s.headDim),
                 arrays.view(arrays.key, s.kvHeads, s.keys, s.headDim),
                 arrays.view(arrays.value, s.kvHeads, s.keys, s.valueDim),
                 captures, arrays.view(out, s.heads, s.queries, s.valueDim),
                 nullptr, nullptr, lists);
  return ran ? out : std::vector<float>();
}

/// Four threads that run the kernel of `pattern`, each with lists of its own,
/// with the lists of all, and with none.
void runFromSeveralThreads(const std::string &pattern) {
  Result<Mod> mod = loadPattern(pattern);
  ASSERT_TRUE(mod) << mod.error();
  ProblemSizes sizes;
  sizes.batch = sizes.sequences = 1;
  sizes.heads = 4, sizes.kvHeads = 2;
  sizes.queries = 203, sizes.keys = 217;
  sizes.headDim = sizes.valueDim = 32;
  Result<std::vector<CaptureData>> data = mod->makeCaptures(sizes);
  ASSERT_TRUE(data) << data.error();
  std::vector<CaptureView> captures = viewsOf(*data);
  KernelSpec spec;
  spec.headDim = spec.valueDim = 32;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  Arrays arrays(sizes);
  const std::vector<float> expected =
      runOnce(*kernel, arrays, captures, nullptr);
  ASSERT_FALSE(expected.empty());

  TileLists shared;
  bool withLists = kernel->needsTileLists();
  if (withLists) {
    Result<TileLists> found = kernel->findTiles(sizes, captures);
    ASSERT_TRUE(found) << found.error();
    shared = *found;
  }
  constexpr int threadCount = 4, rounds = 5;
  std::vector<int> right(threadCount);
  std::vector<std::thread> threads;
  for (int t = 0; t < threadCount; ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < rounds; ++round) {
        TileLists own;
        const TileLists *mine = &own, *all = &shared;
        if (withLists)
          if (Result<TileLists> found = kernel->findTiles(sizes, captures))
            own = *found;
        const TileLists *none = nullptr;
        for (const TileLists *lists :
             {withLists ? mine : none, withLists ? all : none, none})
          right[t] += runOnce(*kernel, arrays, captures, lists) == expected;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  for (int count : right)
    EXPECT_EQ(count, 3 * rounds);
}

TEST(Concurrency, RunsOfOneKernel) { runFromSeveralThreads("alibi"); }

TEST(Concurrency, RunsAndListsOfOneKernel) {
  runFromSeveralThreads("document_mask");
}

/// Kernels are compiled from one mod by several threads.
TEST(Concurrency, CompilingOneMod) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  std::vector<int> compiled(3);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < compiled.size(); ++t)
    threads.emplace_back([&, t] {
      KernelSpec spec;
      spec.headDim = spec.valueDim = 16 * (t + 1);
      compiled[t] = static_cast<bool>(AttentionKernel::compile(*mod, spec));
    });
  for (std::thread &thread : threads)
    thread.join();
  for (int one : compiled)
    EXPECT_TRUE(one);
}
} // namespace
