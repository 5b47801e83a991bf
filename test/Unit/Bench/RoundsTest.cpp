// Who is timed when.
#include "Rounds.h"

#include <gtest/gtest.h>

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

TEST(Rounds, WhoComesFirstMovesOn) {
  std::string log;
  std::vector<Contestant> all = {contestant(log, 'a', 1e-3),
                                 contestant(log, 'b', 2e-3),
                                 contestant(log, 'c', 3e-3)};
  sampleInRounds(all, {});
  EXPECT_EQ(log, "abcbcacab");
  EXPECT_EQ(all[1].timing.median(), 2e-3);
  EXPECT_EQ(all[2].timing.stop, Stop::Precise);
}

TEST(Rounds, OneThatIsNoisyGoesOnAlone) {
  std::string log;
  std::vector<Contestant> all = {contestant(log, 'a', 1e-3),
                                 contestant(log, 'b', -1e-4)};
  sampleInRounds(all, {});
  EXPECT_EQ(log.substr(0, 6), "abbaab");
  EXPECT_EQ(log.find('a', 6), std::string::npos);
  EXPECT_EQ(all[1].timing.stop, Stop::SampleLimit);
}

TEST(Rounds, OneThatFailsIsLeftOut) {
  std::string log;
  std::vector<Contestant> all = {contestant(log, 'a', 1e-3, /*failing=*/2),
                                 contestant(log, 'b', 1e-3)};
  sampleInRounds(all, {});
  EXPECT_EQ(log, "abbab");
  EXPECT_EQ(all[0].error, "broken");
  EXPECT_EQ(all[1].timing.stop, Stop::Precise);
}

TEST(Rounds, NobodyIsNoReasonToWait) {
  std::vector<Contestant> none;
  sampleInRounds(none, {});
}
} // namespace
