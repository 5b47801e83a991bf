// Which case the process died in: said on standard error, and in the journal,
// so that --resume does not run into the same crash for ever.
#ifndef ATTN_BENCH_SUPPORT_CRASHNOTE_H
#define ATTN_BENCH_SUPPORT_CRASHNOTE_H

#include <cstddef>
#include <string>

namespace attn::bench {

/// From now on a crash (a signal of the program's own doing, or an exit that
/// nobody asked for) is the doing of case `index`. It is noted as a line of the
/// open file `journal`, unless that is -1. `name`: for standard error.
void beginCase(int journal, size_t index, const std::string &name);

/// What the case is doing ("checking math").
void noteStep(const std::string &step);

/// The case has ended.
void endCase();

/// Notes that the case did nothing wrong, whatever becomes of the process: it
/// was told to stop. May be called by a signal handler.
void noteLeft();

/// The lines that are noted, as JSON without the line break.
std::string beginLine(size_t index);
std::string leftLine(size_t index);

} // namespace attn::bench

#endif // ATTN_BENCH_SUPPORT_CRASHNOTE_H
