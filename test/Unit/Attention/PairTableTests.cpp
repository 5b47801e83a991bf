// Tables with an element for each pair of query and key, wherever they lie:
// kernels whose warps have roles read two neighbours at a time where they can,
// before there are scores.
#include "Harness.h"
#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace attn;
using namespace attn::test;

namespace {

using L = CaptureLayout;

struct PairCase {
  const char *name;
  ElementType table;
  const char *mlir, *toFloat;
  L layout;
  ProblemSizes sizes;
  /// Of the table's columns to the keys: even only if this is.
  int64_t shift = 0;
};

/// s + table[h, q, kv + shift], which is clamped, where the key is at most two
/// ahead.
std::string modOf(const PairCase &c) {
  std::string tensor = std::string("tensor<?x?x?x") + c.mlir + ">";
  std::string index = "%kv", at;
  if (c.shift) {
    at = "    %n = arith.constant " + std::to_string(c.shift) +
         " : i32\n    %at = arith.addi %kv, %n : i32\n";
    index = "%at";
  }
  std::string widen = *c.toFloat ? "    %x = " + std::string(c.toFloat) +
                                       " %e : " + c.mlir + " to f32\n"
                                 : "";
  return "attn.mod @pairs(%table: " + tensor +
         ")\n  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {\n" + at +
         "    " + (*c.toFloat ? "%e" : "%x") + " = attn.load %table[%h, %q, " +
         index + "] : " + tensor + "\n" + widen +
         "    %t = arith.addf %s, %x : f32\n    attn.yield %t : f32\n  } "
         "mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n"
         "    %two = arith.constant 2 : i32\n"
         "    %end = arith.addi %q, %two : i32\n"
         "    %keep = arith.cmpi sle, %kv, %end : i32\n"
         "    attn.yield %keep : i1\n  }\n";
}

double elementAt(int64_t h, int64_t q, int64_t kv) {
  return std::round(64 * std::sin(double(31 * h + 7 * q + 3 * kv))) / 32;
}

CaptureData dataOf(const PairCase &c) {
  const ProblemSizes &s = c.sizes;
  CaptureData data{c.table, {s.heads, s.queries, s.keys}, {}};
  int64_t width = byteWidth(c.table);
  data.bytes.resize(s.heads * s.queries * s.keys * width);
  std::byte *at = data.bytes.data();
  for (int64_t h = 0; h < s.heads; ++h)
    for (int64_t q = 0; q < s.queries; ++q)
      for (int64_t kv = 0; kv < s.keys; ++kv, at += width) {
        auto value = static_cast<float>(elementAt(h, q, kv));
        bench::fromFloat(at, c.table, &value, 1);
      }
  return data;
}

std::vector<PairCase> cases() {
  constexpr ElementType f32 = ElementType::F32, bf16 = ElementType::BF16;
  ProblemSizes even{1, 2, 1, 130, 190, 64, 64, 1},
      odd{2, 2, 2, 131, 193, 128, 128, 1}, wide{1, 2, 1, 140, 210, 256, 256, 1};
  return {
      {"f32", f32, "f32", "", L::Contiguous, even},
      {"bf16", bf16, "bf16", "arith.extf", L::Contiguous, even},
      {"f16", ElementType::F16, "f16", "arith.extf", L::Contiguous, even},
      {"f32_odd", f32, "f32", "", L::Contiguous, odd},
      {"bf16_odd", bf16, "bf16", "arith.extf", L::Contiguous, odd},
      {"f32_padded", f32, "f32", "", L::Padded, even},
      {"f32_apart", f32, "f32", "", L::Apart, even},
      {"bf16_transposed", bf16, "bf16", "arith.extf", L::Transposed, even},
      {"f32_wide", f32, "f32", "", L::Contiguous, wide},
      {"f32_shifted", f32, "f32", "", L::Contiguous, even, 3},
      {"bf16_shifted", bf16, "bf16", "arith.extf", L::Contiguous, wide, -2},
  };
}

class PairTables : public testing::TestWithParam<PairCase> {};

} // namespace

TEST_P(PairTables, AreReadWhereverTheyLie) {
  const PairCase &p = GetParam();
  Case c;
  c.type = ElementType::BF16;
  c.sizes = p.sizes;
  c.captureLayouts = {p.layout};
  Result<Mod> mod = Mod::fromSource(modOf(p), "pairs.mlir");
  ASSERT_TRUE(mod) << mod.error() << modOf(p);
  Oracle oracle;
  int64_t last = p.sizes.keys - 1, shift = p.shift;
  oracle.score = [last, shift](double score, int, int h, int q, int kv) {
    int64_t at = std::min(std::max<int64_t>(kv + shift, 0), last);
    return score + elementAt(h, q, at);
  };
  oracle.mask = [](int, int, int q, int kv) { return kv <= q + 2; };
  runAndCompare(c, *mod, oracle, makeInputs(c), {dataOf(p)});
}

INSTANTIATE_TEST_SUITE_P(All, PairTables, testing::ValuesIn(cases()),
                         [](const auto &info) { return info.param.name; });
