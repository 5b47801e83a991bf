// Random lengths and pages. The standard's distributions differ from library to
// library, so what is drawn is made of the generator's own numbers.
#include "cases/Cache.h"

#include <algorithm>
#include <numeric>
#include <random>

using namespace attn::bench;

std::vector<int32_t> attn::bench::drawLengths(const KeyLengths &rule,
                                              int64_t batch, int64_t capacity,
                                              int64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<int32_t> lengths(batch, int32_t(capacity));
  if (rule.range)
    for (int32_t &length : lengths)
      length = int32_t(rule.range->low +
                       generator() % (rule.range->high - rule.range->low + 1));
  return lengths;
}

static int64_t pagesOf(int64_t keys, int64_t rows) {
  return (keys + rows - 1) / rows;
}

PageTable attn::bench::drawPages(const std::vector<int32_t> &lengths,
                                 int64_t capacity, int64_t rows, int64_t seed) {
  PageTable table;
  table.columns = pagesOf(capacity, rows);
  for (int32_t length : lengths)
    table.pages += pagesOf(length, rows);
  std::vector<int32_t> order(++table.pages);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 generator(seed);
  for (size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[generator() % i]);
  size_t next = 0;
  for (int32_t length : lengths)
    for (int64_t page = 0; page < table.columns; ++page)
      table.ids.push_back(page < pagesOf(length, rows) ? order[next++]
                                                       : order.back());
  return table;
}
