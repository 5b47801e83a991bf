// Compiled code on disk.
#include "attn/API/Cache.h"
#include "attn/attn.h"

using namespace attn;

void attn_use_cache(const char *directory) {
  CacheOptions options;
  options.directory = directory ? directory : "";
  useCache(options);
}

void attn_use_no_cache(void) { useNoCache(); }

void attn_code_counts(int64_t *compiled, int64_t *cached) {
  CodeCounts counts = codeCounts();
  if (compiled)
    *compiled = counts.compiled;
  if (cached)
    *cached = counts.cached;
}
