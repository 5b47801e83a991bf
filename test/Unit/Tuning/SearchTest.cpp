// Who wins a search, and what it costs, where times are known beforehand.
#include "attn/Tuning/Search.h"

#include <gtest/gtest.h>
#include <map>

using namespace attn;

namespace {
/// Candidates with given times, and a clock that they move.
struct Fake : Candidates {
  explicit Fake(std::vector<double> seconds) : seconds(std::move(seconds)) {}

  size_t count() const override { return seconds.size(); }
  std::optional<Verdict> known(size_t i) override {
    auto found = before.find(i);
    return found == before.end() ? std::nullopt : std::optional(found->second);
  }
  Result<void> prepare(size_t i) override {
    ++prepares, now += compileSeconds;
    EXPECT_TRUE(alive.insert({i, true}).second) << "is there already";
    most = std::max(most, alive.size());
    if (spills.count(i))
      return Error{why};
    return {};
  }
  size_t ahead() const override { return width; }
  void expect(size_t i) override { expected[i] = now; }
  Result<double> time(size_t i) override {
    EXPECT_TRUE(alive.count(i));
    if (breaks.count(i) && ++samples[i] > breaks[i])
      return Error{"launch failure"};
    // Samples differ, in a pattern that is the same for all.
    double sample = seconds[i] * (1 + noise * (turn++ % 3));
    now += sample;
    return sample;
  }
  void drop(size_t i) override { alive.erase(i); }
  void keep(size_t i, const Verdict &verdict) override { kept[i] = verdict; }

  Result<SearchResult> run(double budget = 5) {
    return search(*this, {budget, [this] { return now; }});
  }

  std::vector<double> seconds;
  std::map<size_t, bool> spills;
  std::map<size_t, int> breaks, samples; ///< the last sample that works
  std::map<size_t, Verdict> before, kept;
  std::map<size_t, bool> alive;
  std::map<size_t, double> expected; ///< when
  size_t width = 1;
  std::string why = "spills";
  double compileSeconds = 0.1, now = 100, noise = 0;
  int prepares = 0, turn = 0;
  size_t most = 0; ///< that were there at once
};
} // namespace

TEST(Search, FindsTheFastest) {
  Fake fake({10e-3, 12e-3, 8e-3, 9e-3, 30e-3});
  auto result = fake.run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->best, 2u);
  EXPECT_EQ(fake.prepares, 5);
  EXPECT_EQ(fake.kept.size(), 5u);
  EXPECT_DOUBLE_EQ(result->verdicts[2]->time->median, 8e-3);
}

/// What is chosen by rule stays where another is not faster for certain.
TEST(Search, KeepsWhatIsChosenWithoutAGain) {
  EXPECT_EQ(Fake({10e-3, 9.9e-3}).run()->best, 0u);
  EXPECT_EQ(Fake({10e-3, 9.7e-3}).run()->best, 1u);
  Fake noisy({10e-3, 9.7e-3});
  noisy.noise = 0.1; // samples of both overlap
  EXPECT_EQ(noisy.run()->best, 0u);
}

TEST(Search, StopsInItsTime) {
  Fake fake(std::vector<double>(100, 10e-3));
  fake.seconds[99] = 1e-3;
  auto result = fake.run(2);
  EXPECT_EQ(result->best, 0u);
  EXPECT_FALSE(result->verdicts[99]);
  EXPECT_LT(fake.prepares, 20);
  EXPECT_LT(fake.now, 102.5);
  // Those that were tried are known for the next one.
  EXPECT_EQ(fake.kept.size(), size_t(fake.prepares));
  Fake none({10e-3, 1e-3});
  EXPECT_EQ(none.run(0)->best, 0u);
  EXPECT_EQ(none.prepares, 0);
}

TEST(Search, LeavesOutWhatFails) {
  Fake fake({10e-3, 1e-3, 2e-3, 3e-3, 9e-3});
  fake.spills[1] = true;
  fake.breaks[2] = 1; // in the short look
  fake.breaks[3] = 5; // in the rounds
  auto result = fake.run();
  EXPECT_EQ(result->best, 4u);
  EXPECT_EQ(result->verdicts[1]->failure, "spills");
  EXPECT_EQ(result->verdicts[2]->failure, "launch failure");
  EXPECT_EQ(result->verdicts[3]->failure, "launch failure");
  // Those may have been the device's.
  EXPECT_EQ(fake.kept[1].failure, "spills");
  EXPECT_FALSE(fake.kept.count(2));
  EXPECT_TRUE(fake.kept[3].time);
}

/// What fails for a reason that passes is tried again.
TEST(Search, KeepsLastingFailures) {
  auto isKept = [](const char *why) {
    Fake fake({10e-3, 9e-3});
    fake.spills[1] = true, fake.why = why;
    auto result = fake.run();
    EXPECT_EQ(result->verdicts[1]->failure, why);
    return fake.kept.count(1) > 0;
  };
  EXPECT_TRUE(isKept("spills 16 bytes of a thread"));
  EXPECT_TRUE(
      isKept("the kernel needs 300000 bytes of shared memory per block, "
             "this GPU has 232448"));
  EXPECT_FALSE(isKept("out of GPU memory: needs 278528 bytes, 0 are free"));
  EXPECT_FALSE(isKept("out of memory: the workspace needs 1000 bytes"));
  EXPECT_FALSE(isKept("cuMemsetD8Async: an illegal memory access was "
                      "encountered (CUDA_ERROR_ILLEGAL_ADDRESS)"));
}

TEST(Search, FailsWithTheFirst) {
  Fake fake({10e-3, 1e-3});
  fake.spills[0] = true;
  auto result = fake.run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), "spills");
}

/// Nothing is known to be faster than one that fails in the end.
TEST(Search, FailsWithAFirstThatBreaks) {
  Fake fake({10e-3, 5e-3});
  fake.breaks[0] = 5;
  auto result = fake.run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), "launch failure");
}

/// A context that a launch has broken fails whatever comes then.
TEST(Search, EndsWhereTheDeviceIsBroken) {
  Fake fake({10e-3, 5e-3, 6e-3, 7e-3});
  fake.breaks[1] = 1;
  fake.breaks[0] = 3;
  auto result = fake.run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), "launch failure");
  EXPECT_EQ(fake.prepares, 2);
  EXPECT_FALSE(fake.kept.count(1));
}

TEST(Search, TriesNothingThatIsKnown) {
  Fake fake({10e-3, 1e-3, 5e-3});
  fake.before[1] = {std::nullopt, "spills"};
  fake.before[2] = {Quartiles{5e-3, 5e-3, 5e-3}, ""};
  EXPECT_EQ(fake.run()->best, 2u);
  EXPECT_EQ(fake.prepares, 2); // the first, and the last for the rounds
}

/// It was taken when the clock was another.
TEST(Search, DecidesNothingByATimeOfBefore) {
  Fake slower({10e-3, 11e-3, 9e-3});
  slower.before[1] = {Quartiles{4e-3, 4e-3, 4e-3}, ""};
  EXPECT_EQ(slower.run()->best, 2u); // which is far behind what the other said
  std::vector<double> equal(8, 11e-3);
  Fake all(equal);
  for (size_t i = 0; i < equal.size(); ++i)
    all.before[i] = {Quartiles{10e-3, 10e-3, 10e-3}, ""};
  EXPECT_EQ(all.run()->best, 0u);
}

/// What won rounds stays in those of others that seem faster still.
TEST(Search, LetsTheBestDefendItself) {
  Fake fake({10e-3, 9e-3, 12e-3, 12e-3, 12e-3, 12e-3, 12e-3});
  fake.before[1] = {Quartiles{7e-3, 7e-3, 7e-3}, ""};
  for (size_t i = 2; i < 7; ++i)
    fake.before[i] = {Quartiles{8e-3, 8e-3, 8e-3}, ""};
  auto result = fake.run(60);
  EXPECT_EQ(result->best, 1u);
  for (size_t i = 2; i < 7; ++i) // of all of which it was wrong
    EXPECT_DOUBLE_EQ(result->verdicts[i]->time->median, 12e-3);
}

/// Also where there is no time to choose another.
TEST(Search, ChoosesNothingThatFailsLater) {
  Fake fake({10e-3, 9e-3, 12e-3, 12e-3, 12e-3, 12e-3});
  fake.before[1] = {Quartiles{7e-3, 7e-3, 7e-3}, ""};
  for (size_t i = 2; i < 6; ++i)
    fake.before[i] = {Quartiles{8e-3, 8e-3, 8e-3}, ""};
  fake.breaks[1] = 15; // it wins the first rounds
  auto result = fake.run(1.2);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->isDecided);
  EXPECT_EQ(result->verdicts[1]->failure, "launch failure");
  EXPECT_EQ(result->best, 0u);
}

/// Three samples say less than fifteen did.
TEST(Search, KeepsNoShortLookForALongOne) {
  Fake fake({10e-3, 9e-3});
  fake.before[0] = {Quartiles{8e-3, 8e-3, 8e-3}, ""};
  ASSERT_TRUE(fake.run(0.13)); // no time for rounds
  EXPECT_FALSE(fake.kept.count(0));
  Fake unknown({10e-3, 9e-3});
  ASSERT_TRUE(unknown.run(0.13));
  EXPECT_TRUE(unknown.kept.count(0));
}

TEST(Search, SaysWhoIsNext) {
  Fake fake(std::vector<double>(100, 10e-3));
  fake.before[1] = {std::nullopt, "spills"};
  ASSERT_TRUE(fake.run(2));
  EXPECT_FALSE(fake.expected.count(1));
  EXPECT_TRUE(fake.expected.count(2));
  // All but one that there was no time for were tried.
  EXPECT_LE(fake.expected.size(), size_t(fake.prepares));
  for (auto [i, when] : fake.expected)
    EXPECT_LT(when, 100 + 0.8 * 2) << i;
}

/// Candidates that take seconds end a search of one second, too.
TEST(Search, HoldsItsTimeWhereCandidatesAreSlow) {
  Fake fake({0.1, 3, 3, 3, 3});
  auto result = fake.run(1);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->best, 0u);
  EXPECT_LT(fake.now, 100 + 1 + 3.2); // one sample of one of them
  Fake slow({3, 3, 3});
  ASSERT_TRUE(slow.run(1));
  EXPECT_LT(slow.now, 100 + 3.2);
  Fake equal({1, 1, 1, 1});
  ASSERT_TRUE(equal.run(14)); // which ends within the first turn
  EXPECT_EQ(equal.prepares, 4);
  EXPECT_LT(equal.now, 100 + 14 + 1);
}

/// A GPU has no room for a hundred loaded kernels for nothing.
TEST(Search, DropsWhatIsSlow) {
  std::vector<double> seconds(30, 20e-3);
  seconds[0] = 10e-3;
  Fake fake(seconds);
  ASSERT_TRUE(fake.run(60));
  EXPECT_EQ(fake.prepares, 30);
  EXPECT_LE(fake.most, 2u);
}

TEST(Quartiles, AreOfSortedSamples) {
  Quartiles of = Quartiles::of({5, 1, 4, 2, 3});
  EXPECT_EQ(of.low, 2);
  EXPECT_EQ(of.median, 3);
  EXPECT_EQ(of.high, 4);
  EXPECT_EQ(Quartiles::of({7}).high, 7);
}

/// As many as are good to know of, without those that need not be looked at.
TEST(Search, ExpectsSeveral) {
  Fake fake({1e-3, 2e-3, 2e-3, 2e-3, 2e-3, 2e-3, 2e-3});
  fake.width = 3;
  fake.compileSeconds = 10; // no time for more than the first
  fake.before[2] = {std::nullopt, "spills"};
  ASSERT_TRUE(fake.run(15));
  std::vector<size_t> all;
  for (auto [i, when] : fake.expected)
    all.push_back(i);
  EXPECT_EQ(all, (std::vector<size_t>{1, 3, 4}));
}
