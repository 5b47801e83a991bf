// Verdicts about two runs.
#include "report/Compare.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
/// Samples whose median is `median` and whose interval spans about `spread`
/// (a share) to both sides.
Timing around(double median, double spread, int count = 41) {
  Timing timing;
  for (int i = 0; i < count; ++i)
    timing.samples.push_back(median *
                             (1 + spread * 3 * (2.0 * i / (count - 1) - 1)));
  timing.stop = Stop::Precise;
  return timing;
}

TEST(Compare, IntervalsDecide) {
  Timing before = around(1e-3, 0.002);
  EXPECT_EQ(judge(before, around(0.9e-3, 0.002), 0.02), Verdict::Faster);
  EXPECT_EQ(judge(before, around(1.1e-3, 0.002), 0.02), Verdict::Slower);
  EXPECT_EQ(judge(before, around(1.005e-3, 0.002), 0.02), Verdict::Same);
  // On the threshold, and too noisy to tell.
  EXPECT_EQ(judge(before, around(1.02e-3, 0.002), 0.02), Verdict::Unsure);
  EXPECT_EQ(judge(before, around(1.1e-3, 0.2), 0.02), Verdict::Unsure);
  // The same change matters or not by the threshold.
  EXPECT_EQ(judge(before, around(1.1e-3, 0.002), 0.2), Verdict::Same);
}

TEST(Compare, FewSamplesAreNeverSure) {
  Timing before = around(1e-3, 0.001);
  EXPECT_EQ(judge(before, around(9e-3, 0.001, 5), 0.02), Verdict::Unsure);
  EXPECT_EQ(judge(around(9e-3, 0.001, 5), before, 0.02), Verdict::Unsure);
  EXPECT_EQ(judge(before, Timing{}, 0.02), Verdict::Unsure);
}

TEST(Compare, TheIntervalOfTheRatioHoldsBothErrors) {
  Timing before = around(2e-3, 0.01), after = around(1e-3, 0.01);
  Change change = changeOf(before, after);
  EXPECT_NEAR(change.ratio, 0.5, 1e-12);
  EXPECT_DOUBLE_EQ(change.low, after.interval().low / before.interval().high);
  EXPECT_DOUBLE_EQ(change.high, after.interval().high / before.interval().low);
  EXPECT_LT(change.low, 0.5);
  EXPECT_GT(change.high, 0.5);
}

Outcome timed(double seconds) {
  Outcome outcome;
  outcome.kind = Outcome::Timed;
  outcome.timing = around(seconds, 0.001);
  outcome.seconds = seconds;
  return outcome;
}

Outcome wrong() {
  Outcome outcome;
  outcome.kind = Outcome::Wrong;
  outcome.reason = "error 1 exceeds 0.1";
  outcome.maxError = 1;
  return outcome;
}

Results runOf(const std::vector<std::string> &backends,
              const std::vector<Outcome> &outcomes,
              const std::string &shape = "(1,1,8,1,8,8)") {
  Results results;
  results.run.backends = backends;
  results.run.device = "a device";
  Row row;
  row.pattern = "causal";
  row.type = "f32";
  row.shape = shape;
  row.outcomes = outcomes;
  results.rows.push_back({0, row});
  return results;
}

bool has(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST(Compare, BackendsAreFoundByName) {
  Results before = runOf({"compiled", "math", "cudnn"},
                         {timed(1e-3), timed(5e-3), timed(7e-3)});
  Results after =
      runOf({"compiled", "flex", "math"}, {timed(1e-3), timed(1), timed(3e-3)});
  Comparison comparison = compareResults(before, after, 0.02);
  EXPECT_FALSE(comparison.worse);
  EXPECT_TRUE(
      has(comparison.text, "| math     | forward | 5000.0      | 3000.0"))
      << comparison.text;
  EXPECT_TRUE(has(comparison.text, "1 FASTER, 1 SAME (threshold 2%)"))
      << comparison.text;
}

TEST(Compare, RatesOfBothRunsAreThere) {
  Results before = runOf({"compiled"}, {timed(1e-3)});
  Results after = runOf({"compiled"}, {timed(2e-3)});
  std::string text = compareResults(before, after, 0.02).text;
  EXPECT_TRUE(has(text, "| GB/s before | GB/s after | verdict |")) << text;
  before.rows[0].second.bytes = after.rows[0].second.bytes = 3e9;
  text = compareResults(before, after, 0.02).text;
  EXPECT_TRUE(has(text, "| 3000        | 1500       | SLOWER  |")) << text;
}

TEST(Compare, WhatBecameWrongIsWorse) {
  Results good = runOf({"compiled"}, {timed(1e-3)});
  Results bad = runOf({"compiled"}, {wrong()});
  EXPECT_TRUE(compareResults(good, bad, 0.02).worse);
  EXPECT_TRUE(has(compareResults(good, bad, 0.02).text, "| FAULT "));
  EXPECT_FALSE(compareResults(bad, good, 0.02).worse);
  EXPECT_TRUE(has(compareResults(bad, good, 0.02).text, "| FIXED "));
  EXPECT_TRUE(has(compareResults(bad, bad, 0.02).text, "no measurement"));
}

TEST(Compare, UnlikeRunsAreSaidToBe) {
  Results before = runOf({"compiled"}, {timed(1e-3)});
  Results after = runOf({"compiled"}, {timed(1e-3)}, "(2,1,8,1,8,8)");
  after.run.device = "another";
  EXPECT_FALSE(has(compareResults(before, before, 0.02).text, "--hot"));
  Results hot = before;
  hot.rows[0].second.outcomes[0].timing.hot = true;
  EXPECT_TRUE(has(compareResults(before, hot, 0.02).text, "--hot"));
  std::string text = compareResults(before, after, 0.02).text;
  EXPECT_TRUE(has(text, "note: device: 'a device' before, 'another' after"));
  EXPECT_TRUE(has(text, "note: 2 cases are in one of the runs only")) << text;
}
} // namespace
