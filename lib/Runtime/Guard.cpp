// See Guard.h.
#include "attn/Runtime/Guard.h"

#include <iterator>

using namespace attn;

static constexpr struct {
  const char *name;
  size_t numbers;
} kinds[] = {
    {"always", 0}, {"few_tasks", 1}, {"few_rounds", 3}, {"short_rows", 1}};

const char *attn::toString(Guard::Kind kind) {
  return kinds[static_cast<size_t>(kind)].name;
}

size_t attn::numberCount(Guard::Kind kind) {
  return kinds[static_cast<size_t>(kind)].numbers;
}

std::optional<Guard::Kind> attn::guardNamed(const std::string &name) {
  for (size_t i = 0; i < std::size(kinds); ++i)
    if (name == kinds[i].name)
      return static_cast<Guard::Kind>(i);
  return std::nullopt;
}

static int64_t ceilDiv(int64_t x, int64_t y) { return (x + y - 1) / y; }

int64_t LaunchSizes::tasks(int64_t rows) const {
  return batch * heads * ceilDiv(queries, rows);
}

int64_t LaunchSizes::busiestRows(int64_t rows) const {
  return ceilDiv(tasks(rows), multiprocessors) * rows;
}

bool Guard::holds(const LaunchSizes &sizes) const {
  switch (kind) {
  case Kind::Always:
    return true;
  case Kind::FewTasks:
    return sizes.tasks(numbers[0]) <= sizes.multiprocessors;
  case Kind::FewRounds:
    return numbers[2] * sizes.busiestRows(numbers[0]) <
           100 * sizes.busiestRows(numbers[1]);
  case Kind::ShortRows:
    return sizes.keys <= numbers[0];
  }
  return false;
}
