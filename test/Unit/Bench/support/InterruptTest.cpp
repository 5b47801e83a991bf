// Signals end the program in whatever state it is; a crash is noted. Each case
// is a process of its own.
#include "support/Interrupt.h"
#include "support/CrashNote.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace attn::bench;

namespace {
void say(const char *text) { (void)!write(STDERR_FILENO, text, strlen(text)); }

[[noreturn]] void hang() {
  for (;;)
    pause();
}

class InterruptDeathTest : public testing::Test {
  void SetUp() override {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
  }
};

TEST_F(InterruptDeathTest, WhatHangsIsEnded) {
  EXPECT_EXIT(
      {
        catchInterrupts([] { say("at once, "); }, 0.1, [] { say("overdue"); });
        raise(SIGTERM);
        hang();
      },
      testing::ExitedWithCode(130), "at once, overdue");
}

TEST_F(InterruptDeathTest, ASecondSignalKillsOfEitherKind) {
  EXPECT_EXIT(
      {
        catchInterrupts(nullptr, 100, [] {});
        raise(SIGINT);
        raise(SIGTERM);
        hang();
      },
      testing::KilledBySignal(SIGTERM), "");
  EXPECT_EXIT(
      {
        catchInterrupts(nullptr, 100, [] {});
        raise(SIGINT);
        raise(SIGINT);
        hang();
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST_F(InterruptDeathTest, OneIsNotedAndTheProgramGoesOn) {
  EXPECT_EXIT(
      {
        catchInterrupts(nullptr, 100, [] {});
        bool before = isInterrupted();
        raise(SIGINT);
        _exit(!before && isInterrupted() ? 7 : 1);
      },
      testing::ExitedWithCode(7), "");
}

/// Begins a case whose notes go to standard error.
void begin() {
  beginCase(STDERR_FILENO, 5, "causal");
  noteStep("checking math");
}

TEST_F(InterruptDeathTest, ACrashIsNoted) {
  const char *said = "Aborted while checking math: causal(.|\n)*"
                     "\\{\"crashed\":5,\"how\":\"Aborted while checking "
                     "math\"\\}\n";
  EXPECT_EXIT((begin(), std::abort()), testing::KilledBySignal(SIGABRT), said);
  EXPECT_EXIT((begin(), raise(SIGSEGV), hang()),
              testing::KilledBySignal(SIGSEGV), "Segmentation fault while");
  EXPECT_EXIT(
      {
        begin();
        volatile int *nowhere = nullptr;
        *nowhere = 1;
        hang();
      },
      testing::KilledBySignal(SIGSEGV), "\"crashed\":5");
  EXPECT_EXIT((begin(), std::exit(1)), testing::ExitedWithCode(1),
              "the program exited while checking math");
}

TEST_F(InterruptDeathTest, NothingIsNotedOutsideOfACase) {
  EXPECT_EXIT((begin(), endCase(), say("quiet"), std::exit(3)),
              testing::ExitedWithCode(3), "^quiet$");
  // Told to stop: whatever comes then is not the case's doing.
  EXPECT_EXIT((begin(), noteLeft(), noteLeft(), _exit(3)),
              testing::ExitedWithCode(3), "^\\{\"left\":5\\}\n$");
}
} // namespace
