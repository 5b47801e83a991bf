// Splits the command line into flags and their values. What the values mean is
// Config.cpp's business.
#include "commands/CommandLine.h"

#include "config/Config.h"
#include "config/Files.h"
#include "support/Names.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <tuple>

using namespace attn;
using namespace attn::bench;

static const char tool[] = "attn-bench";

/// `-5` is a value, though a wrong one; everything else with a dash is a flag.
static bool isFlag(const std::string &text) {
  return text.size() > 1 && text[0] == '-' &&
         !std::isdigit(static_cast<unsigned char>(text[1]));
}

/// `--calculate-bwd` -> `calculate_bwd`, `-c` -> `config`.
static std::string keyOf(const std::string &flag) {
  std::string key = flag.substr(flag.find_first_not_of('-') == std::string::npos
                                    ? 0
                                    : flag.find_first_not_of('-'));
  std::replace(key.begin(), key.end(), '-', '_');
  return key == "c" ? "config" : key == "h" ? "help" : key;
}

/// `calculate_bwd` -> `--calculate-bwd`; the seed writes b, nh, s, d, mods and
/// dtype with one dash.
static std::string flagOf(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  bool oneDash = key.size() <= 2 || key == "mods" || key == "dtype";
  return (oneDash ? "-" : "--") + key;
}

static std::vector<std::string> allFlags() {
  std::vector<std::string> flags = {
      "--config", "--dry-run",   "--resume", "--retry-crashed", "--overwrite",
      "--help",   "--show-mask", "--tile",   "--svg",           "--version"};
  for (const std::string &key : settingKeys())
    flags.push_back(flagOf(key));
  return flags;
}

namespace {
/// One flag with the words that follow it.
struct Flag {
  std::string text, key;
  std::vector<std::string> values;
  bool assigned = false; ///< written as flag=value
};
} // namespace

/// Flags without a value that are no keys of the YAML file.
static bool isOwnSwitch(const std::string &key) {
  for (const char *own :
       {"dry_run", "resume", "retry_crashed", "overwrite", "help", "version"})
    if (key == own)
      return true;
  return false;
}

static Result<std::vector<Flag>> splitFlags(int argc, char **argv) {
  std::vector<Flag> flags;
  for (int i = 1; i < argc; ++i) {
    std::string text = argv[i];
    if (isFlag(text)) {
      size_t equals = text.find('=');
      Flag flag{text.substr(0, equals), keyOf(text.substr(0, equals)), {}};
      if (equals != std::string::npos) {
        flag.assigned = true;
        flag.values.push_back(text.substr(equals + 1));
      }
      flags.push_back(std::move(flag));
      continue;
    }
    bool takesNone = flags.empty() || flags.back().assigned ||
                     isSwitch(flags.back().key) ||
                     isOwnSwitch(flags.back().key);
    if (takesNone)
      return errorAt(tool, "expects a flag, got '" + text + "'");
    flags.back().values.push_back(std::move(text));
  }
  return flags;
}

/// Handles a flag of isOwnSwitch().
static void takeSwitch(CommandLine &line, const std::string &key) {
  if (key == "dry_run")
    line.dryRun = true;
  else if (key == "resume" && line.start != Start::Retry)
    line.start = Start::Resume;
  else if (key == "retry_crashed")
    line.start = Start::Retry;
  else if (key == "overwrite")
    line.start = Start::Overwrite;
  else if (key == "help")
    line.help = true;
  else if (key == "version")
    line.version = true;
}

/// Flags that stand twice, or that say opposite things. A list is not pieced
/// together from several flags: which of them would override a file's?
static Result<void> checkTogether(const std::vector<Flag> &flags) {
  std::map<std::string, std::string> seen;
  for (const Flag &flag : flags)
    if (!seen.insert({flag.key, flag.text}).second)
      return errorAt(tool, "expects '" + flag.text +
                               "' once, with all its values after it; got it "
                               "twice");
  if (seen.count("overwrite"))
    for (const char *resuming : {"resume", "retry_crashed"})
      if (seen.count(resuming))
        return errorAt(tool, "expects '" + seen[resuming] +
                                 "' or '--overwrite', got both");
  return {};
}

/// `128,64` as two sizes of tiles.
static Result<std::pair<int64_t, int64_t>> tileOf(const std::string &text) {
  long long query = 0, key = 0;
  int length = 0;
  if (std::sscanf(text.c_str(), "%lld,%lld%n", &query, &key, &length) != 2 ||
      static_cast<size_t>(length) != text.size())
    return errorAt(tool,
                   "expects '--tile' as QUERIES,KEYS, got '" + text + "'");
  for (long long size : {query, key})
    if (size < 16 || size > 1024 || size % 16)
      return errorAt(tool, "expects sizes of '--tile' that are multiples of 16 "
                           "from 16 to 1024, got '" +
                               text + "'");
  return std::pair<int64_t, int64_t>(query, key);
}

/// Handles --show-mask and the flags that go with it. False: not one of them.
static Result<bool> takeViewFlag(CommandLine &line, const Flag &flag) {
  if (flag.key != "show_mask" && flag.key != "tile" && flag.key != "svg")
    return false;
  if (flag.values.size() != 1 || flag.values[0].empty())
    return errorAt(tool, "expects one value after '" + flag.text + "', got " +
                             (flag.values.size() == 1
                                  ? "''"
                                  : std::to_string(flag.values.size())));
  if (!line.showMask)
    line.showMask.emplace();
  const std::string &value = flag.values[0];
  if (flag.key == "show_mask")
    line.showMask->mod = {value, tool};
  else if (flag.key == "svg")
    line.showMask->svgPath = value;
  else {
    ATTN_TRY_ASSIGN(auto sizes, tileOf(value));
    std::tie(line.showMask->queryTile, line.showMask->keyTile) = sizes;
  }
  return true;
}

/// Handles the flags that only a command line has. False: not one of them.
static Result<bool> takeOwnFlag(CommandLine &line, const Flag &flag) {
  if (isOwnSwitch(flag.key)) {
    if (flag.assigned)
      return errorAt(tool, "expects no value for '" + flag.text + "', got '" +
                               flag.values[0] + "'");
    takeSwitch(line, flag.key);
    return true;
  }
  if (flag.key != "config")
    return false;
  if (flag.values.size() != 1)
    return errorAt(tool, "expects one file after '" + flag.text + "', got " +
                             std::to_string(flag.values.size()));
  ATTN_TRY_ASSIGN(line.configPath, findConfig(flag.values[0]));
  return true;
}

Result<CommandLine> attn::bench::parseCommandLine(int argc, char **argv) {
  ATTN_TRY_ASSIGN(std::vector<Flag> flags, splitFlags(argc, argv));
  ATTN_TRY(checkTogether(flags));
  CommandLine line;
  const std::vector<std::string> &keys = settingKeys();
  for (const Flag &flag : flags) {
    ATTN_TRY_ASSIGN(bool taken, takeOwnFlag(line, flag));
    if (!taken) {
      ATTN_TRY_ASSIGN(taken, takeViewFlag(line, flag));
    }
    if (taken)
      continue;
    if (std::find(keys.begin(), keys.end(), flag.key) == keys.end())
      return errorAt(tool, unknownName("flag", flag.text, allFlags()));
    Setting setting{{flag.key, tool}, {}};
    for (const std::string &value : flag.values)
      setting.values.push_back({value, tool});
    if (setting.values.empty() && isSwitch(flag.key))
      setting.values.push_back({"true", tool});
    if (setting.values.empty())
      return errorAt(tool, "expects a value after '" + flag.text + "'");
    line.settings.push_back(std::move(setting));
  }
  if (line.showMask && line.showMask->mod.text.empty())
    return errorAt(tool, "expects '--show-mask' beside '--tile' and '--svg'");
  return line;
}

const char *attn::bench::helpText() {
  return R"(OVERVIEW: times compiled attention against other ways of computing it

USAGE: attn-bench [--config FILE] [flags]
       attn-bench compare BEFORE.json AFTER.json [--threshold PERCENT]
       attn-bench report RUN.json [FILE.html]

Runs every combination of batch sizes, heads, lengths, dimensions and patterns.
Each flag is also a key of the YAML file, where - is written _; flags override
the file. '--key=value' works too. A flag stands once; a value that is twice in a
list is measured once.

  --config FILE|NAME   the YAML file (-c), or its name in configs/ or
                       configs/presets/ ('basic', 'llama3-8b')
  -b N...              batch sizes                       (default: 2 8 16)
  -nh HQ,HKV...        query and key-value heads         (default: 16,16 16,2)
  -s N... | M,N...     lengths; M queries and N keys     (default: 512 1024 4096)
  -d D... | D,DV...    head dimensions; DV of the values (default: 64 128)
  -mods NAME|FILE...   patterns: a name from configs/mods or a .mlir file
                       (default: noop causal alibi sliding_window)
  -dtype TYPE          bfloat16, float16 or float32      (default: bfloat16)
  --backend NAME...    what 'compiled', which always runs, is compared with:
                       math, cudnn; through PyTorch: efficient, fav2, fav3,
                       fav4, fakv, fakv3, flex, flex_flash, sdpa, sdpa_cudnn
                                                       (default: math)
  --python PROGRAM     the interpreter that has PyTorch  (default: python3)
  --worker-timeout N   seconds after which PyTorch is taken to hang, compiling
                       included                          (default: 300)
  --target TARGET      cpu or cuda                       (default: cuda if there
                       is a GPU, else cpu)
  --schedule TEXT...   what compiled takes instead of choosing itself, such as
                       '#attn.schedule<tiling = <q = 128, kv = 64>>', or auto;
                       each after the first races as compiled_2, _3, ...
  --exact              tanh and division of mods at f32's accuracy on a GPU
  --save-path FILE     CSV file, written row by row; beside it lie a .json with
                       everything and a .html for a browser (default: with
                       --config benchmark_results_DATE.csv, else none)
                       no regular file (a pipe, /dev/stdout): the CSV alone,
                       at the end
  --resume             continues the unfinished run of the same save path; not
                       with the cases in which it crashed
  --retry-crashed      the same, and those cases too
  --overwrite          drops the unfinished run of the same save path
  --kv-size MIB...     size of K and V, which decides the batch size
  --throughput         accepted; TFLOP/s over the unmasked work is always shown
  --hot                runs may find their inputs in the GPU's L2 cache, which
                       else is flushed before each
  --dry-run            lists the cases, their memory and time; runs nothing
  --decoding           few queries against a cache of N keys: in their middle,
                       or with --lengths at their end
  --decoding-queries N...
                       how many queries                  (default: 1)
  --lengths RULE...    how many of the keys each sequence has: 'full', a number,
                       or 'uniform:LOW,HIGH', drawn for each (default: all
                       have all, and the queries stand in the middle)
  --page-size N...     the keys lie in pages of so many  (default: they adjoin)
  --seed N             of the lengths and pages drawn    (default: 1)
  --calculate-bwd      also the backward pass, of those that have one
  --deterministic      gradients with the same bits on every run, of those that
                       know how; the others have none
  --capture-gradients  compiled also makes those of what mods capture
  --dynamic            one kernel for all sizes: cases of a kernel come together,
                       short and long lengths in turn, what was compiled is
                       counted, and more than a kernel has variants is a failure;
                       PyTorch compiles FlexAttention with dynamic=True
  --tune               compiled looks for faster schedules than it chooses by
                       rule, and tells what won; what is found is kept
  --tune-seconds N     for each kernel, pass and range of sizes (default: 5)
  --max-autotune       --tune, and how PyTorch compiles FlexAttention
  --show-mask NAME|FILE
                       draws the tiles of the first length, batch size and heads
                       and says what is understood of the mask; runs nothing
  --tile Q,KV          queries and keys of its tiles     (default: 128,128)
  --svg FILE           also draws them as an image
  --help, --version

'compare' says of every measurement of two runs whether it became FASTER, SLOWER
or stayed the SAME by more than a threshold (2%), or is UNSURE, by confidence
intervals. 'report' writes a run's HTML report again.

Exit code: 0; 1 if a result is wrong or a backend failed, or something became
SLOWER; 2 for bad input, and for output that could not be written; 130 if
interrupted.
)";
}
