// The command line that measures one case of a run by itself.
#ifndef ATTN_BENCH_CASES_REPEAT_H
#define ATTN_BENCH_CASES_REPEAT_H

#include "cases/Cases.h"

namespace attn::bench {

/// For each case the command line that measures just this case, with the same
/// backends and switches. Empty for a case without a batch (see kv_size).
std::vector<std::string> repeatCommands(const Config &,
                                        const std::vector<Case> &, Target);

/// `word` as a POSIX shell reads it back: quoted if it must be.
std::string shellQuoted(const std::string &word);

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_REPEAT_H
