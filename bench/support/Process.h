// A child process that is spoken to in lines.
#ifndef ATTN_BENCH_SUPPORT_PROCESS_H
#define ATTN_BENCH_SUPPORT_PROCESS_H

#include "attn/API/Result.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace attn::bench {

/// A running child in a process group of its own, so that Ctrl-C on the
/// terminal is not meant for it. It is killed, with all that it started, when
/// the object goes, and by the kernel if this process dies first.
class Process {
public:
  Process() = default;
  Process(Process &&other) noexcept { *this = std::move(other); }
  Process &operator=(Process &&other) noexcept;
  Process(const Process &) = delete;
  Process &operator=(const Process &) = delete;
  ~Process() { kill(); }

  /// Starts a program, found on the PATH unless its name has a slash. Errors:
  /// there is no such program.
  static Result<Process> start(const std::vector<std::string> &command);

  bool isRunning() const { return pid > 0; }

  /// Sends one line (without its end).
  void writeLine(const std::string &line);

  /// What one line from the child says, or why there is none.
  struct Answer {
    enum Kind { Line, TimedOut, Ended, Interrupted } kind;
    std::string text; ///< the line; Ended: how, with the last words on stderr
  };
  /// Waits for one line of standard output, until Ctrl-C, the end of the child,
  /// or the time is over.
  Answer readLine(double seconds);

  /// Ends the child and its group at once.
  void kill();

private:
  std::string obituary();

  pid_t pid = 0;
  int channel = -1;   ///< its standard input and output
  int errors = -1;    ///< a file that its standard error goes to
  std::string unread; ///< received and not yet given out
};

} // namespace attn::bench

#endif // ATTN_BENCH_SUPPORT_PROCESS_H
