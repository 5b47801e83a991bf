// Mods that the bench writes itself, around a user's mod.
#ifndef ATTN_BENCH_CASES_MODTEXT_H
#define ATTN_BENCH_CASES_MODTEXT_H

#include "cases/Mods.h"

#include <map>

namespace attn::bench {

/// A mod file's text with one more mod, which captures the same as the file's
/// own mod and applies it.
class Wrapper {
public:
  explicit Wrapper(const LoadedMod &mod);

  /// The right-hand side that applies the `score` or `mask` program.
  std::string apply(const char *program, const std::string &operands) const;
  /// The whole text, with a mod `@name` of these bodies (lines that end in a
  /// yield); an empty body leaves the program out.
  std::string text(const std::string &name, const std::string &score,
                   const std::string &mask) const;

private:
  const LoadedMod &mod;
  std::string parameters, arguments, types;
};

/// Mods whose query 0 stands at a later position, as in decoding. Keeps them,
/// for kernels are compiled once for each mod.
class ShiftedMods {
public:
  /// `mod` itself where nothing is shifted or depends on a position. `mod` must
  /// outlive the result. Errors: those of parsing.
  Result<const LoadedMod *> get(const LoadedMod &mod, int64_t offset);

private:
  using Key = std::pair<const LoadedMod *, int64_t>;
  std::map<Key, Result<LoadedMod>> mods;
};

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_MODTEXT_H
