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

using MakeKey = std::function<std::string()>;

/// Gives `use` the code for a key, which says all that it depends on but the
/// compiler; it is not asked for without a cache. What `use` refuses of the
/// cache is compiled again. Errors: those of `compile`, and of `use` of what
/// was compiled, which is not kept then.
Result<void>
cachedCode(cache::Kind kind, const MakeKey &key,
           const std::function<Result<std::string>()> &compile,
           const std::function<Result<void>(const std::string &)> &use);

/// The same of images.
Result<Images> cachedImages(cache::Kind kind, const MakeKey &key,
                            const std::function<Result<Images>()> &compile);

} // namespace attn

#endif // ATTN_LIB_API_CODECACHE_H
