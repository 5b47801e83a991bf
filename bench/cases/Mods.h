// Finds and loads the mod files that `mods` names.
#ifndef ATTN_BENCH_CASES_MODS_H
#define ATTN_BENCH_CASES_MODS_H

#include "config/Setting.h"

#include "attn/API/Attention.h"

namespace attn::bench {

/// A mod as the user named it. `label` is the pattern's name, or the path for
/// a user's own file, so that no peer takes a user's mod for a known pattern.
struct LoadedMod {
  std::string label, path;
  Mod mod;
};

/// Where queries stand, and which keys there are.
enum class Positions {
  Own,     ///< all begin with the first key, and all keys are there
  Offset,  ///< all queries begin at an offset
  Lengths, ///< each sequence has keys of its own number, and an offset
};

/// A name N is configs/mods/N.mlir beside the tool or mods/N.mlir beside the
/// configuration file; a word with a slash or ending in .mlir is a path.
/// Errors: an unknown name, with the nearest one; the file's own diagnostics.
Result<std::vector<LoadedMod>> loadMods(const std::vector<Word> &words,
                                        const std::string &configPath,
                                        Positions positions = Positions::Own);

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_MODS_H
