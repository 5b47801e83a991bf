// What a launch costs the host beyond the driver: how often it asks for memory,
// of which each takes tens of nanoseconds and may take a lock.
#include "../Doubles/FakeCUDADriver.h"

#include "attn/API/Attention.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <vector>

using namespace attn;
using attn::cuda::FakeCUDA;

namespace {
thread_local int64_t allocations = 0;

void *allocate(size_t bytes, size_t alignment) {
  ++allocations;
  bytes = (bytes + alignment - 1) / alignment * alignment;
  void *memory = std::aligned_alloc(alignment, bytes ? bytes : alignment);
  if (!memory)
    std::abort();
  return memory;
}
} // namespace

void *operator new(size_t bytes) { return allocate(bytes, 16); }
void *operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace {

/// With captures of several kinds.
Mod modOfCaptures() {
  Result<Mod> mod = Mod::fromSource(R"(
attn.mod @biased(%bias: tensor<?x?xf32>, %slopes: tensor<?xf32>, %window: i32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %bias[%h, %kv] : tensor<?x?xf32>
    %y = attn.load %slopes[%h] : tensor<?xf32>
    %z = arith.mulf %x, %y : f32
    %t = arith.addf %s, %z : f32
    attn.yield %t : f32
  }
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %from = arith.subi %q, %window : i32
    %keep = arith.cmpi sge, %kv, %from : i32
    attn.yield %keep : i1
  }
)",
                                    "biased.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

/// A call of run() on the fake driver, which only writes down that it was
/// called.
class LaunchCost : public testing::TestWithParam<int64_t> {
protected:
  LaunchCost() : memory(4 << 20), fake(*useFakeCUDA()) {
    KernelSpec spec;
    spec.target = Target::CUDA;
    spec.device = 0;
    spec.type = ElementType::BF16;
    spec.portable = GetParam() > 1; // the other asks for too much of the fake
    Mod mod = modOfCaptures();
    Result<AttentionKernel> compiled = AttentionKernel::compile(mod, spec);
    EXPECT_TRUE(compiled) << compiled.error();
    kernel = *compiled;
    int64_t queries = GetParam(), heads = 4, keys = 4096;
    auto view = [&](int64_t rows, int64_t heads) {
      return TensorView{memory.data(),
                        ElementType::BF16,
                        {1, heads, rows, 64},
                        {heads * rows * 64, rows * 64, 64}};
    };
    arguments.query = arguments.out = view(queries, heads);
    arguments.key = arguments.value = view(keys, 1);
    arguments.captures = {{memory.data(), {heads, keys}},
                          {memory.data(), {heads}, {2}},
                          {&window, {}}};
  }

  void run() {
    fake.calls.clear();
    fake.sequence.clear();
    Result<void> done = kernel.run(arguments);
    ASSERT_TRUE(done) << done.error();
  }

  std::vector<std::byte> memory;
  FakeCUDA &fake;
  int32_t window = 100;
  AttentionKernel kernel;
  AttentionArguments arguments;
};

/// A few for the parameters of each launch, those of the fake driver included:
/// not one for each tensor, size or stride.
TEST_P(LaunchCost, OfMemory) {
  run(); // compiles, and what is compiled allocates
  run();
  int64_t before = allocations;
  run();
  int64_t launches = GetParam() == 1 ? 2 : 1; // of shares, and their merge
  EXPECT_LE(allocations - before, 10 * launches);
}

INSTANTIATE_TEST_SUITE_P(OneQueryAndMany, LaunchCost, testing::Values(1, 300));

} // namespace
