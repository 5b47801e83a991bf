// Files are replaced as a whole, at the places that users name.
#include "support/TextFile.h"

#include "FilesTest.h"

#include <fcntl.h>
#include <sys/stat.h>

using namespace attn;
using namespace attn::bench;

namespace fs = std::filesystem;

namespace {
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
} // namespace
