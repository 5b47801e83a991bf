// See CubinStore.h.
#include "attn/Runtime/CubinStore.h"

#include <mutex>

using namespace attn::cuda;

namespace {
struct Current {
  std::mutex mutex;
  std::shared_ptr<const CubinStore> store;
};
} // namespace

/// Kernels may be loaded while the process ends.
static Current &current() {
  static auto *current = new Current();
  return *current;
}

void attn::cuda::setCubinStore(std::shared_ptr<const CubinStore> store) {
  std::lock_guard<std::mutex> lock(current().mutex);
  current().store = std::move(store);
}

std::shared_ptr<const CubinStore> attn::cuda::cubinStore() {
  std::lock_guard<std::mutex> lock(current().mutex);
  return current().store;
}
