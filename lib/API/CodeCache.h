// Code from the cache of this process, or else from the compiler, which then
// goes there.
#ifndef ATTN_LIB_API_CODECACHE_H
#define ATTN_LIB_API_CODECACHE_H

#include "attn/API/Cache.h"
#include "attn/Cache/Store.h"
#include "attn/Runtime/KernelImage.h"

#include <functional>
#include <string>
#include <vector>

namespace attn {

using Images = std::vector<KernelImage>;

/// The store of useCache(); null: none.
std::shared_ptr<const cache::Store> codeStore();

/// The images for `key`, which says all that they depend on but the compiler;
/// `key` is not asked for without a cache. Errors: those of `compile`, which
/// are not kept.
Result<Images> cachedImages(cache::Kind kind,
                            const std::function<std::string()> &key,
                            const std::function<Result<Images>()> &compile);

} // namespace attn

#endif // ATTN_LIB_API_CODECACHE_H
