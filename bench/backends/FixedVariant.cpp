// Patterns by name: the nine, and the windows of the presets.
#include "backends/FixedVariant.h"

#include <algorithm>
#include <cstdlib>

using namespace attn;
using namespace attn::bench;

/// Cuts `prefix` off `text`, if it begins so.
static bool consume(std::string &text, const std::string &prefix) {
  if (text.compare(0, prefix.size(), prefix))
    return false;
  text.erase(0, prefix.size());
  return true;
}

/// The N of `sliding_window_N`; 513 for `sliding_window`; 0: no such name.
static int64_t windowOf(std::string name) {
  if (name == "sliding_window")
    return 513;
  bool digits = consume(name, "sliding_window_") && !name.empty() &&
                name.size() < 10 &&
                name.find_first_not_of("0123456789") == std::string::npos;
  return digits ? std::atoll(name.c_str()) : 0;
}

/// The view without the keys outside [begin, end).
static TensorView sliced(TensorView view, int64_t begin, int64_t end) {
  view.data = static_cast<char *>(view.data) +
              begin * view.strides[2] * byteWidth(view.type);
  view.sizes[2] = end - begin;
  return view;
}

/// Leaves only the keys that any query sees.
static void seeKeysOf(FixedVariant &variant, const Problem &problem,
                      bool prefix) {
  int64_t begin = 0, end = problem.queryOffset + problem.sizes.queries;
  if (variant.window)
    begin = std::max<int64_t>(0, problem.queryOffset + 1 - variant.window);
  if (prefix)
    end = std::max<int64_t>(end, 512);
  end = std::min(end, problem.sizes.keys);
  variant.key = sliced(problem.key, begin, end);
  variant.value = sliced(problem.value, begin, end);
  if (!variant.causal)
    variant.window = 0;
}

Result<FixedVariant> attn::bench::fixedVariantOf(const Problem &problem) {
  FixedVariant variant;
  variant.key = problem.key;
  variant.value = problem.value;
  std::string name = problem.pattern;
  bool combines = consume(name, "softcap_"); // then only with a window
  if (name == "softcap" || combines)
    variant.softcap = 50;
  variant.alibi = name == "alibi" && !combines;
  variant.window = windowOf(name);
  bool plain = name == "causal" || name == "softcap" || variant.alibi;
  variant.causal = variant.window != 0 || (plain && !combines);
  bool decodes = problem.queryOffset > 0 || problem.cache;
  bool prefix = name == "prefix_lm" && !combines;
  bool known =
      variant.causal || (prefix && decodes) || (name == "noop" && !combines);
  if (!known)
    return Error{"no such variant, only a bias matrix of queries x keys"};
  if (!decodes || !(variant.causal || prefix))
    return variant;
  if (variant.alibi)
    return Error{"ALiBi only with the causal mask, which begins at the first "
                 "key"};
  bool single = problem.sizes.queries == 1;
  if (prefix && (problem.cache || !single))
    return Error{"no such variant for several queries, or keys of several "
                 "lengths"};
  variant.atEnd = true;
  // The last key is that of the last query.
  variant.causal = !single || (problem.cache && variant.window);
  if (!problem.cache)
    seeKeysOf(variant, problem, prefix);
  return variant;
}
