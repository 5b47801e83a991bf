// The command line: the seed's flags, which are the keys of the YAML file, and
// the few that only a command line has.
#ifndef ATTN_BENCH_COMMANDS_COMMANDLINE_H
#define ATTN_BENCH_COMMANDS_COMMANDLINE_H

#include "commands/ShowMask.h"
#include "results/OutputPaths.h"

#include <optional>

namespace attn::bench {

struct CommandLine {
  std::string configPath; ///< empty: none given
  bool dryRun = false, help = false, version = false;
  Start start = Start::Fresh;
  std::optional<MaskView> showMask;
  std::vector<Setting> settings; ///< override the file's
};

/// Parses `-b 2 4`, `--calculate-bwd`, `--key=value`. Errors: an unknown flag,
/// with the nearest valid one; a flag without a value; a value without a flag;
/// a flag that stands twice, and flags that contradict each other.
Result<CommandLine> parseCommandLine(int argc, char **argv);

/// What --help prints.
const char *helpText();

} // namespace attn::bench

#endif // ATTN_BENCH_COMMANDS_COMMANDLINE_H
