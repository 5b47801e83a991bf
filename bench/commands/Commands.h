// The subcommands that read finished runs.
#ifndef ATTN_BENCH_COMMANDS_COMMANDS_H
#define ATTN_BENCH_COMMANDS_COMMANDS_H

#include <string>
#include <vector>

namespace attn::bench {

/// `attn-bench compare A.json B.json [--threshold PERCENT]`: 0 if nothing is
/// worse, 1 if something is, 2 for bad input. `arguments` are those after
/// `compare`.
int runCompare(const std::vector<std::string> &arguments);

/// `attn-bench report RUN.json [FILE.html]`: writes the HTML report again, or
/// that of an unfinished run from its journal.
int runReport(const std::vector<std::string> &arguments);

} // namespace attn::bench

#endif // ATTN_BENCH_COMMANDS_COMMANDS_H
