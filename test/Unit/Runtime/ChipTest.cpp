// Names of chips, and which GPU runs what.
#include "attn/Runtime/Chip.h"

#include <gtest/gtest.h>

using attn::Chip;

namespace {

Chip chip(const char *name) {
  std::optional<Chip> found = Chip::named(name);
  EXPECT_TRUE(found) << name;
  return found.value_or(Chip());
}

TEST(Chip, Names) {
  EXPECT_EQ(chip("sm_90a").major, 9);
  EXPECT_EQ(chip("sm_103").major, 10);
  EXPECT_EQ(chip("sm_103").minor, 3);
  for (const char *name : {"sm_80", "sm_90a", "sm_120"})
    EXPECT_EQ(chip(name).name(), name);
  for (const char *name : {"", "sm_", "sm_a", "sm_9", "sm_80x", "x86-64", "80"})
    EXPECT_FALSE(Chip::named(name)) << name;
}

TEST(Chip, PTXIsForLaterChips) {
  EXPECT_TRUE(chip("sm_80").hasPTXFor(chip("sm_80")));
  EXPECT_TRUE(chip("sm_80").hasPTXFor(chip("sm_90")));
  EXPECT_TRUE(chip("sm_89").hasPTXFor(chip("sm_120")));
  EXPECT_FALSE(chip("sm_90").hasPTXFor(chip("sm_89")));
  EXPECT_TRUE(chip("sm_90a").hasPTXFor(chip("sm_90")));
  EXPECT_FALSE(chip("sm_90a").hasPTXFor(chip("sm_100")));
}

TEST(Chip, CodeIsForItsOwnMajorNumber) {
  EXPECT_TRUE(chip("sm_80").hasCodeFor(chip("sm_86")));
  EXPECT_FALSE(chip("sm_86").hasCodeFor(chip("sm_80")));
  EXPECT_FALSE(chip("sm_80").hasCodeFor(chip("sm_90")));
  EXPECT_TRUE(chip("sm_90a").hasCodeFor(chip("sm_90")));
  EXPECT_FALSE(chip("sm_100a").hasCodeFor(chip("sm_103")));
}

} // namespace
