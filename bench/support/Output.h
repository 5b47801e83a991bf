// Standard output that says when it could not be written: what a run took hours
// for must not go to a full disk, a closed pipe or nowhere with exit code 0.
#ifndef ATTN_BENCH_SUPPORT_OUTPUT_H
#define ATTN_BENCH_SUPPORT_OUTPUT_H

#include <string>

namespace attn::bench {

/// Called before anything else. Gives the numbers of standard streams that are
/// closed to something that cannot be used, so that no file of ours gets them;
/// and has a closed pipe or a file's size limit be errors that a write reports,
/// not the end of the process.
void guardOutput();

/// Writes to standard output, at once. After a failure nothing more is written.
void print(const std::string &text);

/// Why not all that was printed is there; empty: it is.
const std::string &printFailure();

/// Writes all of `text`. False: errno says why not.
bool writeAll(int descriptor, const std::string &text);

} // namespace attn::bench

#endif // ATTN_BENCH_SUPPORT_OUTPUT_H
