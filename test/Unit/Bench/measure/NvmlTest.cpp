// What counts as throttling.
#include "measure/Nvml.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
TEST(Nvml, IdleAndApplicationClocksAreNoThrottling) {
  DeviceState before, after;
  before.reasons = 0x1;
  after.reasons = 0x2 | 0x100;
  after.powerLimited = before.powerLimited + 0.009;
  EXPECT_EQ(throttlingBetween(before, after, 1), "");
}

TEST(Nvml, SharesOfTheTime) {
  DeviceState before, after;
  before.powerLimited = 1000;
  after.powerLimited = 1000.6;
  after.thermallyLimited = 0.1;
  EXPECT_EQ(throttlingBetween(before, after, 2),
            "power cap for 30% of the time, temperature for 5% of the time");
  EXPECT_EQ(throttlingBetween(before, after, 0), "");
}

TEST(Nvml, TheHardwaresOwnReasons) {
  DeviceState before, after;
  before.reasons = 0x40;
  after.reasons = 0x80 | 0x1;
  EXPECT_EQ(throttlingBetween(before, after, 1),
            "hardware thermal slowdown, power brake");
}

TEST(Nvml, WithoutTheGPUThereIsNoState) {
  EXPECT_FALSE(Nvml::open("ffff:ff:ff.f").state());
}
} // namespace
