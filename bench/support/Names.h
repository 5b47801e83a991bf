// The nearest valid name: what a message about an unknown one suggests.
#ifndef ATTN_BENCH_SUPPORT_NAMES_H
#define ATTN_BENCH_SUPPORT_NAMES_H

#include <string>
#include <vector>

namespace attn::bench {

/// The candidate with the smallest edit distance to `name`; empty if none is
/// nearer than half of the name's length (and at least two edits).
std::string nearestName(const std::string &name,
                        const std::vector<std::string> &candidates);

/// `unknown KIND 'NAME'; did you mean 'NEAREST'?`, or the list of candidates
/// where none is near.
std::string unknownName(const std::string &kind, const std::string &name,
                        const std::vector<std::string> &candidates);

} // namespace attn::bench

#endif // ATTN_BENCH_SUPPORT_NAMES_H
