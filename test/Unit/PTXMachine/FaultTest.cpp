// What the machine refuses, and how it says so.
#include "Kernel.h"

#include <gtest/gtest.h>

using namespace attn::ptx;

namespace {
void expectFault(const std::string &message, const std::string &part) {
  EXPECT_NE(message.find(part), std::string::npos)
      << "got: " << message << "\nwanted: " << part;
}
} // namespace

TEST(PTXMachineFaults, TextThatIsNoPTX) {
  Launch run;
  expectFault(run("frobnicate.b32 %r0, %r1;"),
              "PTX line 12: the machine has no 'frobnicate.b32'");
  expectFault(run("add.s32 %r0, %r1;\nadd.s32 %r0, %q1, 2;"),
              "PTX line 13: unknown name '%q1'");
  expectFault(run("add.s64 %d0, %r1, 2;"), "expects 64 bits as argument 1");
  expectFault(run("bra $nowhere;"), "unknown label '$nowhere'");
}

TEST(PTXMachineFaults, AccessesOutsideOfMemory) {
  std::vector<uint32_t> out(4);
  Launch run;
  run.a = run.memory(out);
  run.sharedBytes = 16;
  expectFault(run("ld.param.b64 %d0, [a];\nst.global.b32 [%d0+16], 1;"),
              "PTX line 13: block 0, warp 0: 4 bytes at global address");
  expectFault(run("ld.param.b64 %d0, [a];\nld.global.b32 %r0, [%d0+2];"),
              "not a multiple of 4");
  expectFault(run("mov.b64 %d0, memory;\nst.shared.b64 [%d0+12], %d0;"),
              "not a multiple of 8");
  expectFault(run("mov.b64 %d0, memory;\nst.shared.b64 [%d0+16], %d0;"),
              "outside of the block's 16 bytes");
}

TEST(PTXMachineFaults, WaitsThatNeverEnd) {
  Launch run;
  run.threads = 64;
  run.sharedBytes = 16;
  std::string message = run("mov.u32 %r0, %tid.x;\nsetp.lt.u32 %p0, %r0, 32;\n"
                            "@%p0 bra $end;\nbar.sync 1, 64;\n$end:\n");
  expectFault(message, "the block waits for ever");
  expectFault(message, "warp 1, PTX line 15: bar.sync, barrier 1, 32 threads");

  run.threads = 32;
  expectFault(run("mov.b64 %d0, memory;\nmov.b32 %r1, 2;\n"
                  "mov.u32 %r0, %tid.x;\nsetp.ne.b32 %p0, %r0, 0;\n"
                  "@%p0 bra $wait;\n"
                  "mbarrier.init.shared.b64 [%d0], %r1;\n"
                  "mbarrier.arrive.shared.b64 %d1, [%d0];\n"
                  "$wait:\nbar.warp.sync -1;\n"
                  "mbarrier.try_wait.parity.shared.b64 %p1, [%d0], 0;"),
              "phase of parity 0, 1 of 2 arrivals and 0 bytes to come");
}

TEST(PTXMachineFaults, BarriersUsedWrongly) {
  Launch run;
  run.sharedBytes = 16;
  expectFault(run("mov.b64 %d0, memory;\n"
                  "mbarrier.arrive.shared.b64 %d1, [%d0];"),
              "no mbarrier was initialised at shared address");
  expectFault(run("mov.b64 %d0, memory;\nmov.b32 %r1, 1;\n"
                  "mbarrier.init.shared.b64 [%d0], %r1;\n"
                  "mov.b32 %r2, 2;\n"
                  "mbarrier.arrive.shared.b64 %d1, [%d0], %r2;"),
              "expects 1 arrivals for each phase and gets more");
  expectFault(run("bar.sync 1, 40;"), "barrier 1 for 40 threads");
}

TEST(PTXMachineFaults, StoresThatNobodyAwaits) {
  std::vector<uint16_t> out(64 * 8);
  Launch run;
  run.sharedBytes = 4096;
  run.mapRows(run.memory(out), 8);
  const std::string store =
      "mov.b64 %d5, m;\ncvta.param.u64 %d5, %d5;\n"
      "mov.b32 %r11, 2048;\nmov.b32 %r12, 0;\n"
      "mov.u32 %r0, %tid.x;\nsetp.ne.b32 %p1, %r0, 0;\n"
      "@%p1 bra $end;\n"
      "cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group "
      "[%d5, {%r12, %r12, %r12, %r12}], [%r11];\n"
      "cp.async.bulk.commit_group;\n";
  run.timing = Timing::Lazy;
  expectFault(
      run(store + "$end:\n"),
      "a block ends before the copy engine has read what warp 0 stores");
  EXPECT_EQ(run(store + "cp.async.bulk.wait_group.read 0;\n$end:\n"), "");
}

TEST(PTXMachineFaults, MoreRegistersThanThereAre) {
  Launch run;
  run.threads = 384; // 168 registers each
  const std::string shares = "mov.u32 %r0, %tid.x;\n"
                             "setp.ge.u32 %p0, %r0, 256;\n@%p0 bra $other;\n"
                             "setmaxnreg.inc.sync.aligned.u32 240;\nret;\n"
                             "$other:\nsetmaxnreg.dec.sync.aligned.u32 ";
  EXPECT_EQ(run(shares + "24;"), "");
  expectFault(run(shares + "32;"),
              "a block's warps take 65536 registers (setmaxnreg), of 64512");
}

TEST(PTXMachineFaults, LanesThatDoNotMeet) {
  Launch run;
  expectFault(run("mov.u32 %r0, %tid.x;\nsetp.lt.u32 %p0, %r0, 16;\n"
                  "@%p0 bra $other;\n"
                  "shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1;\n"
                  "bra.uni $end;\n"
                  "$other:\n"
                  "shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1;\n"
                  "$end:\n"),
              "the block waits for ever");
}
