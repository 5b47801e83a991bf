// Rows and runs to JSON and back.
#include "results/JSON.h"

#include "FullRow.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::bench;

namespace {
TEST(JSON, RowsSurvive) {
  std::string line = toLine(7, fullRow(), backends);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  auto read = rowFromLine(line, backends);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->first, 7u);
  const Row &row = read->second;
  // All that was written is written again.
  EXPECT_EQ(toLine(7, row, backends), line);
  ASSERT_EQ(row.outcomes[0].timing.samples.size(), 3u);
  EXPECT_NEAR(row.outcomes[0].timing.samples[0], 12.345e-6, 1e-15);
  EXPECT_EQ(row.outcomes[0].timing.stop, Stop::SampleLimit);
  const Timing &timing = row.outcomes[0].timing;
  EXPECT_EQ(timing.duty, 0.9);
  ASSERT_TRUE(timing.pace);
  EXPECT_NEAR(timing.pace->host, 2e-5, 1e-15);
  ASSERT_EQ(timing.batches.size(), 2u);
  EXPECT_EQ(timing.batches[1].samples, 1);
  EXPECT_NEAR(timing.busyShare(), 0.875, 1e-12);
  EXPECT_NE(line.find("\"measured_duty\":0.875"), std::string::npos);
  EXPECT_EQ(row.outcomes[0].backward->timing.duty, 0);
  EXPECT_EQ(row.outcomes[0].backward->check, Backward::Unchecked);
  EXPECT_EQ(row.outcomes[0].backward->compileSeconds, 0.75);
  EXPECT_EQ(row.outcomes[0].backward->timing.withLaunch.size(), 2u);
  EXPECT_EQ(row.outcomes[1].kind, Outcome::Wrong);
  EXPECT_TRUE(std::isnan(*row.outcomes[1].maxError));
  EXPECT_FALSE(row.conditions.after);
  EXPECT_EQ(row.conditions.before->watts, 312.5);
  EXPECT_EQ(row.quantities[1].value, 0.125);
  EXPECT_EQ(row.bytes, 6144);
}

TEST(JSON, EveryKindSurvives) {
  for (int kind = Outcome::Timed; kind <= Outcome::Interrupted; ++kind) {
    Row row = fullRow();
    row.outcomes[1].kind = static_cast<Outcome::Kind>(kind);
    auto read = rowFromLine(toLine(0, row, backends), backends);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->second.outcomes[1].kind, kind);
  }
}

TEST(JSON, RunsSurvive) {
  std::string text = toJSON(fullResults());
  Result<Results> read = resultsFromJSON(text);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(toJSON(*read), text);
  EXPECT_EQ(read->run.facts[0].first, "b");
  EXPECT_EQ(read->run.ceilings.gemm["bf16"], 7e14);
  EXPECT_EQ(read->run.ceilings.read, 4.5e12);
  EXPECT_NEAR(read->run.ceilings.emptyLaunch, 2.5e-6, 1e-15);
  ASSERT_EQ(read->kernels.size(), 1u);
  EXPECT_EQ(read->kernels[0].of, "causal bf16 D64");
  EXPECT_EQ(read->kernels[0].compiles, 3);
  EXPECT_EQ(read->kernels[0].seconds, 1.25);
}

TEST(JSON, FilesOfBeforeAreStillRead) {
  std::string text = toJSON(fullResults());
  size_t begin = text.find("\"read_bytes_per_second\"");
  ASSERT_NE(begin, std::string::npos);
  text.erase(begin, text.find('\n', begin) - begin);
  Result<Results> read = resultsFromJSON(text);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->run.ceilings.read, 0);
}

TEST(JSON, MistakesAreErrors) {
  auto errorOf = [](const std::string &text) {
    Result<Results> read = resultsFromJSON(text);
    return read ? std::string() : read.error();
  };
  EXPECT_NE(errorOf("{\n \"a\": }").find("line 2, column 7"), std::string::npos)
      << errorOf("{\n \"a\": }");
  EXPECT_EQ(errorOf("[]"), "cannot use value() with array");
  EXPECT_EQ(errorOf("{}"), "expects a file of the format 'attn-bench'");
  EXPECT_EQ(errorOf(R"({"format":"attn-bench","format_version":2})"),
            "expects version 1 of the format, got 2");
  EXPECT_EQ(errorOf(R"({"format":"attn-bench","format_version":1})"),
            "key 'run' not found");
}
} // namespace
