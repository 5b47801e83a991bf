// Rows to text: what a reader and a program see.
#include "report/Report.h"
#include "report/Notes.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
Outcome timed(double seconds) {
  Outcome outcome;
  outcome.kind = Outcome::Timed;
  outcome.seconds = seconds;
  outcome.timing.samples.assign(8, seconds);
  outcome.maxError = 0.001;
  return outcome;
}

Outcome refused(Outcome::Kind kind, const std::string &reason) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.reason = reason;
  return outcome;
}

Row row(std::vector<Outcome> outcomes) {
  Row row;
  row.pattern = "causal";
  row.type = "f32";
  row.shape = "(1,2,3,4,5,6)";
  row.outcomes = std::move(outcomes);
  row.allPairs = 2e6;
  row.pairs = 1e6;
  row.flopsPerPair = 256;
  row.sizes.batch = 1;
  row.sizes.heads = 2;
  row.sizes.kvHeads = 1;
  row.sizes.queries = row.sizes.keys = 1000;
  row.sizes.headDim = row.sizes.valueDim = 64;
  row.elementBytes = 4;
  // 2 heads of queries and outputs, 1 of keys and values.
  row.bytes = 1000.0 * (2 + 1) * 128 * 4;
  return row;
}

TEST(Table, MarkdownKeepsCellsApart) {
  EXPECT_EQ(markdownTable({"a", "bcdef"}, {{"x|y", "1"}, {"two\nlines", ""}}),
            "| a         | bcdef |\n"
            "|-----------|-------|\n"
            "| x\\|y      | 1     |\n"
            "| two lines |       |\n");
  EXPECT_EQ(markdownTable({"größe"}, {{"äöü"}}), "| größe |\n"
                                                 "|-------|\n"
                                                 "| äöü   |\n");
}

TEST(Table, CSVQuotes) {
  EXPECT_EQ(csvLine({"a", "(1,2)", "say \"x\"", "two\nlines", ""}),
            "a,\"(1,2)\",\"say \"\"x\"\"\",\"two\nlines\",\n");
}

using Names = std::vector<std::string>;

TEST(Notes, OnesForAllRowsHaveNoNumber) {
  Notes notes({{"all", "one"}, {"two", "all"}, {"all", "two", "one"}});
  EXPECT_EQ(notes.text(), "\nNotes:\n  all\n  1: one\n  2: two\n");
  EXPECT_EQ(notes.cell(0), "1");
  EXPECT_EQ(notes.cell(1), "2");
  EXPECT_EQ(notes.cell(2), "1, 2");
  EXPECT_EQ(Notes({{}, {}}).text(), "");
}

TEST(Report, RatesAndSpeedups) {
  std::string text =
      reportText({"compiled", "math"}, {row({timed(1e-3), timed(3e-3)})});
  EXPECT_NE(text.find("| 50.00 "), std::string::npos) << text;
  EXPECT_NE(text.find("| 1000.0 "), std::string::npos) << text;
  // 1e6 pairs of 256 operations in 1 ms.
  EXPECT_NE(text.find("| GFLOP/s "), std::string::npos) << text;
  EXPECT_NE(text.find("| 256 "), std::string::npos) << text;
  Row fast = row({timed(1e-4), timed(3e-3)});
  text =
      reportText({"compiled", "math"}, {row({timed(1e-3), timed(3e-3)}), fast});
  EXPECT_NE(text.find("| TFLOP/s "), std::string::npos) << text;
  EXPECT_NE(text.find("| 0.256 "), std::string::npos) << text;
  EXPECT_NE(text.find("| 2.56 "), std::string::npos) << text;
  EXPECT_NE(text.find("| 3.00x "), std::string::npos) << text;
}

TEST(Report, WrongResultsCountForNothing) {
  Outcome wrong = timed(1e-6);
  wrong.kind = Outcome::Wrong;
  wrong.reason = "error 1 exceeds 0.5";
  Row first = row({wrong, timed(1e-3), timed(2e-3)});
  first.repeat = "attn-bench -b 1";
  EXPECT_FALSE(speedup(first, 1, Pass::Forward));
  EXPECT_FALSE(flopRate(first, 0, Pass::Forward));
  EXPECT_TRUE(isFault(first));
  std::string text = reportText({"compiled", "math", "cudnn"}, {first});
  EXPECT_NE(text.find("| WRONG "), std::string::npos);
  EXPECT_NE(text.find("compiled: error 1 exceeds 0.5"), std::string::npos);
  EXPECT_EQ(text.find("Speed-up of compiled"), std::string::npos) << text;
  EXPECT_NE(text.find("fault, each by itself:\n  attn-bench -b 1\n"),
            std::string::npos)
      << text;
}

TEST(Report, RefusalsAreNoFaults) {
  Row refusals = row({timed(1e-3), refused(Outcome::OutOfMemory, "no room"),
                      refused(Outcome::Unsupported, "no such bias")});
  EXPECT_FALSE(isFault(refusals));
  std::string text = reportText({"compiled", "math", "cudnn"}, {refusals});
  EXPECT_EQ(text.find("fwd_math"), std::string::npos) << text;
  EXPECT_NE(text.find("\nNotes:\n  math out of memory: no room\n"
                      "  cudnn unsupported: no such bias\n"),
            std::string::npos)
      << text;
  Row other = row({timed(1e-3), timed(2e-3),
                   refused(Outcome::Unsupported, "no such mask")});
  text = reportText({"compiled", "math", "cudnn"}, {refusals, other});
  EXPECT_NE(text.find("| out of memory "), std::string::npos) << text;
  EXPECT_EQ(text.find("cudnn (us)"), std::string::npos) << text;
  EXPECT_NE(text.find("| 1, 2 "), std::string::npos) << text;
  EXPECT_NE(text.find("\nNotes:\n  1: math: no room\n"
                      "  2: cudnn unsupported: no such bias\n"
                      "  3: cudnn unsupported: no such mask\n"),
            std::string::npos)
      << text;
  EXPECT_TRUE(
      isFault(row({refused(Outcome::Failed, "launch"), timed(1), timed(1)})));
}

TEST(Report, SummaryNamesTheExtremes) {
  Row fast = row({timed(1e-3), timed(4e-3)});
  fast.pattern = "window";
  Row idle = row({timed(1e-6), timed(1e-3)});
  idle.allPairs = 0;
  std::string text = reportText({"compiled", "math"},
                                {row({timed(1e-3), timed(1e-3)}), fast, idle});
  EXPECT_NE(text.find("| math    | forward | 2     | 2.50x   | 2.00x   | 4.00x "
                      "| window f32 (1,2,3,4,5,6) | 1.00x | causal f32 "
                      "(1,2,3,4,5,6) |"),
            std::string::npos)
      << text;
}

/// `outcome` with a backward pass.
Outcome withBackward(Outcome outcome, Backward::Check check, double seconds) {
  Backward &backward = outcome.backward.emplace();
  backward.check = check;
  if (seconds > 0)
    backward.timing.samples.assign(8, seconds);
  return outcome;
}

TEST(Report, BackwardHasItsOwnVerdict) {
  Row both = row({withBackward(timed(1e-3), Backward::Passed, 2e-3),
                  withBackward(timed(1e-3), Backward::Unchecked, 5e-3),
                  withBackward(timed(1e-3), Backward::NotRun, 0)});
  EXPECT_NEAR(*speedup(both, 1, Pass::Backward), 2.5, 1e-12);
  EXPECT_FALSE(speedup(both, 2, Pass::Backward));
  // Five products where the forward pass has two.
  EXPECT_NEAR(*flopRate(both, 0, Pass::Backward), 1e6 * 256 * 2.5 / 2e-3, 1);
  EXPECT_FALSE(isFault(both));
  both.outcomes[1].backward->check = Backward::Wrong;
  EXPECT_TRUE(isFault(both));
  EXPECT_FALSE(speedup(both, 1, Pass::Backward));
}

TEST(Report, EachPassSaysHowLongItCompiled) {
  Row forward = row({timed(1e-3)});
  forward.outcomes[0].compileSeconds = 0.25;
  Row both = row({withBackward(timed(1e-3), Backward::Passed, 2e-3)});
  both.outcomes[0].compileSeconds = 0.5;
  both.outcomes[0].backward->compileSeconds = 1.5;
  EXPECT_EQ(reportText({"compiled"}, {forward}).find("bwd_compile"),
            std::string::npos);
  std::string text = reportText({"compiled"}, {forward, both});
  EXPECT_NE(text.find("| compile (ms) | bwd_compile (ms) |"), std::string::npos)
      << text;
  EXPECT_NE(text.find("| 250          |                  |"), std::string::npos)
      << text;
  EXPECT_NE(text.find("| 500          | 1500             |"), std::string::npos)
      << text;
  text = reportCSV({"compiled"}, {forward, both});
  EXPECT_NE(text.find(",compiled_compile (ms),bwd_compiled_compile (ms),"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(",500.0,1500.0,"), std::string::npos) << text;
}

TEST(Report, BytesMakeARateAndAShareOfWhatCanBeRead) {
  Row both = row({timed(1e-3), timed(2e-3)});
  Ceilings ceilings;
  ceilings.read = 4e9;
  ceilings.emptyLaunch = 2.5e-6;
  std::string text = reportText({"compiled", "math"}, {both}, ceilings);
  EXPECT_NE(text.find("| GB/s | of read (%) |"), std::string::npos) << text;
  // 1.536 MB in 1 ms.
  EXPECT_NE(text.find("| 1.54 | 38.4        |"), std::string::npos) << text;
  EXPECT_NE(text.find("\nMeasured on this device: a stream reads 4 GB/s; an "
                      "empty launch takes 2.5 us\n"),
            std::string::npos)
      << text;
  text = reportCSV({"compiled", "math"}, {both}, ceilings);
  EXPECT_NE(text.find(",fwd_compiled_GB/s,fwd_compiled_of_read (%),"
                      "fwd_math_GB/s,fwd_math_of_read (%),"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(",1.536,38.40,0.768,19.20,"), std::string::npos) << text;
}

TEST(Report, WithoutCeilingsThereIsNoShare) {
  std::string text = reportText({"compiled"}, {row({timed(1e-3)})});
  EXPECT_EQ(text.find("of read"), std::string::npos) << text;
  EXPECT_EQ(text.find("Measured"), std::string::npos) << text;
  Row unknown = row({timed(1e-3)});
  unknown.bytes.reset();
  EXPECT_EQ(reportText({"compiled"}, {unknown}).find("GB/s"),
            std::string::npos);
}

TEST(Report, KernelsAreCounted) {
  EXPECT_EQ(kernelText({}), "");
  std::string text = kernelText({{"compiled", "causal bf16 D64", 3, 1.5},
                                 {"compiled", "noop bf16 D64", 1, 0.25}});
  EXPECT_NE(text.find("Kernels, each for all sizes of the run: 2, compiled 4 "
                      "times in 1.75 s:"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| compiled | causal bf16 D64 | 3        | 1.50    |"),
            std::string::npos)
      << text;
}

TEST(CSV, StartsWithUpstreamsColumns) {
  Names backends = {"compiled", "math", "cudnn"};
  Row line = row({withBackward(timed(1e-3), Backward::Passed, 2e-3),
                  withBackward(timed(2e-3), Backward::Passed, 8e-3),
                  refused(Outcome::Unavailable, "none")});
  std::string text = reportCSV(backends, {line});
  EXPECT_EQ(text.find("attn_type,dtype,\"shape(B,Hq,M,Hkv,N,D)\",fwd_math,"
                      "bwd_math,fwd_cudnn,bwd_cudnn,fwd_compiled,bwd_compiled,"
                      "fwd_math_speedup,fwd_cudnn_speedup,bwd_math_speedup,"
                      "bwd_cudnn_speedup,fwd_mem_bw (TB/s),TFlops/s,"),
            0u)
      << text;
  EXPECT_NE(text.find("causal,f32,\"(1,2,3,4,5,6)\",2000.000,8000.000,nan,nan,"
                      "1000.000,2000.000,2.000,nan,4.000,nan,0.001536,0.256,"),
            std::string::npos)
      << text;
}

TEST(CSV, QuantitiesHaveColumns) {
  Row first = row({timed(1e-3)}), second = first;
  second.quantities = {{"tiles visited", 12}};
  Columns narrow({"compiled"}, {first});
  EXPECT_TRUE(narrow.lacks(second));
  EXPECT_FALSE(narrow.lacks(first));
  std::string text = reportCSV({"compiled"}, {first, second});
  EXPECT_NE(text.find(",tiles visited,"), std::string::npos);
  EXPECT_NE(text.find(",nan,,\n"), std::string::npos) << text;
  EXPECT_NE(text.find(",12,,\n"), std::string::npos) << text;
}
} // namespace
