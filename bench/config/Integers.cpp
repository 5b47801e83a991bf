// See Integers.h.
#include "config/Integers.h"

#include <charconv>

using namespace attn;
using namespace attn::bench;

Result<int64_t> attn::bench::readInteger(const Word &word,
                                         const std::string &text,
                                         const std::string &what, int64_t low,
                                         int64_t high) {
  int64_t value = 0;
  auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = end == text.data() + text.size() && !text.empty();
  bool tooLarge = code == std::errc::result_out_of_range;
  if (!whole || (code != std::errc() && !tooLarge))
    return errorAt(word.where, "expects a whole number as " + what + ", got '" +
                                   text + "'");
  if (tooLarge || value < low || value > high)
    return errorAt(word.where,
                   "expects " + what + " between " + std::to_string(low) +
                       " and " + std::to_string(high) + ", got '" + text + "'");
  return value;
}
