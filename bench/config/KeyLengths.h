// How full the caches of a batch are: a rule that a user wrote.
#ifndef ATTN_BENCH_CONFIG_KEYLENGTHS_H
#define ATTN_BENCH_CONFIG_KEYLENGTHS_H

#include "config/Setting.h"

#include <cstdint>
#include <optional>

namespace attn::bench {

/// `full`: every sequence has all keys that there is room for. `N`: each has N.
/// `uniform:LOW,HIGH`: each has a number of its own, drawn from LOW to HIGH,
/// both included.
struct KeyLengths {
  struct Range {
    int64_t low, high;
  };
  std::optional<Range> range; ///< nullopt: full

  /// As it is written: "uniform:1,16384".
  std::string text() const;
};

/// Errors: no such rule; numbers that are none, or the wrong way round.
Result<KeyLengths> readKeyLengths(const Word &word);

} // namespace attn::bench

#endif // ATTN_BENCH_CONFIG_KEYLENGTHS_H
