// Who is timed when.
#include "measure/Rounds.h"
#include "measure/Cycle.h"

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
            // Too noisy to become precise if negative, in a turn and from one
            // to the next.
            double noise = 1 + *turns % 2;
            for (int i = 0; i < options.samples; ++i)
              turn.samples.push_back(seconds < 0 ? -seconds * (1 + i) * noise
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
  auto take = [&](const TurnOptions &options) -> Result<Turn> {
    seen = options;
    Turn turn;
    turn.samples = {1e-3, 1e-3};
    return turn;
  };
  std::vector<Contestant> one = {{take, {}, ""}};
  TimingOptions options;
  options.warmupSeconds = 0.125;
  sampleInRounds(one, options);
  EXPECT_EQ(seen.warmupSeconds, 0.125);
}

/// One whose samples keep the GPU and the host for so many seconds; notes the
/// duties that it is asked for.
Contestant paced(std::vector<double> &duties, double gpu, double host) {
  return {[=, &duties](const TurnOptions &options) -> Result<Turn> {
            Turn turn;
            if (options.onlyPace) {
              EXPECT_EQ(options.duty, 1);
              turn.pace = Pace{gpu, host, 1e-4};
              return turn;
            }
            duties.push_back(options.duty);
            turn.samples.assign(options.samples, gpu);
            turn.batches.push_back({options.samples, 0.1, 0.3});
            return turn;
          },
          {},
          ""};
}

TEST(Rounds, AllKeepTheDutyThatTheSlowestHostCanKeep) {
  std::vector<double> fast, slow;
  std::vector<Contestant> both = {paced(fast, 1e-3, 1e-5),
                                  paced(slow, 1e-4, 3e-4)};
  TimingOptions options;
  options.paced = true;
  sampleInRounds(both, options);
  double duty = dutyFor({{1e-4, 3e-4, 1e-4}}, {});
  EXPECT_EQ(fast, std::vector<double>(3, duty));
  EXPECT_EQ(slow, std::vector<double>(3, duty));
  for (const Contestant &contestant : both) {
    EXPECT_EQ(contestant.timing.duty, duty);
    EXPECT_EQ(contestant.timing.batches.size(), 3u);
    EXPECT_NEAR(contestant.timing.busyShare(), 0.75, 1e-12);
    ASSERT_TRUE(contestant.timing.pace);
  }
  EXPECT_EQ(both[1].timing.pace->host, 3e-4);
}

TEST(Rounds, WithoutPaceNobodyRests) {
  std::vector<double> duties;
  std::vector<Contestant> one = {paced(duties, 1e-3, 1e-5)};
  sampleInRounds(one, {});
  EXPECT_EQ(duties, std::vector<double>(3, 1.0));
  EXPECT_EQ(one[0].timing.duty, 0);
}

TEST(Rounds, OneThatFailsToShowItsPaceIsLeftOut) {
  std::vector<double> duties;
  std::string log;
  std::vector<Contestant> all = {contestant(log, 'a', 1e-3, /*failing=*/1),
                                 paced(duties, 1e-3, 1e-5)};
  TimingOptions options;
  options.paced = true;
  sampleInRounds(all, options);
  EXPECT_EQ(log, "a");
  EXPECT_EQ(all[0].error, "broken");
  EXPECT_EQ(duties, std::vector<double>(3, kMostDuty));
}

TEST(Rounds, NobodyIsNoReasonToWait) {
  std::vector<Contestant> none;
  sampleInRounds(none, {});
  TimingOptions paced;
  paced.paced = true;
  sampleInRounds(none, paced);
}
} // namespace
