// The cases of a run: the Cartesian product of a configuration's axes.
#ifndef ATTN_BENCH_CASES_CASES_H
#define ATTN_BENCH_CASES_CASES_H

#include "cases/Mods.h"
#include "config/Config.h"

namespace attn::bench {

/// One attention problem to measure.
struct Case {
  const LoadedMod *mod = nullptr;
  ElementType type = ElementType::F32;
  ProblemSizes sizes; ///< as it runs: a folded batch is one sequence
  ProblemSizes asked; ///< as the configuration says it
  /// (B,Hq,M,Hkv,N,D) as the configuration says it, and what else there is to
  /// say of the keys: " uniform:1,16384", " pages of 16".
  std::string shape;
  /// The position of the first query: in decoding the middle of the keys, if
  /// there are no lengths.
  int64_t queryOffset = 0;
  /// In decoding with `lengths`: the rule, and the keys of each sequence, at
  /// whose end its queries stand.
  std::optional<KeyLengths> lengthRule;
  std::vector<int32_t> keyLengths;
  int64_t pageRows = 0;  ///< keys of a page; 0: they adjoin
  int64_t seed = 0;      ///< of the page table
  bool backward = false; ///< whether gradients are measured too
  std::string refusal;   ///< why it cannot run; empty: it can
};

/// A run of more would take days; a slip in a list makes millions.
inline constexpr size_t mostCases = 100000;

/// All cases in the seed's order: batch, heads, lengths (then those of the
/// keys, queries and pages of decoding), dimensions, patterns, types; the last
/// one varies fastest. With `dynamic` the cases of one kernel come together, of
/// each batch size and head count a short length after a long one. Those that
/// `decoding` or `kv_size` make equal are there once, and a note says so.
/// `mods` must outlive the cases. Errors: more than mostCases.
Result<std::vector<Case>> listCases(const Config &,
                                    const std::vector<LoadedMod> &mods,
                                    std::vector<std::string> &notes);

/// The first of them, whatever their number.
Case firstCase(const Config &, const std::vector<LoadedMod> &mods);

/// The position of a sequence's first query.
int64_t queryOffsetOf(const Case &, int64_t batch);

/// The captured data of the case: the mod's own, its query offsets and lengths.
Result<std::vector<CaptureData>> makeCaptures(const Case &);

/// Memory that the case needs on its device: tensors, with a backward pass as
/// much again for their gradients and what it keeps of the forward pass, and
/// one head's scores for the reference. On the CPU also the host's copies.
double bytesNeeded(const Case &, Target);

/// A rough guess of the time that the case takes with that many backends.
double secondsExpected(const Case &, Target, size_t backends);

/// "causal bf16 (1,2,64,2,64,16)".
std::string labelOf(const Case &);

/// "512 MiB", "1.5 GiB".
std::string formatBytes(double bytes);

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_CASES_H
