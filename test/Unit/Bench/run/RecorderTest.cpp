// What is kept of a run, and what the next one makes of it.
#include "run/Recorder.h"

#include "../results/FullRow.h"
#include "../support/FilesTest.h"
#include "support/TextFile.h"

using namespace attn;
using namespace attn::bench;

namespace fs = std::filesystem;

namespace {
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
} // namespace
