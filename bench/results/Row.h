// What a run finds out about one case: the row that every report prints.
#ifndef ATTN_BENCH_RESULTS_ROW_H
#define ATTN_BENCH_RESULTS_ROW_H

#include "cases/Problem.h"
#include "measure/Outcome.h"

#include "attn/API/Attention.h"

namespace attn::bench {

/// Something that some rows know and others do not, such as tiles visited: a
/// column of its own in every report.
struct Quantity {
  std::string name; ///< heading of the column, with its unit
  double value = 0;
};

/// One case. `outcomes` are in the order of the report's backends; the first
/// one is the one that the others are compared with.
struct Row {
  std::string pattern, type, shape;
  ProblemSizes sizes; ///< as they ran: a folded batch is one sequence
  int64_t elementBytes = 0;
  std::vector<Outcome> outcomes;
  double allPairs = 0;
  std::optional<double> pairs; ///< unmasked ones, if counted
  double flopsPerPair = 0;     ///< of the forward pass
  /// That the forward pass must move: Q and O, and every key and value that any
  /// query reads, once; if it is known.
  std::optional<double> bytes;
  std::vector<Quantity> quantities;
  Conditions conditions;
  std::string repeat; ///< a command line that measures just this case
  std::string remark;
  bool crashed = false; ///< the process did, in this case
};

/// The samples of `backend` in a pass; null where it has no time.
const Timing *timingOf(const Row &, size_t backend, Pass);

/// Whether any backend was asked for its backward pass.
bool hasBackward(const Row &);

/// Whether the outcome is a fault: a result or gradient that is wrong, or a
/// failure.
bool isFault(const Outcome &);
bool isFault(const Row &);

/// Whether the backend did not take the case in this pass, which is no fault.
bool isRefusal(const Outcome &, Pass);

/// What became of one pass: "timed", "wrong", "out of memory", ...; backward
/// also "unchecked", if timed without a reference, and "not run".
const char *statusOf(const Outcome &, Pass);

/// time(backend) / time(first), if both have one and there was work to do.
std::optional<double> speedup(const Row &, size_t backend, Pass);

/// Operations per second over the unmasked pairs: 2 (D + Dv) for each pair
/// forward, 2.5 times that backward (five products instead of two).
std::optional<double> flopRate(const Row &, size_t backend, Pass);

/// Row::bytes per second.
std::optional<double> bandwidth(const Row &, size_t backend);

} // namespace attn::bench

#endif // ATTN_BENCH_RESULTS_ROW_H
