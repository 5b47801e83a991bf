// What the machine computes: lanes that part and meet, shuffles, barriers,
// copies with every timing, matrices.
#include "../../PTXMachine/Numbers.h"
#include "../../PTXMachine/TensorMap.h"
#include "Kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

using namespace attn::ptx;

namespace {

/// %d4 = a + 4 * thread of the grid; %r0 = thread of the block.
const std::string kOwnWord = "mov.u32 %r0, %tid.x;\n"
                             "mov.u32 %r1, %ctaid.x;\n"
                             "mov.u32 %r2, %ntid.x;\n"
                             "mad.lo.s32 %r3, %r1, %r2, %r0;\n"
                             "ld.param.b64 %d0, [a];\n"
                             "mul.wide.u32 %d1, %r3, 4;\n"
                             "add.s64 %d4, %d0, %d1;\n";

std::vector<Timing> timings() {
  return {Timing::Eager, Timing::Lazy, Timing::Random};
}

} // namespace

TEST(PTXMachine, EveryThreadOfEveryBlockHasItsPlace) {
  std::vector<uint32_t> out(3 * 40, 7);
  Launch run;
  run.threads = 40;
  run.blocks = 3;
  run.a = run.memory(out);
  ASSERT_EQ(run(kOwnWord + "st.global.b32 [%d4], %r3;"), "");
  std::vector<uint32_t> expected(out.size());
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(out, expected);
}

TEST(PTXMachine, LanesPartAndMeetAgain) {
  // Each lane counts to its number, then all add up.
  std::vector<uint32_t> out(32);
  Launch run;
  run.a = run.memory(out);
  ASSERT_EQ(run(kOwnWord + "mov.b32 %r4, 0;\n"
                           "$loop:\n"
                           "setp.ge.u32 %p0, %r4, %r0;\n"
                           "@%p0 bra $done;\n"
                           "add.s32 %r4, %r4, 1;\n"
                           "bra.uni $loop;\n"
                           "$done:\n"
                           "redux.sync.add.u32 %r5, %r4, -1;\n"
                           "shfl.sync.bfly.b32 %r6, %r4, 1, 31, -1;\n"
                           "vote.sync.ballot.b32 %r7, %p0, -1;\n"
                           "add.s32 %r5, %r5, %r6;\n"
                           "sub.s32 %r5, %r5, %r7;\n"
                           "st.global.b32 [%d4], %r5;"),
            "");
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(out[lane], 496 + (lane ^ 1) + 1);
}

TEST(PTXMachine, LanesFindTheirLike) {
  // By the number of a lane over eight, in 64 bits, with a bit that 32 lack.
  std::vector<uint32_t> out(32);
  Launch run;
  run.a = run.memory(out);
  ASSERT_EQ(run(kOwnWord + "shr.u32 %r4, %r0, 3;\n"
                           "cvt.u64.u32 %d5, %r4;\n"
                           "shl.b64 %d5, %d5, 40;\n"
                           "match.any.sync.b64 %r5, %d5, -1;\n"
                           "st.global.b32 [%d4], %r5;"),
            "");
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(out[lane], 0xffu << lane / 8 * 8);
}

TEST(PTXMachine, AtomicSumsAndOldValues) {
  std::vector<uint32_t> out(32), counter(1, 5);
  Launch run;
  run.a = run.memory(out);
  run.b = run.memory(counter);
  ASSERT_EQ(run(kOwnWord + "ld.param.b64 %d5, [b];\n"
                           "atom.global.add.u32 %r4, [%d5], 2;\n"
                           "st.global.b32 [%d4], %r4;"),
            "");
  EXPECT_EQ(counter[0], 5u + 64);
  EXPECT_EQ(out[31], 5u + 62);
}

// Each old value once, and back to zero behind the last.
TEST(PTXMachine, AtomicIncrementsWrap) {
  std::vector<uint32_t> out(40, 7), counter(1, 0);
  Launch run;
  run.threads = 40;
  run.a = run.memory(out);
  run.b = run.memory(counter);
  ASSERT_EQ(run(kOwnWord + "ld.param.b64 %d5, [b];\n"
                           "atom.global.inc.u32 %r4, [%d5], 39;\n"
                           "st.global.b32 [%d4], %r4;"),
            "");
  std::sort(out.begin(), out.end());
  std::vector<uint32_t> expected(out.size());
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(out, expected);
  EXPECT_EQ(counter[0], 0u);
}

// Of a wider register the low part counts; a result fills its own.
TEST(PTXMachine, ConversionsReadTheLowPart) {
  std::vector<uint64_t> out(5);
  Launch run;
  run.threads = 1;
  run.a = run.memory(out);
  ASSERT_EQ(run("ld.param.b64 %d0, [a];\n"
                "mov.b64 %d1, 0x1234567880000001;\n"
                "cvt.s64.s32 %d2, %d1;\n"
                "st.global.b64 [%d0], %d2;\n"
                "cvt.u64.u16 %d2, %d1;\n"
                "st.global.b64 [%d0+8], %d2;\n"
                "cvt.s32.s8 %r0, %d1;\n"
                "cvt.s64.s32 %d2, %r0;\n"
                "st.global.b64 [%d0+16], %d2;\n"
                "mov.b32 %r0, 0x7fffffff;\n"
                "cvt.rzi.s32.f32 %r1, %r0;\n"
                "cvt.u64.u32 %d2, %r1;\n"
                "st.global.b64 [%d0+24], %d2;\n"
                "testp.notanumber.f32 %p0, %r0;\n"
                "selp.b64 %d2, 5, 6, %p0;\n"
                "st.global.b64 [%d0+32], %d2;"),
            "");
  EXPECT_EQ(out, (std::vector<uint64_t>{0xffffffff80000001, 1, 1, 0, 5}));
}

// Either half of a word, where nobody wants the other.
TEST(PTXMachine, HalvesAreTakenOutOfAWord) {
  std::vector<uint32_t> out(2);
  Launch run;
  run.threads = 1;
  run.a = run.memory(out);
  ASSERT_EQ(run("ld.param.b64 %d0, [a];\n"
                "mov.b64 %d1, 0x1234567880000001;\n"
                "mov.b64 {%r0, _}, %d1;\n"
                "mov.b64 {_, %r1}, %d1;\n"
                "st.global.v2.b32 [%d0], {%r0, %r1};"),
            "");
  EXPECT_EQ(out, (std::vector<uint32_t>{0x80000001, 0x12345678}));
}

// 2 * 3 + 0.5 and inf * 0 + 0; then 2 * 3 + 0.5 and 1 * 0 + 0.
TEST(PTXMachine, PairsOf16BitsAreMultipliedAndAdded) {
  std::vector<uint32_t> out(2, 0);
  Launch run;
  run.threads = 1;
  run.a = run.memory(out);
  ASSERT_EQ(run("ld.param.b64 %d0, [a];\n"
                "mov.b32 %r0, 0x7f804000;\n"
                "mov.b32 %r1, 0x00004040;\n"
                "mov.b32 %r2, 0x00003f00;\n"
                "fma.rn.bf16x2 %r3, %r0, %r1, %r2;\n"
                "st.global.b32 [%d0], %r3;\n"
                "mov.b32 %r0, 0x3c004000;\n"
                "mov.b32 %r1, 0x00004200;\n"
                "mov.b32 %r2, 0x00003800;\n"
                "fma.rn.f16x2 %r3, %r0, %r1, %r2;\n"
                "st.global.b32 [%d0+4], %r3;"),
            "");
  EXPECT_EQ(out[0] & 0xffff, 0x40d0u); // 6.5
  EXPECT_GT(out[0] >> 16 & 0x7fff, 0x7f80u);
  EXPECT_EQ(out[1], 0x00004680u);
}

TEST(PTXMachine, ABarrierOrdersSharedMemory) {
  std::vector<uint32_t> out(128);
  Launch run;
  run.threads = 128;
  run.sharedBytes = 512;
  run.a = run.memory(out);
  for (run.seed = 0; run.seed < 20; ++run.seed) {
    ASSERT_EQ(run(kOwnWord + "mov.b64 %d6, memory;\n"
                             "cvt.u32.u64 %r4, %d6;\n"
                             "shl.b32 %r5, %r0, 2;\n"
                             "add.s32 %r5, %r4, %r5;\n"
                             "st.shared.b32 [%r5], %r0;\n"
                             "bar.sync 0;\n"
                             "sub.s32 %r6, 127, %r0;\n"
                             "shl.b32 %r6, %r6, 2;\n"
                             "add.s32 %r6, %r4, %r6;\n"
                             "ld.shared.b32 %r7, [%r6];\n"
                             "st.global.b32 [%d4], %r7;"),
              "");
    for (uint32_t t = 0; t < 128; ++t)
      ASSERT_EQ(out[t], 127 - t);
  }
}

/// Where a lane's 16 bytes are in global memory, %d5, and in shared, %d7.
const std::string kOwnPiece = kOwnWord + "ld.param.b64 %d5, [b];\n"
                                         "mul.wide.u32 %d6, %r0, 16;\n"
                                         "add.s64 %d5, %d5, %d6;\n"
                                         "mov.b64 %d7, memory;\n"
                                         "add.s64 %d7, %d7, %d6;\n";

TEST(PTXMachine, CopiesTakeAPolicyThatWasMade) {
  const std::string copy = "cp.async.cg.shared.global.L2::cache_hint.L2::128B "
                           "[%d7], [%d5], 16, %d8;\n"
                           "cp.async.wait_all;\n"
                           "ld.shared.b32 %r4, [%d7];\n"
                           "st.global.b32 [%d4], %r4;";
  std::vector<uint32_t> out(32), in(128);
  std::iota(in.begin(), in.end(), 0);
  Launch run;
  run.sharedBytes = 512;
  run.a = run.memory(out);
  run.b = run.memory(in);
  ASSERT_EQ(run(kOwnPiece +
                "createpolicy.fractional.L2::evict_first.b64 %d8;\n" + copy),
            "");
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(out[lane], 4 * lane);
  EXPECT_NE(run(kOwnPiece + "mov.b64 %d8, 0;\n" + copy).find("policy"),
            std::string::npos);
}

TEST(PTXMachine, CopiesHaveArrivedWhenTheyWereAwaited) {
  const std::string copy = kOwnPiece + "cp.async.cg.shared.global [%d7], "
                                       "[%d5], 16, 8;\n"
                                       "cp.async.commit_group;\n",
                    read = "ld.shared.v4.b32 {%r4, %r5, %r6, %r7}, [%d7];\n"
                           "add.s32 %r5, %r5, %r6;\n"
                           "st.global.b32 [%d4], %r5;";
  std::vector<uint32_t> out(32), in(128);
  std::iota(in.begin(), in.end(), 0);
  Launch run;
  run.sharedBytes = 512;
  run.a = run.memory(out);
  run.b = run.memory(in);
  for (Timing timing : timings()) {
    run.timing = timing;
    ASSERT_EQ(run(copy + "cp.async.wait_group 0;\n" + read), "");
    for (uint32_t lane = 0; lane < 32; ++lane)
      EXPECT_EQ(out[lane], 4 * lane + 1); // the other half is zero
  }
  // Without the wait a late copy leaves what was there: NaN, here all ones.
  run.timing = Timing::Lazy;
  ASSERT_EQ(run(copy + read), "");
  EXPECT_EQ(out[0], ~1u); // -1 + -1
}

TEST(PTXMachine, TensorCopiesClipSwizzleAndCount) {
  // Rows of 64 halves, 5 of them; the box takes rows 3 to 10.
  std::vector<uint16_t> in(5 * 64);
  std::iota(in.begin(), in.end(), 0);
  std::vector<uint32_t> out(8 * 32);
  Launch run;
  run.threads = 32;
  run.sharedBytes = 2048 + 1024;
  run.mapRows(run.memory(in), 5);
  run.a = run.memory(out);
  for (Timing timing : timings()) {
    run.timing = timing;
    std::fill(out.begin(), out.end(), 7);
    // The tile lies at 2048, the barrier at 1024.
    ASSERT_EQ(run(kOwnWord +
                  "mov.b64 %d5, m;\ncvta.param.u64 %d5, %d5;\n"
                  "mov.b32 %r10, 1024;\nmov.b32 %r11, 2048;\n"
                  "mov.b32 %r12, 0;\nmov.b32 %r13, 3;\n"
                  "setp.ne.b32 %p1, %r0, 0;\n"
                  "@%p1 bra $wait;\n"
                  "mbarrier.init.shared.b64 [%r10], 1;\n"
                  "mbarrier.arrive.expect_tx.shared.b64 %d6, [%r10], 1024;\n"
                  "cp.async.bulk.tensor.4d.shared::cta.global.tile."
                  "mbarrier::complete_tx::bytes [%r11], [%d5, {%r12, %r13, "
                  "%r12, %r12}], [%r10];\n"
                  "$wait:\nbar.warp.sync -1;\n"
                  "$again:\n"
                  "mbarrier.try_wait.parity.shared.b64 %p2, [%r10], 0;\n"
                  "@!%p2 bra $again;\n"
                  // Word `lane` of each row.
                  "mov.b32 %r4, 0;\n"
                  "$rows:\n"
                  "shl.b32 %r5, %r4, 7;\n"
                  "shl.b32 %r6, %r0, 2;\n"
                  "add.s32 %r7, %r5, %r6;\nadd.s32 %r7, %r7, 2048;\n"
                  "ld.shared.b32 %r8, [%r7];\n"
                  "mul.wide.u32 %d8, %r5, 1;\nadd.s64 %d9, %d4, %d8;\n"
                  "st.global.b32 [%d9], %r8;\n"
                  "add.s32 %r4, %r4, 1;\nsetp.lt.u32 %p3, %r4, 8;\n"
                  "@%p3 bra $rows;\n"),
              "");
    for (uint32_t row = 0; row < 8; ++row)
      for (uint32_t word = 0; word < 32; ++word) {
        // The 16-byte chunk is mixed with the row.
        uint32_t column = ((word / 4) ^ row) * 4 + word % 4,
                 first = (row + 3) * 64 + column * 2;
        uint32_t expected = row + 3 < 5 ? first | (first + 1) << 16 : 0;
        ASSERT_EQ(out[row * 32 + word], expected) << row << " " << word;
      }
  }
}

TEST(PTXMachine, AProductOfWarps) {
  // d[r][c] = sum of a[r][k] b[k][c]: a has row + 1 at depth 0, b has c + 1.
  std::vector<uint32_t> out(128);
  Launch run;
  run.a = run.memory(out);
  ASSERT_EQ(
      run(kOwnWord +
          // Element (lane / 4, 2 * (lane % 4)) in the lower half.
          "shr.u32 %r4, %r0, 2;\nadd.s32 %r4, %r4, 1;\n"
          "cvt.rn.f32.u32 %r5, %r4;\ncvt.rn.bf16.f32 %h0, %r5;\n"
          "mov.b16 %h1, 0;\nmov.b32 %r6, {%h0, %h1};\n"
          "and.b32 %r7, %r0, 3;\nsetp.eq.b32 %p0, %r7, 0;\n"
          "selp.b32 %r6, %r6, 0, %p0;\n"
          "mov.b32 %r20, 0;\n"
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r8, %r9, "
          "%r10, %r11}, {%r6, %r20, %r20, %r20}, {%r6, %r20}, {%r20, %r20, "
          "%r20, %r20};\n"
          "mul.wide.u32 %d8, %r0, 12;\nadd.s64 %d9, %d4, %d8;\n"
          "st.global.v4.b32 [%d9], {%r8, %r9, %r10, %r11};\n"),
      "");
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t e = 0; e < 2; ++e) {
      float value = bitsAs<float>(out[lane * 4 + e]);
      EXPECT_EQ(value, float((lane / 4 + 1) * (lane % 4 * 2 + e + 1)));
    }
}

TEST(PTXMachine, NumbersOf16BitsRoundToEven) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float b = BFloat16{uint16_t(bits)}, h = Float16{uint16_t(bits)};
    if (!std::isnan(b)) {
      ASSERT_EQ(BFloat16::round(b).bits, bits);
    }
    if (!std::isnan(h)) {
      ASSERT_EQ(Float16::round(h).bits, bits);
    }
  }
  EXPECT_EQ(BFloat16::round(1 + 0x1p-8f).bits, 0x3f80);
  EXPECT_EQ(BFloat16::round(1 + 0x3p-8f).bits, 0x3f82);
  EXPECT_EQ(Float16::round(1 + 0x1p-11f).bits, 0x3c00);
  EXPECT_EQ(Float16::round(65519).bits, 0x7bff);
  EXPECT_EQ(Float16::round(65520).bits, 0x7c00);
}

TEST(PTXMachine, TheTimerMovesOnWithEachLook) {
  std::vector<uint64_t> out(2);
  Launch run;
  run.threads = 1;
  run.a = run.memory(out);
  ASSERT_EQ(run("mov.u64 %d1, %globaltimer;\n"
                "mov.u64 %d2, %globaltimer;\n"
                "ld.param.b64 %d0, [a];\n"
                "st.global.u64 [%d0], %d1;\n"
                "st.global.u64 [%d0+8], %d2;"),
            "");
  EXPECT_EQ(out[1] - out[0], 100000u);
}
