// attn-bench as a function: everything but `main` itself.
#ifndef ATTN_BENCH_MAIN_H
#define ATTN_BENCH_MAIN_H

namespace attn::bench {

/// Runs the tool. Returns its exit code: 0; 1 if a result was wrong or a
/// backend failed; 2 for bad input; 130 if interrupted.
int runTool(int argc, char **argv);

} // namespace attn::bench

#endif // ATTN_BENCH_MAIN_H
