// Backends by name. A name that is valid and cannot run here gives a backend
// which refuses with the reason, so that the case still has its row.
#ifndef ATTN_BENCH_REGISTRY_H
#define ATTN_BENCH_REGISTRY_H

#include "Backend.h"

namespace attn::bench {

/// The backend that `name`, one of those that a configuration accepts, means on
/// this device. Never null.
std::unique_ptr<Backend> createBackend(const std::string &name, Device &,
                                       const std::string &schedule = "");

} // namespace attn::bench

#endif // ATTN_BENCH_REGISTRY_H
