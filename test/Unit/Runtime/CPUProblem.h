// One attention on the CPU, for two programs that must give the same bits:
// run-cpu-image, which has an image and nothing of the compiler, and run-mod,
// which compiles in the process. Both take what they run, then
//
//   BATCH,HEADS,QUERIES,KEYS,DIM f32|bf16 OUTPUT
//
// and write the bytes of the result to the file OUTPUT.
#ifndef ATTN_TEST_CPUPROBLEM_H
#define ATTN_TEST_CPUPROBLEM_H

#include "attn/API/Result.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace attn::test {

[[noreturn]] inline void fail(const std::string &message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  std::exit(1);
}
template <typename T> T orFail(Result<T> result) {
  if (!result)
    fail(result.error());
  return std::move(*result);
}
inline void orFail(Result<void> result) {
  if (!result)
    fail(result.error());
}

struct CPUProblem {
  long batch = 0, heads = 0, queries = 0, keys = 0, dim = 0;
  bool isF32 = false;
  std::string output;
  /// [batch][heads][rows][dim]; numbers from 1/4 to 2, of both signs.
  std::vector<char> query, key, value, out;

  /// From `argv[2]` on.
  static CPUProblem parse(int argc, char **argv) {
    CPUProblem p;
    if (argc != 5 || std::sscanf(argv[2], "%ld,%ld,%ld,%ld,%ld", &p.batch,
                                 &p.heads, &p.queries, &p.keys, &p.dim) != 5)
      fail("expects FILE BATCH,HEADS,QUERIES,KEYS,DIM f32|bf16 OUTPUT");
    p.isF32 = !std::strcmp(argv[3], "f32");
    p.output = argv[4];
    p.query = p.numbers(p.queries, 1);
    p.key = p.numbers(p.keys, 2);
    p.value = p.numbers(p.keys, 3);
    p.out = p.numbers(p.queries, 4);
    return p;
  }

  std::vector<int64_t> sizes(long rows) const {
    return {batch, heads, rows, dim};
  }
  void write() const {
    std::ofstream file(output, std::ios::binary);
    file.write(out.data(), static_cast<std::streamsize>(out.size()));
    if (!file.flush())
      fail("cannot write " + output);
  }

private:
  std::vector<char> numbers(long rows, uint32_t seed) const {
    size_t width = isF32 ? 4 : 2;
    std::vector<char> bytes(batch * heads * rows * dim * width);
    for (size_t at = 0; at < bytes.size(); at += width) {
      seed = seed * 1664525 + 1013904223;
      uint32_t word =
          (seed & 0x80000000) | 0x3e800000 | (seed >> 7 & 0x017fffff);
      std::memcpy(&bytes[at], reinterpret_cast<char *>(&word) + 4 - width,
                  width);
    }
    return bytes;
  }
};

} // namespace attn::test

#endif // ATTN_TEST_CPUPROBLEM_H
