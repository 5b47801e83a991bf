// The nearest valid name by edit distance.
#include "support/Names.h"

#include <algorithm>

using namespace attn::bench;

static size_t editDistance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

std::string
attn::bench::nearestName(const std::string &name,
                         const std::vector<std::string> &candidates) {
  std::string nearest;
  size_t best = std::max<size_t>(2, name.size() / 2) + 1;
  for (const std::string &candidate : candidates) {
    size_t distance = editDistance(name, candidate);
    if (distance < best && distance < candidate.size()) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string
attn::bench::unknownName(const std::string &kind, const std::string &name,
                         const std::vector<std::string> &candidates) {
  std::string message = "unknown " + kind + " '" + name + "'; ";
  std::string nearest = nearestName(name, candidates);
  if (!nearest.empty())
    return message + "did you mean '" + nearest + "'?";
  message += "expects one of";
  for (const std::string &candidate : candidates)
    message += (&candidate == &candidates.front() ? " " : ", ") + candidate;
  return message;
}
