// Every pattern, type, head dimension, length and ratio of heads: a list of
// cases in which each pair of choices occurs.
#include "Harness.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <set>

using namespace attn;
using namespace attn::test;

namespace {
constexpr const char *patterns[] = {
    "noop",           "causal",        "rel",       "head_bias", "alibi",
    "sliding_window", "document_mask", "prefix_lm", "softcap"};
constexpr ElementType types[] = {ElementType::F32, ElementType::BF16,
                                 ElementType::F16};
constexpr int64_t headDims[] = {16, 64, 80, 128, 256};
constexpr int64_t lengths[][2] = {{1, 1},     {17, 17},   {113, 203},
                                  {203, 113}, {512, 256}, {1023, 1024},
                                  {1, 700},   {0, 16},    {16, 0}};
constexpr int64_t headRatios[] = {1, 3, 8};
constexpr Layout layouts[] = {Layout::BHSD, Layout::BSHD};
constexpr Numbers numbers[] = {Numbers::Normal, Numbers::SmallIntegers};

/// One index into each list.
using Choice = std::array<int, 7>;
constexpr Choice counts = {9, 3, 5, 9, 3, 2, 2};
using Pair = std::array<int, 4>; ///< list, index, list, index

/// document_mask reads its table at the query's position.
bool isPossible(const Choice &c) {
  return std::strcmp(patterns[c[0]], "document_mask") != 0 ||
         lengths[c[3]][0] <= lengths[c[3]][1];
}

std::vector<Pair> pairsOf(const Choice &c) {
  std::vector<Pair> pairs;
  for (int i = 0; i < 7; ++i)
    for (int j = i + 1; j < 7; ++j)
      pairs.push_back({i, c[i], j, c[j]});
  return pairs;
}

/// A choice with the given pair, and otherwise as many new pairs as greed
/// finds.
Choice complete(const Pair &seed, const std::set<Pair> &open) {
  Choice choice;
  choice.fill(-1);
  choice[seed[0]] = seed[1];
  choice[seed[2]] = seed[3];
  for (int i = 0; i < 7; ++i) {
    if (choice[i] >= 0)
      continue;
    int best = -1, bestScore = -1;
    for (int value = 0; value < counts[i]; ++value) {
      Choice attempt = choice;
      attempt[i] = value;
      bool known = attempt[0] >= 0 && attempt[3] >= 0;
      if (known && !isPossible(attempt))
        continue;
      int score = 0;
      for (const Pair &pair : pairsOf(attempt))
        score += open.count(pair);
      if (score > bestScore)
        best = value, bestScore = score;
    }
    choice[i] = best;
  }
  return choice;
}

Case makeCase(const Choice &c) {
  Case result;
  result.pattern = patterns[c[0]];
  result.type = types[c[1]];
  int64_t queries = lengths[c[3]][0], keys = lengths[c[3]][1];
  int64_t ratio = headRatios[c[4]];
  bool isShort = queries * keys < 100000;
  int64_t kvHeads = isShort ? 2 : 1;
  ProblemSizes &s = result.sizes;
  s.batch = isShort && result.pattern != "document_mask" ? 2 : 1;
  s.heads = ratio * kvHeads;
  s.kvHeads = kvHeads;
  s.queries = queries, s.keys = keys;
  s.headDim = s.valueDim = headDims[c[2]];
  s.sequences = result.pattern == "document_mask" ? 3 : s.batch;
  result.layout = layouts[c[5]];
  result.numbers = numbers[c[6]];
  return result;
}

std::vector<Case> coverPairs() {
  std::set<Pair> open;
  Choice choice;
  for (int i = 0; i < 7; ++i)
    for (int j = i + 1; j < 7; ++j)
      for (int x = 0; x < counts[i]; ++x)
        for (int y = 0; y < counts[j]; ++y)
          open.insert({i, x, j, y});
  std::vector<Case> cases;
  while (!open.empty()) {
    Pair seed = *open.begin();
    open.erase(seed);
    choice = complete(seed, open);
    if (!isPossible(choice))
      continue;
    for (const Pair &pair : pairsOf(choice))
      open.erase(pair);
    cases.push_back(makeCase(choice));
  }
  return cases;
}

class Patterns : public testing::TestWithParam<Case> {};
} // namespace

TEST_P(Patterns, AgreesWithDefinition) { runPattern(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Pairs, Patterns, testing::ValuesIn(coverPairs()),
                         [](const testing::TestParamInfo<Case> &info) {
                           return info.param.name();
                         });
