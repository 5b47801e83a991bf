// The journal of a run, and where it and the other files are.
#include "results/Journal.h"

#include "../support/FilesTest.h"
#include "results/OutputPaths.h"
#include "support/TextFile.h"

using namespace attn;
using namespace attn::bench;

namespace fs = std::filesystem;

namespace {
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
} // namespace
