// What a person at a terminal sees while the cases run: one line that says
// which case it is, what runs, and how long it will take. In a pipe nothing.
#ifndef ATTN_BENCH_RUN_PROGRESS_H
#define ATTN_BENCH_RUN_PROGRESS_H

#include "cases/Cases.h"

#include <chrono>

namespace attn::bench {

class Progress {
public:
  /// `seconds`: the time that each case is expected to take; 0 for those that
  /// will not run. Their sum is corrected by how long cases really take.
  explicit Progress(std::vector<double> seconds);
  /// Removes the line.
  ~Progress();

  /// A case begins, of those that `seconds` lists.
  void start(size_t index, const Case &item);
  /// What runs now ("math", "reference").
  void step(const std::string &what);
  /// The case that began last has ended.
  void finish();

  /// What has been learnt about estimates: `elapsed` seconds were spent on
  /// cases that were expected to take `expected`. Gives the factor between the
  /// two.
  static double paceOf(double elapsed, double expected);
  /// Seconds until all cases are done, of which `current` are expected of the
  /// one that has been running for `spent`, and `rest` of all after it.
  static double secondsLeft(double pace, double current, double spent,
                            double rest);

private:
  double now() const; ///< seconds since the construction

  void print(const std::string &what) const;

  std::vector<double> expected;
  size_t index = 0;
  std::string name;
  double expectedDone = 0, expectedLeft = 0;
  double began = 0; ///< when the current case did
  std::chrono::steady_clock::time_point begin;
  bool terminal;
};

/// "12 s", "3 min", "2 h 05 min".
std::string formatDuration(double seconds);

} // namespace attn::bench

#endif // ATTN_BENCH_RUN_PROGRESS_H
