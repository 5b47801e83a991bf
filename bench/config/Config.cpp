// Checks settings and turns them into a configuration. One table says which
// keys there are and how each is read.
#include "config/Config.h"

#include "config/Integers.h"
#include "support/Names.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <filesystem>
#include <set>

using namespace attn;
using namespace attn::bench;

/// The largest values that index arithmetic has to stand: positions are i32.
static constexpr int64_t maxBatch = 65536, maxHeads = 4096,
                         maxLength = 2147483647, maxDim = 256,
                         maxKVSize = int64_t(1) << 24, maxPageSize = 1 << 20;

/// The values of a list as it is read: one that is there twice would be
/// measured twice.
class Repeats {
public:
  Repeats(Config &config, const Setting &setting)
      : notes(config.notes[setting.key.text]), key(setting.key.text) {
    notes.clear();
  }

  /// Whether `value`, written as `word`, is there already; then a note says so.
  bool has(const Word &word, const std::string &value) {
    if (seen.insert(value).second)
      return false;
    notes.push_back(word.where + ": note: '" + word.text +
                    "' is there more than once in '" + key +
                    "' and counts once");
    return true;
  }

private:
  std::vector<std::string> &notes;
  std::string key;
  std::set<std::string> seen;
};

static Result<void> readIntegers(std::vector<int64_t> &to, Config &config,
                                 const Setting &setting,
                                 const std::string &what, int64_t high) {
  to.clear();
  Repeats repeats(config, setting);
  for (const Word &word : setting.values) {
    ATTN_TRY_ASSIGN(int64_t value, readInteger(word, word.text, what, 1, high));
    if (!repeats.has(word, std::to_string(value)))
      to.push_back(value);
  }
  return {};
}

/// Reads `x,y`, or `x` for `x,x` where `single` allows it.
static Result<void> readPairs(std::vector<SizePair> &to, Config &config,
                              const Setting &setting, const std::string &what,
                              int64_t low, int64_t high, bool single) {
  to.clear();
  Repeats repeats(config, setting);
  for (const Word &word : setting.values) {
    size_t comma = word.text.find(',');
    if (comma == std::string::npos && !single)
      return errorAt(word.where, "expects " + what + " as 'Hq,Hkv', got '" +
                                     word.text + "'");
    std::string second =
        comma == std::string::npos ? word.text : word.text.substr(comma + 1);
    second.erase(0, second.find_first_not_of(' '));
    ATTN_TRY_ASSIGN(int64_t x, readInteger(word, word.text.substr(0, comma),
                                           what, low, high));
    ATTN_TRY_ASSIGN(int64_t y, readInteger(word, second, what, low, high));
    if (!repeats.has(word, std::to_string(x) + "," + std::to_string(y)))
      to.push_back({x, y});
  }
  return {};
}

static Result<void> readHeads(Config &config, const Setting &setting) {
  for (const Word &word : setting.values) { // each, to point at it
    ATTN_TRY(readPairs(config.heads, config, {setting.key, {word}},
                       "head counts", 1, maxHeads, /*single=*/false));
    if (config.heads[0].first % config.heads[0].second)
      return errorAt(word.where,
                     "expects a number of query heads that is a multiple of "
                     "the key-value heads, got '" +
                         word.text + "'");
  }
  return readPairs(config.heads, config, setting, "head counts", 1, maxHeads,
                   /*single=*/false);
}

static Result<void> readTypes(Config &config, const Setting &setting) {
  static const std::vector<std::pair<std::string, ElementType>> types = {
      {"bfloat16", ElementType::BF16}, {"bf16", ElementType::BF16},
      {"float16", ElementType::F16},   {"f16", ElementType::F16},
      {"half", ElementType::F16},      {"float32", ElementType::F32},
      {"f32", ElementType::F32},       {"float", ElementType::F32}};
  config.types.clear();
  Repeats repeats(config, setting);
  for (const Word &word : setting.values) {
    auto type =
        std::find_if(types.begin(), types.end(), [&](const auto &entry) {
          return entry.first == word.text;
        });
    if (type == types.end())
      return errorAt(word.where, unknownName("dtype", word.text,
                                             {"bfloat16", "float16", "float32",
                                              "bf16", "f16", "f32"}));
    if (!repeats.has(word, toString(type->second)))
      config.types.push_back(type->second);
  }
  return {};
}

static Result<void> readBackends(Config &config, const Setting &setting) {
  static const std::vector<std::string> names = {
      "compiled", "math",  "cudnn", "efficient",  "fav2", "fav3",      "fav4",
      "fakv",     "fakv3", "flex",  "flex_flash", "sdpa", "sdpa_cudnn"};
  config.backends.clear();
  Repeats repeats(config, setting);
  for (const Word &word : setting.values) {
    if (std::find(names.begin(), names.end(), word.text) == names.end())
      return errorAt(word.where, unknownName("backend", word.text, names));
    if (!repeats.has(word, word.text) && word.text != "compiled")
      config.backends.push_back(word.text);
  }
  return {};
}

static Result<void> expectOne(const Setting &setting) {
  if (setting.values.size() == 1)
    return {};
  return errorAt(setting.key.where, "expects one value for '" +
                                        setting.key.text + "', got " +
                                        std::to_string(setting.values.size()));
}

static Result<void> readBool(bool &to, const Setting &setting) {
  ATTN_TRY(expectOne(setting));
  std::string text = setting.values[0].text;
  std::transform(text.begin(), text.end(), text.begin(), ::tolower);
  bool yes = text == "true" || text == "yes" || text == "on" || text == "1";
  if (!yes && text != "false" && text != "no" && text != "off" && text != "0")
    return errorAt(setting.values[0].where, "expects true or false for '" +
                                                setting.key.text + "', got '" +
                                                setting.values[0].text + "'");
  to = yes;
  return {};
}

static Result<void> readTarget(Config &config, const Setting &setting) {
  ATTN_TRY(expectOne(setting));
  const Word &word = setting.values[0];
  if (word.text != "cpu" && word.text != "cuda")
    return errorAt(word.where,
                   unknownName("target", word.text, {"cpu", "cuda"}));
  config.target = word.text == "cpu" ? Target::CPU : Target::CUDA;
  return {};
}

static Result<void> readSavePath(Config &config, const Setting &setting) {
  ATTN_TRY(expectOne(setting));
  if (setting.values[0].text.empty())
    return errorAt(setting.values[0].where, "expects a file as 'save_path', "
                                            "got ''");
  config.savePath = setting.values[0];
  return {};
}

static Result<void> readKeyLengths(Config &config, const Setting &setting) {
  config.keyLengths.clear();
  Repeats repeats(config, setting);
  for (const Word &word : setting.values) {
    ATTN_TRY_ASSIGN(KeyLengths lengths, bench::readKeyLengths(word));
    if (!repeats.has(word, lengths.text()))
      config.keyLengths.push_back(lengths);
  }
  return {};
}

static Result<void> readOneInteger(int64_t &to, const Setting &setting,
                                   const std::string &what, int64_t low,
                                   int64_t high) {
  ATTN_TRY(expectOne(setting));
  const Word &word = setting.values[0];
  ATTN_TRY_ASSIGN(to, readInteger(word, word.text, what, low, high));
  return {};
}

/// Anything but the word is parsed, by the compiler, when a kernel is made.
static Result<void> readSchedules(Config &config, const Setting &setting) {
  config.schedules.clear();
  Repeats repeats(config, setting);
  for (const Word &word : setting.values) {
    const std::string prefix = "#attn.schedule<";
    if (word.text != autoSchedule && word.text.rfind(prefix, 0) != 0)
      return errorAt(word.where, "expects a schedule as '" + prefix +
                                     "...>' or '" + autoSchedule + "', got '" +
                                     word.text + "'");
    std::string spaceless = word.text;
    spaceless.erase(std::remove(spaceless.begin(), spaceless.end(), ' '),
                    spaceless.end());
    if (!repeats.has(word, spaceless))
      config.schedules.push_back(word.text);
  }
  return {};
}

/// Two paths of one file are the same mod.
static Result<void> readMods(Config &config, const Setting &setting) {
  config.mods.clear();
  Repeats repeats(config, setting);
  for (const Word &word : setting.values) {
    std::error_code code;
    std::filesystem::path file = std::filesystem::canonical(word.text, code);
    if (!repeats.has(word, code ? word.text : file.string()))
      config.mods.push_back(word);
  }
  return {};
}

static Result<void> readText(std::string &to, const Setting &setting) {
  ATTN_TRY(expectOne(setting));
  if (setting.values[0].text.empty())
    return errorAt(setting.values[0].where,
                   "expects a value for '" + setting.key.text + "', got ''");
  to = setting.values[0].text;
  return {};
}

namespace {
struct Key {
  std::string name;
  bool isSwitch;
  Result<void> (*read)(Config &, const Setting &);
};
} // namespace

static const std::vector<Key> &keyTable() {
  static const std::vector<Key> keys = {
      {"b", false,
       [](Config &c, const Setting &s) {
         return readIntegers(c.batches, c, s, "batch size", maxBatch);
       }},
      {"nh", false, readHeads},
      {"s", false,
       [](Config &c, const Setting &s) {
         return readPairs(c.lengths, c, s, "sequence length", 0, maxLength,
                          true);
       }},
      {"d", false,
       [](Config &c, const Setting &s) {
         return readPairs(c.dims, c, s, "head dimension", 1, maxDim, true);
       }},
      {"mods", false, readMods},
      {"dtype", false, readTypes},
      {"backend", false, readBackends},
      {"kv_size", false,
       [](Config &c, const Setting &s) {
         return readIntegers(c.kvSizes, c, s, "cache size in MiB", maxKVSize);
       }},
      {"decoding_queries", false,
       [](Config &c, const Setting &s) {
         return readIntegers(c.decodingQueries, c, s, "a number of queries",
                             maxLength);
       }},
      {"lengths", false, readKeyLengths},
      {"page_size", false,
       [](Config &c, const Setting &s) {
         return readIntegers(c.pageSizes, c, s, "keys of a page", maxPageSize);
       }},
      {"seed", false,
       [](Config &c, const Setting &s) {
         return readOneInteger(c.seed, s, "a seed", 0, maxLength);
       }},
      {"save_path", false, readSavePath},
      {"schedule", false, readSchedules},
      {"worker_timeout", false,
       [](Config &c, const Setting &s) {
         return readOneInteger(c.workerTimeout, s, "a time in seconds", 1,
                               86400);
       }},
      {"tune_seconds", false,
       [](Config &c, const Setting &s) {
         return readOneInteger(c.tuneSeconds, s, "a time in seconds", 0, 86400);
       }},
      {"python", false,
       [](Config &c, const Setting &s) { return readText(c.python, s); }},
      {"target", false, readTarget},
      {"dynamic", true,
       [](Config &c, const Setting &s) { return readBool(c.dynamic, s); }},
      {"calculate_bwd", true,
       [](Config &c, const Setting &s) { return readBool(c.backward, s); }},
      {"max_autotune", true,
       [](Config &c, const Setting &s) { return readBool(c.maxAutotune, s); }},
      {"tune", true,
       [](Config &c, const Setting &s) { return readBool(c.tune, s); }},
      {"decoding", true,
       [](Config &c, const Setting &s) { return readBool(c.decoding, s); }},
      {"deterministic", true,
       [](Config &c, const Setting &s) {
         return readBool(c.deterministic, s);
       }},
      {"capture_gradients", true,
       [](Config &c, const Setting &s) {
         return readBool(c.captureGradients, s);
       }},
      {"exact", true,
       [](Config &c, const Setting &s) { return readBool(c.exact, s); }},
      {"hot", true,
       [](Config &c, const Setting &s) { return readBool(c.hot, s); }},
      {"throughput", true,
       [](Config &c, const Setting &s) { return readBool(c.throughput, s); }}};
  return keys;
}

static const Key *findKey(const std::string &name) {
  for (const Key &key : keyTable())
    if (key.name == name)
      return &key;
  return nullptr;
}

std::vector<std::string> attn::bench::backendNames(const Config &config) {
  std::vector<std::string> names = {"compiled"};
  for (size_t i = 1; i < config.schedules.size(); ++i)
    names.push_back("compiled_" + std::to_string(i + 1));
  names.insert(names.end(), config.backends.begin(), config.backends.end());
  return names;
}

const std::vector<std::string> &attn::bench::settingKeys() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> names;
    for (const Key &key : keyTable())
      names.push_back(key.name);
    return names;
  }();
  return names;
}

bool attn::bench::isSwitch(const std::string &key) {
  const Key *found = findKey(key);
  return found && found->isSwitch;
}

Result<void> attn::bench::applySettings(Config &config,
                                        const std::vector<Setting> &settings) {
  for (const Setting &setting : settings) {
    const Key *key = findKey(setting.key.text);
    if (!key)
      return errorAt(setting.key.where,
                     unknownName("key", setting.key.text, settingKeys()));
    if (setting.values.empty())
      continue; // `key: null` leaves the default.
    ATTN_TRY(key->read(config, setting));
  }
  return {};
}

Result<void> attn::bench::checkConfig(Config &config) {
  auto needsDecoding = [](const char *key) {
    return errorAt("attn-bench",
                   std::string("expects 'decoding' beside '") + key + "'");
  };
  if (config.decoding && config.backward)
    return errorAt("attn-bench", "expects 'decoding' or 'calculate_bwd', got "
                                 "both: there is no backward pass of decoding");
  if (!config.decoding && !config.keyLengths.empty())
    return needsDecoding("lengths");
  if (!config.decoding && !config.pageSizes.empty())
    return needsDecoding("page_size");
  if (!config.decoding && config.decodingQueries != Config().decodingQueries)
    return needsDecoding("decoding_queries");
  if (!config.pageSizes.empty() && config.keyLengths.empty())
    config.keyLengths.push_back({}); // Pages come with lengths.
  return {};
}

static bool asksToTune(const Config &config) {
  return config.maxAutotune || config.tune;
}

bool attn::bench::tunesCompiled(const Config &config) {
  return asksToTune(config) && !config.dynamic;
}

double attn::bench::secondsToTune(const Config &config) {
  if (!tunesCompiled(config))
    return 0;
  int passes = config.backward ? 2 : 1;
  return static_cast<double>(passes * config.tuneSeconds);
}

std::vector<std::string> attn::bench::missingFeatures(const Config &config) {
  std::vector<std::string> missing;
  const char *key = config.tune ? "tune" : "max_autotune";
  if (asksToTune(config) && config.dynamic)
    missing.push_back(std::string(key) +
                      ": compiled has one kernel for all sizes ('dynamic'), "
                      "and chooses its schedules by rule");
  return missing;
}
