// Rules of lengths, as a user writes them.
#include "config/KeyLengths.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::bench;

namespace {
TEST(KeyLengths, AreReadAndWritten) {
  for (const char *text : {"full", "4096", "0", "uniform:1,16384"}) {
    Result<KeyLengths> rule = readKeyLengths({text, "here"});
    ASSERT_TRUE(rule) << rule.error();
    EXPECT_EQ(rule->text(), text);
  }
  Result<KeyLengths> rule = readKeyLengths({"uniform:0,7", "here"});
  EXPECT_EQ(rule->range->low, 0);
  EXPECT_EQ(rule->range->high, 7);
  EXPECT_EQ(readKeyLengths({"uniform:7,7", "here"})->text(), "7");
}

TEST(KeyLengths, MistakesAreErrors) {
  auto errorOf = [](const char *text) {
    Result<KeyLengths> rule = readKeyLengths({text, "here"});
    return rule ? std::string() : rule.error();
  };
  for (const char *text : {"", "half", "uniform:5", "normal:1,2", "uniform1,2"})
    EXPECT_EQ(errorOf(text), "here: error: expects lengths as 'full', 'N' or "
                             "'uniform:LOW,HIGH', got '" +
                                 std::string(text) + "'");
  EXPECT_EQ(errorOf("-3"), "here: error: expects a number of keys between 0 "
                           "and 2147483647, got '-3'");
  EXPECT_EQ(errorOf("uniform:a,2"),
            "here: error: expects a whole number as a number of keys, got 'a'");
  EXPECT_EQ(errorOf("uniform:9,2"),
            "here: error: expects lengths from the smaller number to the "
            "larger one, got 'uniform:9,2'");
}
} // namespace
