// Handing errors on.
#include "attn/Support/Try.h"

#include <gtest/gtest.h>

#include <memory>

using namespace attn;

namespace {

Result<void> fineUnless(bool wrong) {
  return wrong ? Result<void>(Error{"wrong"}) : Result<void>();
}

Result<std::unique_ptr<int>> numberUnless(bool wrong, int number) {
  if (wrong)
    return Error{"no number"};
  return std::make_unique<int>(number);
}

TEST(Try, GoesOnAfterASuccess) {
  bool reached = false;
  auto call = [&]() -> Result<int> {
    ATTN_TRY(fineUnless(false));
    reached = true;
    return 1;
  };
  EXPECT_EQ(*call(), 1);
  EXPECT_TRUE(reached);
}

TEST(Try, EndsTheFunctionWithTheError) {
  int calls = 0;
  auto call = [&](bool wrong) -> Result<int> {
    if (wrong)
      ATTN_TRY((++calls, fineUnless(true)));
    else
      ATTN_TRY(numberUnless(true, 0));
    return 1;
  };
  EXPECT_EQ(call(true).error(), "wrong");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(call(false).error(), "no number");
}

TEST(Try, AsksAResultThatThereIs) {
  const Result<int> known = Error{"known"};
  auto call = [&]() -> Result<void> {
    ATTN_TRY(known);
    return {};
  };
  EXPECT_EQ(call().error(), "known");
}

TEST(Try, MovesTheValueIntoAVariable) {
  auto call = [](bool wrong) -> Result<int> {
    ATTN_TRY_ASSIGN(std::unique_ptr<int> first, numberUnless(false, 2));
    std::unique_ptr<int> second;
    ATTN_TRY_ASSIGN(second, numberUnless(wrong, 3));
    return *first * *second;
  };
  EXPECT_EQ(*call(false), 6);
  EXPECT_EQ(call(true).error(), "no number");
}

TEST(Try, LeavesTheVariableOnAnError) {
  std::unique_ptr<int> kept = std::make_unique<int>(4);
  auto call = [&]() -> Result<void> {
    ATTN_TRY_ASSIGN(kept, numberUnless(true, 5));
    return {};
  };
  EXPECT_FALSE(call());
  EXPECT_EQ(*kept, 4);
}

} // namespace
