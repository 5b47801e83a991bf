// The objects of the C interface: those of the C++ API, counted.
#ifndef ATTN_LIB_CAPI_HANDLES_H
#define ATTN_LIB_CAPI_HANDLES_H

#include "attn/API/Append.h"
#include "attn/API/Gradient.h"
#include "attn/API/Merge.h"
#include "attn/API/Tune.h"
#include "attn/attn.h"

#include <atomic>

namespace attn::capi {

struct Counted {
  std::atomic<int64_t> owners{1};
};

template <typename Handle> void retain(Handle *handle) {
  if (handle)
    handle->owners.fetch_add(1, std::memory_order_relaxed);
}

template <typename Handle> void release(Handle *handle) {
  if (handle && handle->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete handle;
}

/// A new object in `*to`, which is not null.
template <typename Handle, typename... Members>
attn_status give(Handle **to, Members &&...members) {
  *to = new Handle{{}, std::forward<Members>(members)...};
  return ATTN_OK;
}

} // namespace attn::capi

struct attn_mod : attn::capi::Counted {
  attn::Mod mod;
};

struct attn_captures : attn::capi::Counted {
  std::vector<attn::CaptureData> data;
};

struct attn_tiles : attn::capi::Counted {
  attn::TileLists lists;
};

struct attn_kernel : attn::capi::Counted {
  attn::AttentionKernel kernel;
  std::vector<attn::CaptureInfo> captures;
};

struct attn_gradient_tiles : attn::capi::Counted {
  attn::GradientTiles tiles;
};

struct attn_gradient : attn::capi::Counted {
  attn::GradientKernel kernel;
  std::vector<attn::CaptureInfo> captures;
  size_t wrt; ///< how many gradients of captures there are
};

struct attn_tuning : attn::capi::Counted {
  attn::Tuning tuning;
};

struct attn_merge : attn::capi::Counted {
  attn::MergeKernel kernel;
};

struct attn_append : attn::capi::Counted {
  attn::AppendKernel kernel;
};

#endif // ATTN_LIB_CAPI_HANDLES_H
