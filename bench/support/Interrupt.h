// Ctrl-C: the run ends after what it is doing and shows what it has. What does
// not come to an end is ended.
#ifndef ATTN_BENCH_SUPPORT_INTERRUPT_H
#define ATTN_BENCH_SUPPORT_INTERRUPT_H

#include <functional>

namespace attn::bench {

/// From now on the first SIGINT or SIGTERM is noted; a second one kills the
/// process. `atOnce` is called by the signal handler. If the process still runs
/// `grace` seconds later, whatever it hangs in, another thread calls `overdue`
/// and ends it with exit code 130.
void catchInterrupts(void (*atOnce)(), double grace,
                     std::function<void()> overdue);

/// Whether one has come.
bool isInterrupted();

} // namespace attn::bench

#endif // ATTN_BENCH_SUPPORT_INTERRUPT_H
