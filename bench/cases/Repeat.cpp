// Command lines of cases.
#include "cases/Repeat.h"

#include "config/Files.h"

using namespace attn;
using namespace attn::bench;

std::string attn::bench::shellQuoted(const std::string &word) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,/:@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos)
    return word;
  std::string quoted = "'";
  for (char c : word)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// How `-mods` finds the mod from anywhere: by name if it comes with the tool.
static std::string wordFor(const LoadedMod &mod) {
  for (const std::filesystem::path &directory : configDirectories())
    if (directory / "mods" / (mod.label + ".mlir") == mod.path)
      return mod.label;
  return mod.path;
}

static std::string pair(int64_t first, int64_t second, bool always = false) {
  std::string text = std::to_string(first);
  if (always || second != first)
    text += "," + std::to_string(second);
  return text;
}

static std::string shapeFlags(const Case &item, bool decoding) {
  const ProblemSizes &s = item.asked;
  std::string flags = " -b " + std::to_string(s.batch) + " -nh " +
                      pair(s.heads, s.kvHeads, /*always=*/true) + " -s " +
                      pair(decoding ? s.keys : s.queries, s.keys) + " -d " +
                      pair(s.headDim, s.valueDim);
  if (decoding && s.queries != 1)
    flags += " --decoding-queries " + std::to_string(s.queries);
  if (item.lengthRule)
    flags += " --lengths " + item.lengthRule->text();
  if (item.pageRows)
    flags += " --page-size " + std::to_string(item.pageRows);
  return flags;
}

/// What all cases of a run have in common.
static std::string commonFlags(const Config &config, Target target) {
  std::string flags;
  if (!config.backends.empty())
    flags += " --backend";
  for (const std::string &backend : config.backends)
    flags += " " + backend;
  flags += target == Target::CPU ? " --target cpu" : " --target cuda";
  auto add = [&](bool wanted, const char *flag) {
    flags += wanted ? flag : "";
  };
  add(config.decoding, " --decoding");
  add(config.backward, " --calculate-bwd");
  add(config.dynamic, " --dynamic");
  add(config.maxAutotune, " --max-autotune");
  add(config.tune, " --tune");
  add(config.hot, " --hot");
  add(config.exact, " --exact");
  add(config.deterministic, " --deterministic");
  add(config.captureGradients, " --capture-gradients");
  if (config.tuneSeconds != Config().tuneSeconds)
    flags += " --tune-seconds " + std::to_string(config.tuneSeconds);
  if (config.seed != Config().seed)
    flags += " --seed " + std::to_string(config.seed);
  if (config.python != Config().python)
    flags += " --python " + shellQuoted(config.python);
  if (config.workerTimeout != Config().workerTimeout)
    flags += " --worker-timeout " + std::to_string(config.workerTimeout);
  if (config.schedules != Config().schedules)
    flags += " --schedule";
  for (const std::string &schedule : config.schedules)
    if (config.schedules != Config().schedules)
      flags += " " + shellQuoted(schedule);
  return flags;
}

std::vector<std::string>
attn::bench::repeatCommands(const Config &config,
                            const std::vector<Case> &cases, Target target) {
  std::string common = commonFlags(config, target);
  std::vector<std::string> commands;
  for (const Case &item : cases) {
    if (item.asked.batch == 0) {
      commands.push_back("");
      continue;
    }
    commands.push_back("attn-bench" + shapeFlags(item, config.decoding) +
                       " -mods " + shellQuoted(wordFor(*item.mod)) +
                       " -dtype " + toString(item.type) + common);
  }
  return commands;
}
