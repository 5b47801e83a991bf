// What to measure: the values of a YAML file and of the command line, checked.
#ifndef ATTN_BENCH_CONFIG_CONFIG_H
#define ATTN_BENCH_CONFIG_CONFIG_H

#include "config/KeyLengths.h"
#include "config/Setting.h"

#include "attn/API/Attention.h"

#include <map>

namespace attn::bench {

/// Two values which are mostly the same one: query and key-value heads, query
/// and key lengths, head and value dimension.
struct SizePair {
  int64_t first, second;
};

/// The schedule that stands for the compiler's own choice.
inline constexpr char autoSchedule[] = "auto";

/// The axes and switches of a run. Defaults are those of the seed, except that
/// the backend is `math`: `efficient` is not there.
struct Config {
  std::vector<int64_t> batches{2, 8, 16};
  std::vector<SizePair> heads{{16, 16}, {16, 2}};
  std::vector<SizePair> lengths{{512, 512}, {1024, 1024}, {4096, 4096}};
  std::vector<SizePair> dims{{64, 64}, {128, 128}};
  std::vector<Word> mods{
      {"noop", ""}, {"causal", ""}, {"alibi", ""}, {"sliding_window", ""}};
  std::vector<ElementType> types{ElementType::BF16};
  /// Without `compiled`, which always runs: backendNames() has all.
  std::vector<std::string> backends{"math"};
  /// Size of K and V together in MiB, which then decides the batch size.
  std::vector<int64_t> kvSizes;
  bool dynamic = false, backward = false;
  /// FlexAttention and `compiled` look for their fastest kernels; the latter
  /// alone with `tune`.
  bool maxAutotune = false, tune = false;
  int64_t tuneSeconds = 5; ///< for each kernel, pass and range of sizes
  bool decoding = false, throughput = false;
  /// Of decoding: how many queries each sequence has.
  std::vector<int64_t> decodingQueries{1};
  /// Of decoding: how many keys each sequence has, and its queries stand at
  /// their end. Without any all have the same, and the queries stand in the
  /// middle.
  std::vector<KeyLengths> keyLengths;
  /// Of decoding: the keys lie in pages of so many. Without any they adjoin.
  std::vector<int64_t> pageSizes;
  int64_t seed = 1; ///< of lengths and page tables
  /// The interpreter of the PyTorch worker.
  std::string python = "python3";
  int64_t workerTimeout = 300; ///< seconds that one answer of it may take
  bool hot = false;            ///< samples may find their inputs in the cache
  Word savePath;
  bool exact = false; ///< for `compiled`, as KernelSpec::exact
  /// Gradients with the same bits on every run, of all backends that know how.
  bool deterministic = false;
  /// `compiled` also makes the gradients of what mods capture, which no other
  /// backend does, in the time of its backward pass.
  bool captureGradients = false;
  /// What `compiled` takes, as `#attn.schedule<...>` or `auto` (chosen for each
  /// case). Each after the first is raced as a backend of its own.
  std::vector<std::string> schedules{autoSchedule};
  std::optional<Target> target;
  /// What there is to say of each key's values, as `where: note: message`.
  std::map<std::string, std::vector<std::string>> notes;
};

/// Overwrites what the settings name. Errors: an unknown key or value, with
/// its place and the nearest valid name; sizes out of range; query heads that
/// are no multiple of key-value heads.
Result<void> applySettings(Config &, const std::vector<Setting> &);

/// Settings that go together or do not; pages without lengths get full ones.
/// Errors: two that contradict each other, one that means nothing by itself.
Result<void> checkConfig(Config &);

/// `compiled`, `compiled_2`, ... for each schedule, then the peers.
std::vector<std::string> backendNames(const Config &);

/// Every key, as in YAML.
const std::vector<std::string> &settingKeys();

/// Whether the key is a switch, which on the command line needs no value.
bool isSwitch(const std::string &key);

/// Whether `compiled` looks for faster schedules than it chooses: not where it
/// has one kernel for all sizes.
bool tunesCompiled(const Config &);
/// What that may take for a case; 0 without.
double secondsToTune(const Config &);

/// What the configuration asks for that is not there yet: one sentence each.
std::vector<std::string> missingFeatures(const Config &);

} // namespace attn::bench

#endif // ATTN_BENCH_CONFIG_CONFIG_H
