// See CPUFeatures.h. The places of bits are those of the cpuid instruction in
// Intel's and AMD's manuals.
#include "attn/Runtime/CPUFeatures.h"

#include <algorithm>
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace attn;

namespace {

enum Register { EAX, EBX, ECX, EDX };

/// What the operating system must save of a thread: bits of XCR0.
enum State : uint64_t {
  None = 0,
  YMM = 0x6,
  ZMM = 0xe6,
  TILE = 0x60000,
  EGPR = 0x80000
};

struct Feature {
  const char *name;
  uint32_t leaf, subleaf;
  Register place;
  unsigned bit;
  State state;
  /// The number of so many bits is at least this one.
  unsigned bits = 1, least = 1;
};

} // namespace

static constexpr Feature features[] = {
    {"sse", 1, 0, EDX, 25, None},
    {"sse2", 1, 0, EDX, 26, None},
    {"sse3", 1, 0, ECX, 0, None},
    {"ssse3", 1, 0, ECX, 9, None},
    {"fma", 1, 0, ECX, 12, YMM},
    {"sse4.1", 1, 0, ECX, 19, None},
    {"sse4.2", 1, 0, ECX, 20, None},
    {"movbe", 1, 0, ECX, 22, None},
    {"popcnt", 1, 0, ECX, 23, None},
    {"avx", 1, 0, ECX, 28, YMM},
    {"f16c", 1, 0, ECX, 29, YMM},
    {"bmi", 7, 0, EBX, 3, None},
    {"avx2", 7, 0, EBX, 5, YMM},
    {"bmi2", 7, 0, EBX, 8, None},
    {"avx512f", 7, 0, EBX, 16, ZMM},
    {"avx512dq", 7, 0, EBX, 17, ZMM},
    {"avx512ifma", 7, 0, EBX, 21, ZMM},
    {"avx512cd", 7, 0, EBX, 28, ZMM},
    {"avx512bw", 7, 0, EBX, 30, ZMM},
    {"avx512vl", 7, 0, EBX, 31, ZMM},
    {"avx512vbmi", 7, 0, ECX, 1, ZMM},
    {"avx512vbmi2", 7, 0, ECX, 6, ZMM},
    {"gfni", 7, 0, ECX, 8, None},
    {"avx512vnni", 7, 0, ECX, 11, ZMM},
    {"avx512bitalg", 7, 0, ECX, 12, ZMM},
    {"avx512vpopcntdq", 7, 0, ECX, 14, ZMM},
    {"avx512vp2intersect", 7, 0, EDX, 8, ZMM},
    {"avx512fp16", 7, 0, EDX, 23, ZMM},
    {"avxvnni", 7, 1, EAX, 4, YMM},
    {"avx512bf16", 7, 1, EAX, 5, ZMM},
    {"avxifma", 7, 1, EAX, 23, YMM},
    {"avxvnniint8", 7, 1, EDX, 4, YMM},
    {"avxneconvert", 7, 1, EDX, 5, YMM},
    {"avxvnniint16", 7, 1, EDX, 10, YMM},
    {"amx-bf16", 7, 0, EDX, 22, TILE},
    {"amx-tile", 7, 0, EDX, 24, TILE},
    {"egpr", 7, 1, EDX, 21, EGPR},
    {"ppx", 7, 1, EDX, 21, EGPR},
    {"push2pop2", 7, 1, EDX, 21, EGPR},
    {"ndd", 7, 1, EDX, 21, EGPR},
    {"ccmp", 7, 1, EDX, 21, EGPR},
    {"nf", 7, 1, EDX, 21, EGPR},
    {"cf", 7, 1, EDX, 21, EGPR},
    {"zu", 7, 1, EDX, 21, EGPR},
    {"avx10.1", 0x24, 0, EBX, 0, ZMM, 8, 1},
    {"avx10.2", 0x24, 0, EBX, 0, ZMM, 8, 2},
    {"lzcnt", 0x80000001, 0, ECX, 5, None},
    {"sse4a", 0x80000001, 0, ECX, 6, None},
    {"xop", 0x80000001, 0, ECX, 11, YMM},
    {"fma4", 0x80000001, 0, ECX, 16, YMM},
    {"tbm", 0x80000001, 0, ECX, 21, None},
};

static const Feature *find(const std::string &name) {
  const Feature *found =
      std::find_if(std::begin(features), std::end(features),
                   [&](const Feature &known) { return name == known.name; });
  return found == std::end(features) ? nullptr : found;
}

bool cpu::isKnownFeature(const std::string &name) { return find(name); }

#if defined(__x86_64__)
/// What the operating system saves of a thread: XCR0.
static uint64_t savedState() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  constexpr uint32_t hasXCR0 = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & hasXCR0))
    return 0;
  __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  return static_cast<uint64_t>(d) << 32 | a;
}

/// Linux has a process ask before it uses tiles of AMX, whose state is large;
/// all of its threads may then.
static bool mayUseTiles() {
#if defined(__linux__)
  constexpr long requestPermission = 0x1023, tileData = 18;
  static const bool may =
      syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
  return may;
#else
  return false;
#endif
}

static bool has(const Feature &feature) {
  uint32_t words[4] = {};
  if (!__get_cpuid_count(feature.leaf, feature.subleaf, &words[EAX],
                         &words[EBX], &words[ECX], &words[EDX]))
    return false;
  static const uint64_t saved = savedState();
  uint32_t number =
      words[feature.place] >> feature.bit & ((1u << feature.bits) - 1);
  return number >= feature.least && (saved & feature.state) == feature.state &&
         (feature.state != TILE || mayUseTiles());
}
#else
static bool has(const Feature &) { return false; }
#endif

std::vector<std::string>
cpu::missingFeatures(const std::vector<std::string> &wanted) {
  std::vector<std::string> missing;
  for (const std::string &name : wanted) {
    const Feature *feature = find(name);
    if (!feature || !has(*feature))
      missing.push_back(name);
  }
  return missing;
}
