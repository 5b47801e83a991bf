// Whole numbers that a user wrote.
#ifndef ATTN_BENCH_CONFIG_INTEGERS_H
#define ATTN_BENCH_CONFIG_INTEGERS_H

#include "config/Setting.h"

#include <cstdint>

namespace attn::bench {

/// Reads `text`, which is `word` or a part of it, as `what`. Errors, at the
/// word's place: no whole number; one outside of [low, high].
Result<int64_t> readInteger(const Word &word, const std::string &text,
                            const std::string &what, int64_t low, int64_t high);

} // namespace attn::bench

#endif // ATTN_BENCH_CONFIG_INTEGERS_H
