// What is kept of a run: JSON and back, the journal, the line of progress, the
// command that repeats a case.
#include "cases/Repeat.h"
#include "report/HTML.h"
#include "results/JSON.h"
#include "results/Journal.h"
#include "run/Progress.h"
#include "run/Recorder.h"
#include "support/TextFile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

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
  timed.timing.duty = 0.9;
  timed.timing.pace = Pace{1e-3, 2e-5, 1e-4};
  timed.timing.batches = {{2, 1e-4, 9e-4}, {1, 1.5e-4, 8.5e-4}};
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

TEST_F(FilesTest, LinksAreWrittenThrough) {
  fs::create_directory(folder / "d");
  fs::create_symlink("d/target", folder / "link"); // to what is not there yet
  fs::create_symlink("link", folder / "second");
  ASSERT_TRUE(checkWritable(at("second")));
  EXPECT_FALSE(fs::exists(folder / "d/target"));
  ASSERT_TRUE(writeFile(at("second"), "one"));
  ASSERT_TRUE(writeFile(at("link"), "two"));
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_TRUE(fs::is_symlink(folder / "second"));
  EXPECT_EQ(*readFile(at("d/target")), "two");
  fs::create_symlink("circle", folder / "circle");
  EXPECT_EQ(writeFile(at("circle"), "").error(),
            "cannot write '" + at("circle") +
                "': Too many levels of symbolic links");
}

TEST_F(FilesTest, AFileStaysWhatItIs) {
  ASSERT_TRUE(writeFile(at("f"), "old"));
  fs::permissions(folder / "f", fs::perms(0640));
  fs::create_hard_link(folder / "f", folder / "other");
  ASSERT_TRUE(writeFile(at("f"), "new"));
  EXPECT_EQ(*readFile(at("other")), "new");
  fs::remove(folder / "other");
  ASSERT_TRUE(writeFile(at("f"), "newer"));
  EXPECT_EQ(fs::status(folder / "f").permissions(), fs::perms(0640));
  // Nothing is left beside it.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(FilesTest, WhatIsNoRegularFileIsNotReplaced) {
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  int reader = open(at("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_TRUE(writeFile(at("pipe"), "text"));
  char text[8] = {};
  EXPECT_EQ(read(reader, text, sizeof(text)), 4);
  EXPECT_STREQ(text, "text");
  EXPECT_TRUE(fs::is_fifo(folder / "pipe"));
  close(reader);
  EXPECT_EQ(writeFile("/dev/full", "text").error(),
            "cannot write '/dev/full': No space left on device");
  // A descriptor of this process is written to where it stands.
  int file = open(at("f").c_str(), O_RDWR | O_CREAT, 0600);
  std::string name = "/dev/fd/" + std::to_string(file);
  ASSERT_TRUE(writeFile(name, "one"));
  ASSERT_TRUE(writeFile(name, "two"));
  close(file);
  EXPECT_EQ(*readFile(at("f")), "onetwo");
}

TEST_F(FilesTest, OneRunByAnyOfItsNames) {
  for (const char *name : {"r.csv", "r.json", "r.html", "r.journal"}) {
    Result<OutputPaths> paths = OutputPaths::of(at(name));
    ASSERT_TRUE(paths);
    EXPECT_EQ(paths->csv, at("r.csv"));
    EXPECT_EQ(paths->json, at("r.json"));
    EXPECT_EQ(paths->html, at("r.html"));
    EXPECT_EQ(paths->journal, at("r.journal"));
  }
  EXPECT_EQ(OutputPaths::of(at("r.txt"))->csv, at("r.txt"));
  EXPECT_EQ(OutputPaths::of(at("r.txt"))->json, at("r.txt.json"));
  // The lock is that of the file, not of the link.
  fs::create_symlink("r.csv", folder / "link.csv");
  EXPECT_EQ(OutputPaths::of(at("link.csv"))->journal, at("r.journal"));
  EXPECT_EQ(OutputPaths::of(at("link.csv"))->json, at("link.json"));
  EXPECT_TRUE(OutputPaths::of("/dev/null")->isStream);
}

/// A run of three cases whose first has a row.
RunInfo threeCases() {
  RunInfo run;
  run.backends = backends;
  run.caseCount = 3;
  run.fingerprint = "0123";
  return run;
}

/// Writes a journal of such a run, with `lines` after the row.
void writeJournal(const std::string &path,
                  const std::vector<std::string> &lines) {
  std::string text = toLine(threeCases()) + "\n{\"begun\":0}\n" +
                     toLine(0, fullRow(), backends) + "\n";
  for (const std::string &line : lines)
    text += line + "\n";
  ASSERT_TRUE(writeFile(path, text));
}

TEST_F(FilesTest, ACrashIsKnownToTheNextRun) {
  const std::string begun = R"({"begun":1})", left = R"({"left":1})";
  const std::string crash = R"({"crashed":1,"how":"Aborted while checking"})";
  auto crashAfter = [&](const std::vector<std::string> &lines) {
    writeJournal(at("r.journal"), lines);
    auto recorder = Recorder::open(at("r.csv"), threeCases(), Start::Resume);
    EXPECT_TRUE(recorder) << recorder.error();
    EXPECT_TRUE((*recorder)->has(0));
    EXPECT_EQ((*recorder)->crashOf(0), "");
    EXPECT_EQ((*recorder)->crashOf(2), "");
    return (*recorder)->crashOf(1);
  };
  EXPECT_EQ(crashAfter({begun, crash}), "Aborted while checking");
  // Killed from outside, which says nothing of the case; unless it comes again.
  EXPECT_EQ(crashAfter({begun}), "");
  EXPECT_NE(crashAfter({begun, begun}), "");
  EXPECT_EQ(crashAfter({begun, left, begun}), "");
  EXPECT_EQ(crashAfter({begun, crash, begun}), crashAfter({begun, begun}));
  EXPECT_EQ(crashAfter({begun, begun, toLine(1, fullRow(), backends)}), "");
  // A case that the run does not have breaks off the journal.
  EXPECT_EQ(crashAfter({R"({"begun":7})", begun, crash}), "");
}

TEST_F(FilesTest, CrashedCasesAreRetriedWhenAsked) {
  Row crashed = fullRow();
  crashed.crashed = true;
  writeJournal(at("r.journal"),
               {toLine(1, crashed, backends), toLine(2, fullRow(), backends)});
  {
    auto recorder = Recorder::open(at("r.csv"), threeCases(), Start::Resume);
    ASSERT_TRUE(recorder) << recorder.error();
    EXPECT_TRUE((*recorder)->has(1));
    ASSERT_TRUE((*recorder)->begin({}));
    ASSERT_TRUE((*recorder)->finish(true));
  }
  EXPECT_FALSE(fs::exists(at("r.journal")));
  // Of a finished run too.
  auto retried = Recorder::open(at("r.csv"), threeCases(), Start::Retry);
  ASSERT_TRUE(retried) << retried.error();
  EXPECT_FALSE((*retried)->isFinished());
  EXPECT_FALSE((*retried)->has(1));
  EXPECT_TRUE((*retried)->has(2));
  ASSERT_TRUE((*retried)->begin({}));
  ASSERT_TRUE((*retried)->add(1, fullRow(), false));
  ASSERT_TRUE((*retried)->finish(true));
  Result<Results> read = resultsFromJSON(*readFile(at("r.json")));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->rows.size(), 3u);
  EXPECT_EQ(read->rows[1].first, 1u);
  EXPECT_FALSE(read->rows[1].second.crashed);
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
