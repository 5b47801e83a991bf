// When a launch takes which kernel: conditions on its sizes and the GPU.
#ifndef ATTN_RUNTIME_GUARD_H
#define ATTN_RUNTIME_GUARD_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace attn {

/// What guards are asked about.
struct LaunchSizes {
  int64_t batch = 1, heads = 1, queries = 0, keys = 0;
  int64_t multiprocessors = 1;

  /// Tasks, if each is so many rows of queries of a head.
  int64_t tasks(int64_t rows) const;
  /// Rows that each multiprocessor computes then, as many as the busiest.
  int64_t busiestRows(int64_t rows) const;
};

struct Guard {
  enum class Kind {
    Always,
    /// few_tasks(rows): tasks of `rows` queries all run at once.
    FewTasks,
    /// few_rounds(rows, than, percent): in tasks of `rows`, the busiest
    /// multiprocessor has done first, though a row takes `percent` of the time
    /// that it takes in tasks of `than`.
    FewRounds,
    /// short_rows(keys): at most so many keys.
    ShortRows
  };
  Kind kind = Kind::Always;
  std::vector<int64_t> numbers; ///< as many as the kind has

  bool holds(const LaunchSizes &sizes) const;
  friend bool operator==(const Guard &a, const Guard &b) {
    return a.kind == b.kind && a.numbers == b.numbers;
  }
};

/// The name, and how many numbers it has.
const char *toString(Guard::Kind kind);
size_t numberCount(Guard::Kind kind);
std::optional<Guard::Kind> guardNamed(const std::string &name);

} // namespace attn

#endif // ATTN_RUNTIME_GUARD_H
