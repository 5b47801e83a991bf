// Why a backend has no result for a problem.
#ifndef ATTN_BENCH_BACKENDS_REFUSAL_H
#define ATTN_BENCH_BACKENDS_REFUSAL_H

#include <string>

namespace attn::bench {

struct Refusal {
  enum Kind {
    Unavailable, ///< a library or device is missing
    Unsupported, ///< the backend does not do this pattern, type or shape
    OutOfMemory,
    Failed, ///< it should have worked
  } kind = Failed;
  std::string reason;
};

} // namespace attn::bench

#endif // ATTN_BENCH_BACKENDS_REFUSAL_H
