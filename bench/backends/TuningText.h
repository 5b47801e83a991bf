// What a search for schedules found, for a reader.
#ifndef ATTN_BENCH_BACKENDS_TUNINGTEXT_H
#define ATTN_BENCH_BACKENDS_TUNINGTEXT_H

#include "attn/API/Tune.h"

#include <string>

namespace attn::bench {

/// What won, and by how much: "tuned: ..."; empty if there was nothing to tune.
std::string textOf(const Tuning &tuning);

} // namespace attn::bench

#endif // ATTN_BENCH_BACKENDS_TUNINGTEXT_H
