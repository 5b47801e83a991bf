// Ctrl-C: the run ends after what it is doing and shows what it has.
#ifndef ATTN_BENCH_INTERRUPT_H
#define ATTN_BENCH_INTERRUPT_H

namespace attn::bench {

/// From now on SIGINT and SIGTERM are noted; a second one kills the process.
void catchInterrupts();

/// Whether one has come.
bool isInterrupted();

} // namespace attn::bench

#endif // ATTN_BENCH_INTERRUPT_H
