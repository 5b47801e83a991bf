// What is kept of a run: JSON and back, the journal, the line of progress, the
// command that repeats a case.
#include "HTML.h"
#include "JSON.h"
#include "Journal.h"
#include "Progress.h"
#include "Recorder.h"
#include "Repeat.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

using namespace attn;
using namespace attn::bench;

namespace fs = std::filesystem;

namespace {
const std::vector<std::string> backends = {"compiled", "math"};

/// A row in which everything has a value.
Row fullRow() {
  Row row;
  row.pattern = "causal";
  row.type = "bf16";
  row.shape = "(1,2,8,1,8,64)";
  row.sizes.heads = 2;
  row.sizes.queries = row.sizes.keys = 8;
  row.sizes.headDim = row.sizes.valueDim = 64;
  row.elementBytes = 2;
  row.allPairs = 128;
  row.pairs = 72;
  row.flopsPerPair = 256;
  row.quantities = {{"tiles visited", 3}, {"lists (us)", 0.125}};
  row.repeat = "attn-bench -b 1";
  row.remark = "a remark with \"quotes\"";
  row.conditions.before = DeviceState{1980, 2619, 45, 312.5, 4, 1.5, 0.25};
  row.conditions.seconds = 3.5;
  row.conditions.throttled = "power cap for 12% of the time";
  Outcome timed;
  timed.kind = Outcome::Timed;
  timed.timing.samples = {12.345e-6, 12.5e-6, 11e-6};
  timed.timing.withLaunch = {20e-6};
  timed.timing.rounds = {2, 1};
  timed.timing.stop = Stop::SampleLimit;
  timed.timing.hot = true;
  timed.seconds = timed.timing.median();
  timed.maxError = 1.25e-3;
  timed.compileSeconds = 0.5;
  Backward &backward = timed.backward.emplace();
  backward.check = Backward::Unchecked;
  backward.timing.samples = backward.timing.withLaunch = {1e-3, 2e-3};
  backward.timing.rounds = {2};
  backward.timing.stop = Stop::TimeLimit;
  backward.reason = "too large for the reference";
  Outcome wrong;
  wrong.kind = Outcome::Wrong;
  wrong.maxError = std::nan("");
  wrong.reason = "NaN at (0,0,0,0)";
  row.outcomes = {timed, wrong};
  return row;
}

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
  EXPECT_EQ(row.outcomes[0].backward->check, Backward::Unchecked);
  EXPECT_EQ(row.outcomes[0].backward->timing.withLaunch.size(), 2u);
  EXPECT_EQ(row.outcomes[1].kind, Outcome::Wrong);
  EXPECT_TRUE(std::isnan(*row.outcomes[1].maxError));
  EXPECT_FALSE(row.conditions.after);
  EXPECT_EQ(row.conditions.before->watts, 312.5);
  EXPECT_EQ(row.quantities[1].value, 0.125);
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

Results fullResults() {
  Results results;
  results.run.backends = backends;
  results.run.device = "a device </script>";
  results.run.facts = {{"b", "2"}, {"a", "1"}};
  results.run.ceilings.gemm["bf16"] = 7e14;
  results.run.ceilings.copy = 4e12;
  results.run.caseCount = 2;
  results.run.fingerprint = "0123";
  results.rows = {{0, fullRow()}, {1, fullRow()}};
  results.complete = true;
  results.finished = "2026-01-31T12:00:00Z";
  return results;
}

TEST(JSON, RunsSurvive) {
  std::string text = toJSON(fullResults());
  Result<Results> read = resultsFromJSON(text);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(toJSON(*read), text);
  EXPECT_EQ(read->run.facts[0].first, "b");
  EXPECT_EQ(read->run.ceilings.gemm["bf16"], 7e14);
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

TEST(HTML, NothingEndsTheScriptEarly) {
  std::string html = reportHTML(fullResults());
  EXPECT_EQ(html.find("a device </script>"), std::string::npos);
  EXPECT_NE(html.find("a device \\u003c/script\\u003e"), std::string::npos);
  EXPECT_NE(html.find("drawThroughput"), std::string::npos);
  for (const char *placeholder :
       {"{{style}}", "{{plotly}}", "{{results}}", "{{script}}"})
    EXPECT_EQ(html.find(placeholder), html.npos) << placeholder;
}

class FilesTest : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::path(testing::TempDir()) /
             ("attn-files-" + std::to_string(getpid()));
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string at(const char *name) const { return (folder / name).string(); }
  fs::path folder;
};

TEST_F(FilesTest, JournalKeepsWholeLines) {
  {
    auto journal = Journal::open(at("j"));
    ASSERT_TRUE(journal);
    ASSERT_TRUE((*journal)->append("one"));
    ASSERT_TRUE((*journal)->append("two"));
    auto second = Journal::open(at("j"));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), "another run is writing to '" + at("j") + "'");
  }
  std::FILE *file = std::fopen(at("j").c_str(), "a");
  std::fputs("thr", file);
  std::fclose(file);
  auto journal = Journal::open(at("j"));
  ASSERT_TRUE(journal);
  EXPECT_EQ((*journal)->lines(), (std::vector<std::string>{"one", "two"}));
  ASSERT_TRUE((*journal)->keep(1));
  ASSERT_TRUE((*journal)->append("three"));
  EXPECT_EQ(*readFile(at("j")), "one\nthree\n");
  (*journal)->remove();
  EXPECT_FALSE(fs::exists(at("j")));
}

TEST_F(FilesTest, WritingReplacesTheWhole) {
  ASSERT_TRUE(writeFile(at("f"), "a longer text"));
  ASSERT_TRUE(writeFile(at("f"), "short"));
  EXPECT_EQ(*readFile(at("f")), "short");
  EXPECT_FALSE(fs::exists(at("f.new")));
  EXPECT_FALSE(writeFile(at("none/f"), ""));
  EXPECT_FALSE(readFile(at("none")));
}

TEST_F(FilesTest, RowsThatComeLateAreInOrder) {
  RunInfo run;
  run.backends = backends;
  run.caseCount = 3;
  auto recorder = Recorder::open(at("r.csv"), run, Start::Fresh);
  ASSERT_TRUE(recorder) << recorder.error();
  ASSERT_TRUE((*recorder)->begin({}));
  for (size_t index : {2, 0, 1}) {
    Row row = fullRow();
    row.pattern = "p" + std::to_string(index);
    if (index != 2) // the last ones bring a column
      row.quantities.push_back({"extra", 1});
    ASSERT_TRUE((*recorder)->add(index, row, false));
  }
  std::string csv = *readFile(at("r.csv"));
  EXPECT_LT(csv.find("\np0,"), csv.find("\np1,"));
  EXPECT_LT(csv.find("\np1,"), csv.find("\np2,"));
  EXPECT_NE(csv.find(",extra,"), std::string::npos);
  ASSERT_TRUE((*recorder)->finish(true));
  EXPECT_FALSE(fs::exists(at("r.journal")));
  Result<Results> read = resultsFromJSON(*readFile(at("r.json")));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->rows.size(), 3u);
}

TEST(Repeat, ShellWords) {
  EXPECT_EQ(shellQuoted("a/b.mlir"), "a/b.mlir");
  EXPECT_EQ(shellQuoted("a b"), "'a b'");
  EXPECT_EQ(shellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shellQuoted(""), "''");
  EXPECT_EQ(shellQuoted("#attn.schedule<q = 128>"),
            "'#attn.schedule<q = 128>'");
}

TEST(Progress, TheEstimateLearns) {
  // Half of the work took twice as long as expected: so will the rest.
  EXPECT_NEAR(Progress::paceOf(2000, 1000), 2, 0.01);
  EXPECT_EQ(Progress::paceOf(0, 0), 1);
  EXPECT_EQ(Progress::secondsLeft(2, 10, 0, 100), 220);
  // What the current case has spent is gone; it never owes the others any.
  EXPECT_EQ(Progress::secondsLeft(2, 10, 15, 100), 205);
  EXPECT_EQ(Progress::secondsLeft(2, 10, 50, 100), 200);
  EXPECT_EQ(formatDuration(59.6), "60 s");
  EXPECT_EQ(formatDuration(600), "10 min");
  EXPECT_EQ(formatDuration(3600 * 3 + 300), "3 h 05 min");
}
} // namespace
