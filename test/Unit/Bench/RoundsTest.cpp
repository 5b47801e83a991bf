// Who is timed when.
#include "Rounds.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace attn;
using namespace attn::bench;

namespace {
/// A contestant that notes its turns in `log`, and fails in its `failing`th.
Contestant contestant(std::string &log, char name, double seconds,
                      int failing = 0) {
  auto turns = std::make_shared<int>(0);
  return {[=, &log](const TurnOptions &options) -> Result<Turn> {
            log += name;
            if (++*turns == failing)
              return Error{"broken"};
            Turn turn;
            // Too noisy to become precise if negative.
            for (int i = 0; i < options.samples; ++i)
              turn.samples.push_back(seconds < 0 ? -seconds * (1 + i)
                                                 : seconds);
            return turn;
          },
          {},
          ""};
}

/// The turns of a log, sorted within each round of `count`.
std::string sortedRounds(std::string log, size_t count) {
  for (size_t i = 0; i + count <= log.size(); i += count)
    std::sort(log.begin() + i, log.begin() + i + count);
  return log;
}

TEST(Rounds, EachRoundHasEveryoneInAnotherOrder) {
  std::string log;
  std::vector<Contestant> all;
  for (char name : {'a', 'b', 'c', 'd', 'e'})
    all.push_back(contestant(log, name, name * 1e-5));
  sampleInRounds(all, {});
  EXPECT_EQ(sortedRounds(log, 5), "abcdeabcdeabcde");
  EXPECT_NE(log.substr(0, 5), log.substr(5, 5));
  EXPECT_NE(log.substr(5, 5), log.substr(10, 5));
  EXPECT_EQ(all[1].timing.median(), 'b' * 1e-5);
  EXPECT_EQ(all[2].timing.stop, Stop::Precise);
  // The same in each run.
  std::string again;
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = contestant(again, char('a' + i), 1e-3);
  sampleInRounds(all, {});
  EXPECT_EQ(again, log);
}

TEST(Rounds, OneThatIsNoisyGoesOnAlone) {
  std::string log;
  std::vector<Contestant> all = {contestant(log, 'a', 1e-3),
                                 contestant(log, 'b', -1e-5)};
  sampleInRounds(all, {});
  EXPECT_EQ(sortedRounds(log, 2).substr(0, 6), "ababab");
  EXPECT_EQ(log.find('a', 6), std::string::npos);
  EXPECT_EQ(all[1].timing.stop, Stop::SampleLimit);
}

TEST(Rounds, OneThatFailsIsLeftOut) {
  std::string log;
  std::vector<Contestant> all = {contestant(log, 'a', 1e-3, /*failing=*/2),
                                 contestant(log, 'b', 1e-3)};
  sampleInRounds(all, {});
  EXPECT_EQ(sortedRounds(log, 2), "ababb");
  EXPECT_EQ(all[0].error, "broken");
  EXPECT_EQ(all[1].timing.stop, Stop::Precise);
}

TEST(Rounds, TurnsWarmUpAsLongAsTheDeviceNeeds) {
  TurnOptions seen;
  std::vector<Contestant> one = {{[&](const TurnOptions &turn) -> Result<Turn> {
                                    seen = turn;
                                    return Turn{{1e-3, 1e-3}, {}};
                                  },
                                  {},
                                  ""}};
  TimingOptions options;
  options.warmupSeconds = 0.125;
  sampleInRounds(one, options);
  EXPECT_EQ(seen.warmupSeconds, 0.125);
}

TEST(Rounds, NobodyIsNoReasonToWait) {
  std::vector<Contestant> none;
  sampleInRounds(none, {});
}
} // namespace
