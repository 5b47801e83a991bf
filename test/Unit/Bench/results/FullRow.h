// A row and a run in which everything has a value.
#ifndef ATTN_TEST_UNIT_BENCH_RESULTS_FULLROW_H
#define ATTN_TEST_UNIT_BENCH_RESULTS_FULLROW_H

#include "results/JSON.h"

#include <cmath>

namespace attn::bench {

inline const std::vector<std::string> backends = {"compiled", "math"};

inline Row fullRow() {
  Row row;
  row.pattern = "causal";
  row.type = "bf16";
  row.shape = "(1,2,8,1,8,64)";
  row.sizes.heads = 2;
  row.sizes.queries = row.sizes.keys = 8;
  row.sizes.headDim = row.sizes.valueDim = 64;
  row.elementBytes = 2;
  row.allPairs = 128;
  row.pairs = 72;
  row.flopsPerPair = 256;
  row.bytes = 6144;
  row.quantities = {{"tiles visited", 3}, {"lists (us)", 0.125}};
  row.repeat = "attn-bench -b 1";
  row.remark = "a remark with \"quotes\"";
  row.conditions.before = DeviceState{1980, 2619, 45, 312.5, 4, 1.5, 0.25};
  row.conditions.seconds = 3.5;
  row.conditions.throttled = "power cap for 12% of the time";
  Outcome timed;
  timed.kind = Outcome::Timed;
  timed.timing.samples = {12.345e-6, 12.5e-6, 11e-6};
  timed.timing.withLaunch = {20e-6};
  timed.timing.host = {2.5e-6};
  timed.timing.rounds = {2, 1};
  timed.timing.stop = Stop::SampleLimit;
  timed.timing.hot = true;
  timed.timing.duty = 0.9;
  timed.timing.pace = Pace{1e-3, 2e-5, 1e-4};
  timed.timing.batches = {{2, 1e-4, 9e-4}, {1, 1.5e-4, 8.5e-4}};
  timed.seconds = timed.timing.median();
  timed.maxError = 1.25e-3;
  timed.compileSeconds = 0.5;
  Backward &backward = timed.backward.emplace();
  backward.check = Backward::Unchecked;
  backward.timing.samples = backward.timing.withLaunch = {1e-3, 2e-3};
  backward.timing.rounds = {2};
  backward.timing.stop = Stop::TimeLimit;
  backward.compileSeconds = 0.75;
  backward.reason = "too large for the reference";
  Outcome wrong;
  wrong.kind = Outcome::Wrong;
  wrong.maxError = std::nan("");
  wrong.reason = "NaN at (0,0,0,0)";
  row.outcomes = {timed, wrong};
  return row;
}

inline Results fullResults() {
  Results results;
  results.run.backends = backends;
  results.run.device = "a device </script>";
  results.run.facts = {{"b", "2"}, {"a", "1"}};
  results.run.ceilings.gemm["bf16"] = 7e14;
  results.run.ceilings.copy = 4e12;
  results.run.ceilings.read = 4.5e12;
  results.run.ceilings.emptyLaunch = 2.5e-6;
  results.run.caseCount = 2;
  results.run.fingerprint = "0123";
  results.rows = {{0, fullRow()}, {1, fullRow()}};
  results.kernels = {{"compiled", "causal bf16 D64", 3, 1.25}};
  results.complete = true;
  results.finished = "2026-01-31T12:00:00Z";
  return results;
}

} // namespace attn::bench

#endif // ATTN_TEST_UNIT_BENCH_RESULTS_FULLROW_H
