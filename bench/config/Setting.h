// What a YAML file and a command line have in common: keys with words, each of
// which remembers where the user wrote it, so that every later check can point
// at it.
#ifndef ATTN_BENCH_CONFIG_SETTING_H
#define ATTN_BENCH_CONFIG_SETTING_H

#include "attn/API/Result.h"

#include <string>
#include <vector>

namespace attn::bench {

/// One value as written. `where` is `file:line:col`, or the tool's name.
struct Word {
  std::string text;
  std::string where;
};

/// A key (spelled as in YAML) and its values. A list has any number of words,
/// `key: null` none.
struct Setting {
  Word key;
  std::vector<Word> values;
};

/// `where: error: message`.
inline Error errorAt(const std::string &where, const std::string &message) {
  return {where + ": error: " + message};
}

} // namespace attn::bench

#endif // ATTN_BENCH_CONFIG_SETTING_H
