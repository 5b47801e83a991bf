// A test with a folder of its own.
#ifndef ATTN_TEST_UNIT_BENCH_SUPPORT_FILESTEST_H
#define ATTN_TEST_UNIT_BENCH_SUPPORT_FILESTEST_H

#include <gtest/gtest.h>

#include <filesystem>
#include <unistd.h>

namespace attn::bench {

class FilesTest : public testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) /
             ("attn-files-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string at(const char *name) const { return (folder / name).string(); }
  std::filesystem::path folder;
};

} // namespace attn::bench

#endif // ATTN_TEST_UNIT_BENCH_SUPPORT_FILESTEST_H
