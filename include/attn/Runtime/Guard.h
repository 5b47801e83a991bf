// When a launch takes which kernel: conditions on its sizes, its memory and the
// GPU.
#ifndef ATTN_RUNTIME_GUARD_H
#define ATTN_RUNTIME_GUARD_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace attn {

/// Products that do not fit are the largest number there is.
struct LaunchSizes {
  int64_t batch = 1, heads = 1, queries = 0, keys = 0;
  int64_t multiprocessors = 1;
  int64_t keyHeads = 1; ///< at least 1

  /// Tasks, if each is so many rows of queries of a head.
  int64_t tasks(int64_t rows) const;
  /// Rows that each multiprocessor computes then, as many as the busiest.
  int64_t busiestRows(int64_t rows) const;
  /// Queries of all heads that share keys.
  int64_t packedRows() const;
};

/// What a kernel may expect of the memory of a launch.
struct LaunchMemory {
  /// Every row of the tensors starts at a multiple of 16 bytes.
  bool aligned = true;
  /// The GPU and its driver run code for sm_90a, and TMA takes the tensors,
  /// which are aligned.
  bool sm90a = false;
  /// The innermost strides of captured tensors are 1.
  bool unitCaptures = true;
};

/// What guards are asked about.
struct Launch {
  LaunchSizes sizes;
  LaunchMemory memory;
};

/// All launches whose sizes are between two, each number for itself, on memory
/// alike. Both have the same multiprocessors.
struct LaunchRange {
  LaunchSizes smallest, largest;
  LaunchMemory memory;

  static LaunchRange of(const Launch &launch) {
    return {launch.sizes, launch.sizes, launch.memory};
  }
  static LaunchRange ofAnySizes(int64_t multiprocessors,
                                const LaunchMemory &memory);
};

/// For which launches of a range something holds. `Sometimes` does not promise
/// that there is one for which it does, and one for which it does not.
enum class Holds { Never, Sometimes, Always };

struct Condition {
  enum class Kind {
    /// few_tasks(rows): tasks of `rows` queries all run at once.
    FewTasks,
    /// few_rounds(rows, than, percent): in tasks of `rows`, the busiest
    /// multiprocessor has done first, though a row takes `percent` of the time
    /// that it takes in tasks of `than`.
    FewRounds,
    /// short_rows(keys): at most so many keys.
    ShortRows,
    /// packed_rows(rows): at most so many queries of heads that share keys.
    PackedRows,
    /// full_round(rows, percent): no head shares its keys, and tasks of `rows`
    /// queries all run at once, on at least `percent` of the multiprocessors.
    FullRound,
    // As LaunchMemory has them.
    Aligned,
    SM90a,
    UnitCaptures
  };
  Kind kind;
  std::vector<int64_t> numbers = {}; ///< as many as the kind has

  /// Whether it asks for what a sequence has not of itself: how many others
  /// there are, or how many keys all have room for.
  bool isOfBatch() const;
  /// Of one launch never `Sometimes`.
  Holds over(const LaunchRange &range) const;
  friend bool operator==(const Condition &a, const Condition &b) {
    return a.kind == b.kind && a.numbers == b.numbers;
  }
};

/// Holds where all of its conditions do: always, without any.
struct Guard {
  std::vector<Condition> conditions;

  bool isAlways() const { return conditions.empty(); }
  bool has(Condition::Kind kind) const;
  Holds over(const LaunchRange &range) const;
  bool holds(const Launch &launch) const;
  friend bool operator==(const Guard &a, const Guard &b) {
    return a.conditions == b.conditions;
  }
};

/// The guards of the kernels that launches may take, of which a launch takes
/// the first that holds. The last always does.
using LaunchPlan = std::vector<Guard>;

/// The place of the kernel that a launch takes.
size_t kernelFor(const LaunchPlan &plan, const Launch &launch);
/// The places of all that launches of a range may take. Of any sizes the last
/// is the one that does not ask for them.
std::vector<size_t> kernelsFor(const LaunchPlan &plan,
                               const LaunchRange &range);

/// As #attn.variant has it: always, or conditions joined by `and`.
std::string toString(const Guard &guard);

/// The name, and how many numbers it has.
const char *toString(Condition::Kind kind);
size_t numberCount(Condition::Kind kind);
std::optional<Condition::Kind> conditionNamed(const std::string &name);

} // namespace attn

#endif // ATTN_RUNTIME_GUARD_H
