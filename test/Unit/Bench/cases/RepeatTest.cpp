// The command that repeats a case.
#include "cases/Repeat.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
TEST(Repeat, ShellWords) {
  EXPECT_EQ(shellQuoted("a/b.mlir"), "a/b.mlir");
  EXPECT_EQ(shellQuoted("a b"), "'a b'");
  EXPECT_EQ(shellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shellQuoted(""), "''");
  EXPECT_EQ(shellQuoted("#attn.schedule<tiling = <q = 128>>"),
            "'#attn.schedule<tiling = <q = 128>>'");
}
} // namespace
