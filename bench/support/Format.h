// Numbers as text, for every report.
#ifndef ATTN_BENCH_SUPPORT_FORMAT_H
#define ATTN_BENCH_SUPPORT_FORMAT_H

#include <cstdio>
#include <optional>
#include <string>

namespace attn::bench {

/// `value` by a printf pattern for one double.
inline std::string format(const char *pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

/// The same for a number that may be `missing`.
inline std::string format(const char *pattern, std::optional<double> value,
                          double scale, const char *missing) {
  return value ? format(pattern, *value * scale) : missing;
}

} // namespace attn::bench

#endif // ATTN_BENCH_SUPPORT_FORMAT_H
