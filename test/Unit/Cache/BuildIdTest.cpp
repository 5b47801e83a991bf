// Code is told apart by what it is.
#include "attn/Cache/BuildId.h"

#include <cstdio>
#include <dlfcn.h>
#include <gtest/gtest.h>

using namespace attn::cache;

TEST(BuildId, NamesTheFilesOfTheCompiler) {
  ASSERT_FALSE(buildId().empty());
  static const char own = 0;
  EXPECT_NE(buildId().find(buildIdAt(&own)), std::string::npos);
  // LLVM is another file: it is linked as a shared library.
  EXPECT_NE(buildId(), buildIdAt(&own));
}

TEST(BuildId, IsThatOfAFile) {
  static const char own = 0;
  void *libc = dlsym(RTLD_DEFAULT, "printf");
  EXPECT_FALSE(buildIdAt(&own).empty());
  EXPECT_FALSE(buildIdAt(libc).empty());
  EXPECT_NE(buildIdAt(&own), buildIdAt(libc));
  int here = 0; // no file has it
  EXPECT_EQ(buildIdAt(&here), "");
}
