// Features of this processor, against what the compiler's own library says.
#include "attn/Runtime/CPUFeatures.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

using namespace attn;

namespace {

TEST(CPUFeatures, WhatIsNotKnownIsMissing) {
  EXPECT_FALSE(cpu::isKnownFeature("warp-drive"));
  EXPECT_EQ(cpu::missingFeatures({"warp-drive"}),
            std::vector<std::string>{"warp-drive"});
  EXPECT_TRUE(cpu::missingFeatures({}).empty());
}

#if defined(__x86_64__)
TEST(CPUFeatures, AreThoseOfThisProcessor) {
#define ATTN_EXPECT(feature)                                                   \
  EXPECT_EQ(cpu::missingFeatures({feature}).empty(),                           \
            bool(__builtin_cpu_supports(feature)))                             \
      << feature
  ATTN_EXPECT("sse2");
  ATTN_EXPECT("ssse3");
  ATTN_EXPECT("sse4.1");
  ATTN_EXPECT("sse4.2");
  ATTN_EXPECT("popcnt");
  ATTN_EXPECT("avx");
  ATTN_EXPECT("avx2");
  ATTN_EXPECT("fma");
  ATTN_EXPECT("fma4");
  ATTN_EXPECT("bmi");
  ATTN_EXPECT("bmi2");
  ATTN_EXPECT("sse4a");
  ATTN_EXPECT("xop");
  ATTN_EXPECT("gfni");
  ATTN_EXPECT("avx512f");
  ATTN_EXPECT("avx512vl");
  ATTN_EXPECT("avx512bw");
  ATTN_EXPECT("avx512dq");
  ATTN_EXPECT("avx512cd");
  ATTN_EXPECT("avx512ifma");
  ATTN_EXPECT("avx512vbmi");
  ATTN_EXPECT("avx512vbmi2");
  ATTN_EXPECT("avx512vnni");
  ATTN_EXPECT("avx512bitalg");
  ATTN_EXPECT("avx512vpopcntdq");
#undef ATTN_EXPECT
}

#if defined(__linux__)
TEST(CPUFeatures, HasMatrixUnitsOnlyWhereTheKernelSaysSo) {
  std::ifstream file("/proc/cpuinfo");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const char *name : {"amx-tile", "amx-bf16"}) {
    std::string flag(name);
    flag[3] = '_';
    // A process may still not be let use them.
    if (text.find(flag) == std::string::npos)
      EXPECT_FALSE(cpu::missingFeatures({name}).empty()) << name;
  }
  // Asking again gives the same answer.
  EXPECT_EQ(cpu::missingFeatures({"amx-tile"}),
            cpu::missingFeatures({"amx-tile"}));
}
#endif

TEST(CPUFeatures, AllThatAreMissingAreNamed) {
  // No processor has both.
  std::vector<std::string> both{"sse2", "fma4", "avx10.2"};
  std::vector<std::string> missing = cpu::missingFeatures(both);
  EXPECT_FALSE(missing.empty());
  for (const std::string &name : missing)
    EXPECT_NE(name, "sse2");
}
#endif

} // namespace
