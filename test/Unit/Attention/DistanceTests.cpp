// Programs of which the distance of query and key decides much: GPU kernels
// make that once for each diagonal of a tile (tile-share-diagonals).
#include "Harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

/// A table of `heads` x 21 that is read at the distance, clamped; distances
/// that are multiples of a captured period are dropped, and the score is damped
/// by a cosine of the distance.
constexpr const char *source = R"(
attn.mod @distances(%table: tensor<?x?xf32>, %period: i32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %kv, %q : i32
    %low = arith.constant -10 : i32
    %high = arith.constant 10 : i32
    %up = arith.maxsi %d, %low : i32
    %clamped = arith.minsi %up, %high : i32
    %i = arith.addi %clamped, %high : i32
    %bias = attn.load %table[%h, %i] : tensor<?x?xf32>
    %f = arith.sitofp %d : i32 to f32
    %tenth = arith.constant 0.1 : f32
    %x = arith.mulf %f, %tenth : f32
    %wave = math.cos %x : f32
    %damped = arith.mulf %s, %wave : f32
    %t = arith.addf %damped, %bias : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %one = arith.constant 1 : i32
    %least = arith.maxsi %period, %one : i32
    %r = arith.remsi %d, %least : i32
    %zero = arith.constant 0 : i32
    %keep = arith.cmpi ne, %r, %zero : i32
    attn.yield %keep : i1
  }
)";

constexpr int64_t tableWidth = 21, period = 3;

float biasAt(int64_t h, int64_t i) {
  return std::sin(static_cast<float>(7 * h + 3 * i));
}

class Distances : public testing::TestWithParam<Case> {};

std::vector<Case> cases() {
  std::vector<Case> cases;
  auto add = [&](ElementType type, ProblemSizes sizes) {
    cases.emplace_back();
    cases.back().type = type, cases.back().sizes = sizes;
  };
  // Lengths that no tile divides, keys before and behind the queries, heads
  // that share keys, and tiles that leave no room in shared memory (256).
  add(ElementType::BF16, {1, 2, 1, 150, 230, 64, 64, 1});
  add(ElementType::BF16, {2, 2, 2, 230, 70, 128, 128, 1});
  add(ElementType::F16, {1, 2, 1, 130, 140, 256, 256, 1});
  add(ElementType::F32, {1, 2, 1, 150, 230, 64, 64, 1});
  add(ElementType::BF16, {1, 4, 2, 1, 300, 128, 128, 1});
  return cases;
}

} // namespace

TEST_P(Distances, DecideOnceForEachDiagonal) {
  const Case &c = GetParam();
  Result<Mod> mod = Mod::fromSource(source, "distances.mlir");
  ASSERT_TRUE(mod) << mod.error();
  CaptureData table{ElementType::F32, {c.sizes.heads, tableWidth}, {}};
  table.bytes.resize(c.sizes.heads * tableWidth * sizeof(float));
  for (int64_t h = 0; h < c.sizes.heads; ++h)
    for (int64_t i = 0; i < tableWidth; ++i) {
      float bias = biasAt(h, i);
      std::memcpy(&table.bytes[(h * tableWidth + i) * sizeof(float)], &bias,
                  sizeof(float));
    }
  CaptureData scalar{ElementType::I32, {}, {}};
  scalar.bytes.resize(sizeof(int32_t));
  auto number = static_cast<int32_t>(period);
  std::memcpy(scalar.bytes.data(), &number, sizeof(number));
  Oracle oracle;
  oracle.score = [](double score, int, int h, int q, int kv) {
    int i = std::clamp(kv - q, -10, 10) + 10;
    return score * std::cos((kv - q) * double(0.1f)) + biasAt(h, i);
  };
  oracle.mask = [](int, int, int q, int kv) { return (q - kv) % period != 0; };
  runAndCompare(c, *mod, oracle, makeInputs(c), {table, scalar});
}

INSTANTIATE_TEST_SUITE_P(All, Distances, testing::ValuesIn(cases()),
                         [](const auto &info) { return info.param.name(); });
