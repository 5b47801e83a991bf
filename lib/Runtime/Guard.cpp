// See Guard.h.
#include "attn/Runtime/Guard.h"

#include <algorithm>
#include <iterator>
#include <limits>

using namespace attn;

static constexpr struct {
  const char *name;
  size_t numbers;
} kinds[] = {{"few_tasks", 1},   {"few_rounds", 3},   {"short_rows", 1},
             {"packed_rows", 1}, {"full_round", 2},   {"aligned", 0},
             {"sm90a", 0},       {"unit_captures", 0}};

const char *attn::toString(Condition::Kind kind) {
  return kinds[static_cast<size_t>(kind)].name;
}

size_t attn::numberCount(Condition::Kind kind) {
  return kinds[static_cast<size_t>(kind)].numbers;
}

std::optional<Condition::Kind> attn::conditionNamed(const std::string &name) {
  for (size_t i = 0; i < std::size(kinds); ++i)
    if (name == kinds[i].name)
      return static_cast<Condition::Kind>(i);
  return std::nullopt;
}

static constexpr int64_t most = std::numeric_limits<int64_t>::max();

static int64_t ceilDiv(int64_t x, int64_t y) { return x / y + (x % y != 0); }

/// Of numbers that are not negative.
static int64_t product(int64_t x, int64_t y) {
  int64_t result = 0;
  return __builtin_mul_overflow(x, y, &result) ? most : result;
}

int64_t LaunchSizes::tasks(int64_t rows) const {
  return product(product(batch, heads), ceilDiv(queries, rows));
}

int64_t LaunchSizes::busiestRows(int64_t rows) const {
  return product(ceilDiv(tasks(rows), multiprocessors), rows);
}

/// Of so many queries.
static int64_t packedRowsOf(int64_t queries, int64_t heads, int64_t keyHeads) {
  return product(queries, heads / keyHeads);
}

int64_t LaunchSizes::packedRows() const {
  return packedRowsOf(queries, heads, keyHeads);
}

LaunchRange LaunchRange::ofAnySizes(int64_t multiprocessors,
                                    const LaunchMemory &memory) {
  return {{0, 0, 0, 0, multiprocessors, 1},
          {most, most, most, most, multiprocessors, most},
          memory};
}

/// Of what is in between two comparisons: `all` implies `some`.
static Holds holdsFor(bool all, bool some) {
  return all ? Holds::Always : some ? Holds::Sometimes : Holds::Never;
}

bool Condition::isOfBatch() const {
  switch (kind) {
  case Kind::FewTasks:
  case Kind::FewRounds:
  case Kind::ShortRows:
  case Kind::FullRound:
    return true;
  case Kind::PackedRows:
  case Kind::Aligned:
  case Kind::SM90a:
  case Kind::UnitCaptures:
    return false;
  }
  return true;
}

/// What grows with sizes is between its values at both ends.
Holds Condition::over(const LaunchRange &range) const {
  const LaunchSizes &smallest = range.smallest, &largest = range.largest;
  auto areFew = [&](const LaunchSizes &sizes) {
    return sizes.tasks(numbers[0]) <= sizes.multiprocessors;
  };
  auto areSooner = [&](const LaunchSizes &sizes, const LaunchSizes &than) {
    return product(numbers[2], sizes.busiestRows(numbers[0])) <
           product(100, than.busiestRows(numbers[1]));
  };
  auto fill = [&](const LaunchSizes &sizes) {
    return product(100, sizes.tasks(numbers[0])) >=
           product(numbers[1], sizes.multiprocessors);
  };
  auto isSo = [](bool value) { return holdsFor(value, value); };
  switch (kind) {
  case Kind::FewTasks:
    return holdsFor(areFew(largest), areFew(smallest));
  case Kind::FewRounds:
    return holdsFor(areSooner(largest, smallest), areSooner(smallest, largest));
  case Kind::ShortRows:
    return holdsFor(largest.keys <= numbers[0], smallest.keys <= numbers[0]);
  case Kind::PackedRows:
    return holdsFor(packedRowsOf(largest.queries, largest.heads,
                                 smallest.keyHeads) <= numbers[0],
                    packedRowsOf(smallest.queries, smallest.heads,
                                 largest.keyHeads) <= numbers[0]);
  case Kind::FullRound:
    return holdsFor(largest.heads <= smallest.keyHeads && areFew(largest) &&
                        fill(smallest),
                    smallest.heads <= largest.keyHeads && areFew(smallest) &&
                        fill(largest));
  case Kind::Aligned:
    return isSo(range.memory.aligned);
  case Kind::SM90a:
    return isSo(range.memory.sm90a);
  case Kind::UnitCaptures:
    return isSo(range.memory.unitCaptures);
  }
  return Holds::Never;
}

bool Guard::has(Condition::Kind kind) const {
  return std::any_of(
      conditions.begin(), conditions.end(),
      [&](const Condition &condition) { return condition.kind == kind; });
}

Holds Guard::over(const LaunchRange &range) const {
  Holds all = Holds::Always;
  for (const Condition &condition : conditions)
    all = std::min(all, condition.over(range));
  return all;
}

bool Guard::holds(const Launch &launch) const {
  return over(LaunchRange::of(launch)) == Holds::Always;
}

size_t attn::kernelFor(const LaunchPlan &plan, const Launch &launch) {
  size_t place = 0;
  while (place + 1 < plan.size() && !plan[place].holds(launch))
    ++place;
  return place;
}

/// Whether each launch of `range` that `guard` holds for is one that `earlier`
/// holds for: what that asks for besides holds for all of them.
static bool isCovered(const Guard &guard, const Guard &earlier,
                      const LaunchRange &range) {
  return std::all_of(earlier.conditions.begin(), earlier.conditions.end(),
                     [&](const Condition &condition) {
                       return condition.over(range) == Holds::Always ||
                              std::find(guard.conditions.begin(),
                                        guard.conditions.end(),
                                        condition) != guard.conditions.end();
                     });
}

std::vector<size_t> attn::kernelsFor(const LaunchPlan &plan,
                                     const LaunchRange &range) {
  std::vector<size_t> places;
  for (size_t i = 0; i < plan.size(); ++i) {
    Holds holds = plan[i].over(range);
    bool isTaken = std::any_of(places.begin(), places.end(), [&](size_t j) {
      return isCovered(plan[i], plan[j], range);
    });
    if (holds != Holds::Never && !isTaken)
      places.push_back(i);
    if (holds == Holds::Always)
      break;
  }
  return places;
}

std::string attn::toString(const Guard &guard) {
  std::string text;
  for (const Condition &condition : guard.conditions) {
    text +=
        (text.empty() ? "" : " and ") + std::string(toString(condition.kind));
    const char *before = "(";
    for (int64_t number : condition.numbers) {
      text += before + std::to_string(number);
      before = ", ";
    }
    text += condition.numbers.empty() ? "" : ")";
  }
  return text.empty() ? "always" : text;
}
