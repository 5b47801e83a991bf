// See KeyLengths.h.
#include "config/KeyLengths.h"

#include "config/Integers.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::bench;

static const std::string uniform = "uniform:";

std::string KeyLengths::text() const {
  if (!range)
    return "full";
  std::string low = std::to_string(range->low);
  return range->low == range->high
             ? low
             : uniform + low + "," + std::to_string(range->high);
}

Result<KeyLengths> attn::bench::readKeyLengths(const Word &word) {
  constexpr int64_t most = 2147483647;
  auto read = [&](const std::string &text) {
    return readInteger(word, text, "a number of keys", 0, most);
  };
  const std::string &text = word.text;
  if (text == "full")
    return KeyLengths{};
  bool digits = text.find_first_not_of("-0123456789") == std::string::npos;
  if (digits && !text.empty()) {
    ATTN_TRY_ASSIGN(int64_t all, read(text));
    return KeyLengths{KeyLengths::Range{all, all}};
  }
  size_t comma = text.find(',');
  if (text.compare(0, uniform.size(), uniform) || comma == std::string::npos)
    return errorAt(word.where, "expects lengths as 'full', 'N' or "
                               "'uniform:LOW,HIGH', got '" +
                                   text + "'");
  ATTN_TRY_ASSIGN(int64_t low,
                  read(text.substr(uniform.size(), comma - uniform.size())));
  ATTN_TRY_ASSIGN(int64_t high, read(text.substr(comma + 1)));
  if (low > high)
    return errorAt(word.where, "expects lengths from the smaller number to the "
                               "larger one, got '" +
                                   text + "'");
  return KeyLengths{KeyLengths::Range{low, high}};
}
