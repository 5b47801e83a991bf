// Rows to text: what a reader and a program see.
#include "Report.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
Outcome timed(double seconds) {
  Outcome outcome;
  outcome.kind = Outcome::Timed;
  outcome.seconds = seconds;
  outcome.maxError = 0.001;
  return outcome;
}

Outcome refused(Outcome::Kind kind, const std::string &reason) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.reason = reason;
  return outcome;
}

Row row(std::vector<Outcome> outcomes) {
  Row row;
  row.pattern = "causal";
  row.type = "f32";
  row.shape = "(1,2,3,4,5,6)";
  row.outcomes = std::move(outcomes);
  row.allPairs = 2e6;
  row.pairs = 1e6;
  row.flopsPerPair = 256;
  return row;
}

TEST(Table, MarkdownKeepsCellsApart) {
  EXPECT_EQ(markdownTable({"a", "bcdef"}, {{"x|y", "1"}, {"two\nlines", ""}}),
            "| a         | bcdef |\n"
            "|-----------|-------|\n"
            "| x\\|y      | 1     |\n"
            "| two lines |       |\n");
}

TEST(Table, CSVQuotes) {
  EXPECT_EQ(csvLine({"a", "(1,2)", "say \"x\"", "two\nlines", ""}),
            "a,\"(1,2)\",\"say \"\"x\"\"\",\"two\nlines\",\n");
}

TEST(Report, RatesAndSpeedups) {
  Report report({"compiled", "math"});
  ASSERT_TRUE(report.add(row({timed(1e-3), timed(3e-3)})));
  std::string text = report.text();
  EXPECT_NE(text.find("| 50.00 "), std::string::npos) << text;
  EXPECT_NE(text.find("| 1000.0 "), std::string::npos) << text;
  // 1e6 pairs of 256 operations in 1 ms.
  EXPECT_NE(text.find("| 0.256 "), std::string::npos) << text;
  EXPECT_NE(text.find("| 3.00 "), std::string::npos) << text;
  EXPECT_FALSE(report.hasFault());
}

TEST(Report, WrongResultsCountForNothing) {
  Report report({"compiled", "math", "cudnn"});
  Outcome wrong = timed(1e-6);
  wrong.kind = Outcome::Wrong;
  wrong.reason = "error 1 exceeds 0.5";
  Row first = row({wrong, timed(1e-3), timed(2e-3)});
  EXPECT_FALSE(speedup(first, 1));
  ASSERT_TRUE(report.add(std::move(first)));
  EXPECT_TRUE(report.hasFault());
  std::string text = report.text();
  EXPECT_NE(text.find("| WRONG "), std::string::npos);
  EXPECT_NE(text.find("compiled: error 1 exceeds 0.5"), std::string::npos);
  EXPECT_EQ(text.find("Speed-up of compiled"), std::string::npos) << text;
}

TEST(Report, RefusalsAreNoFaults) {
  Report report({"compiled", "math", "cudnn"});
  ASSERT_TRUE(
      report.add(row({timed(1e-3), refused(Outcome::OutOfMemory, "no room"),
                      refused(Outcome::Unsupported, "no such bias")})));
  EXPECT_FALSE(report.hasFault());
  std::string text = report.text();
  EXPECT_NE(text.find("| out of memory "), std::string::npos);
  EXPECT_NE(text.find("math: no room; cudnn: no such bias"), std::string::npos);
  ASSERT_TRUE(report.add(
      row({refused(Outcome::Failed, "launch"), timed(1), timed(1)})));
  EXPECT_TRUE(report.hasFault());
}

TEST(Report, SummaryNamesTheExtremes) {
  Report report({"compiled", "math"});
  ASSERT_TRUE(report.add(row({timed(1e-3), timed(1e-3)})));
  Row fast = row({timed(1e-3), timed(6e-3)});
  fast.pattern = "window";
  ASSERT_TRUE(report.add(std::move(fast)));
  Row idle = row({timed(1e-6), timed(1e-3)});
  idle.allPairs = 0;
  ASSERT_TRUE(report.add(std::move(idle)));
  EXPECT_NE(
      report.text().find("| math    | 2     | 3.50    | 6.00 | window f32 "
                         "(1,2,3,4,5,6) | 1.00 | causal f32 (1,2,3,4,5,6) |"),
      std::string::npos)
      << report.text();
}
} // namespace
