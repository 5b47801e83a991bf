// A small attention on the CPU with all its memory, for kernels that must give
// the same bits.
#ifndef ATTN_TEST_AOT_PROBLEM_H
#define ATTN_TEST_AOT_PROBLEM_H

#include "attn/API/Gradient.h"
#include "attn/API/KernelPackage.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace attn::test {

inline Mod readMod(const std::string &name) {
  auto mod = Mod::fromFile(std::string(ATTN_MODS_DIR) + "/" + name + ".mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

/// For this machine, as a kernel that is compiled in the process is.
inline PackageSpec cpuSpec(ElementType type, int64_t headDim) {
  PackageSpec spec;
  spec.kernel.type = type;
  spec.kernel.headDim = spec.kernel.valueDim = headDim;
  spec.cpu = "native";
  return spec;
}

/// Two batches, four heads of which two share keys; results begin as NaN.
struct Problem {
  static constexpr int64_t batch = 2, heads = 4, kvHeads = 2;

  Problem(const Mod &mod, const KernelSpec &spec, int64_t queries, int64_t keys)
      : type(spec.type), width(byteWidth(spec.type)) {
    sizes = {batch, heads,        kvHeads,       queries,
             keys,  spec.headDim, spec.valueDim, batch};
    auto made = mod.makeCaptures(sizes);
    EXPECT_TRUE(made) << made.error();
    captures = *made;
    query = numbers(heads, queries, spec.headDim, 1);
    key = numbers(kvHeads, keys, spec.headDim, 2);
    value = numbers(kvHeads, keys, spec.valueDim, 3);
    gradOut = numbers(heads, queries, spec.valueDim, 4);
    out = poison(gradOut), gradQuery = poison(query), gradKey = poison(key),
    gradValue = poison(value);
    lse.assign(batch * heads * queries, -1);
  }

  TensorView view(std::vector<char> &memory, int64_t ofHeads, int64_t rows,
                  int64_t channels) const {
    return {memory.data(),
            type,
            {batch, ofHeads, rows, channels},
            {ofHeads * rows * channels, rows * channels, channels}};
  }

  AttentionArguments forward() {
    AttentionArguments a;
    a.query = view(query, heads, sizes.queries, sizes.headDim);
    a.key = view(key, kvHeads, sizes.keys, sizes.headDim);
    a.value = view(value, kvHeads, sizes.keys, sizes.valueDim);
    a.out = view(out, heads, sizes.queries, sizes.valueDim);
    a.captures = viewsOf(captures);
    a.lse = lse.data();
    return a;
  }

  /// `wrt`: captures whose gradients there are.
  GradientArguments backward(const std::vector<int64_t> &wrt) {
    AttentionArguments f = forward();
    GradientArguments a;
    a.query = f.query, a.key = f.key, a.value = f.value, a.out = f.out;
    a.lse = lse.data(), a.captures = f.captures;
    a.gradOut = view(gradOut, heads, sizes.queries, sizes.valueDim);
    gradLse.assign(lse.size(), 0.25f);
    a.gradLse = gradLse.data();
    a.gradQuery = view(gradQuery, heads, sizes.queries, sizes.headDim);
    a.gradKey = view(gradKey, kvHeads, sizes.keys, sizes.headDim);
    a.gradValue = view(gradValue, kvHeads, sizes.keys, sizes.valueDim);
    gradCaptures.clear();
    for (int64_t number : wrt) {
      int64_t count = 1;
      for (int64_t size : captures[number].sizes)
        count *= size;
      gradCaptures.push_back(std::vector<float>(count, -1));
    }
    for (std::vector<float> &gradient : gradCaptures)
      a.gradCaptures.push_back(gradient.data());
    return a;
  }

  ElementType type;
  int64_t width;
  ProblemSizes sizes;
  std::vector<CaptureData> captures;
  std::vector<char> query, key, value, out, gradOut, gradQuery, gradKey,
      gradValue;
  std::vector<float> lse, gradLse;
  std::vector<std::vector<float>> gradCaptures;

private:
  /// From 1/4 to 2, of both signs, in any type.
  std::vector<char> numbers(int64_t ofHeads, int64_t rows, int64_t channels,
                            uint32_t seed) const {
    std::vector<char> bytes(batch * ofHeads * rows * channels * width);
    for (size_t at = 0; at < bytes.size(); at += width) {
      seed = seed * 1664525 + 1013904223;
      uint32_t word =
          (seed & 0x80000000) | 0x3e800000 | (seed >> 7 & 0x017fffff);
      std::memcpy(&bytes[at], reinterpret_cast<char *>(&word) + 4 - width,
                  width);
    }
    return bytes;
  }
  static std::vector<char> poison(const std::vector<char> &like) {
    return std::vector<char>(like.size(), '\xff');
  }
};

} // namespace attn::test

#endif // ATTN_TEST_AOT_PROBLEM_H
