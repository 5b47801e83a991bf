// Lines that survive whatever ends the process: each is on disk before
// append() returns, and one process at a time has the file.
#ifndef ATTN_BENCH_RESULTS_JOURNAL_H
#define ATTN_BENCH_RESULTS_JOURNAL_H

#include "attn/API/Result.h"

#include <memory>
#include <string>
#include <vector>

namespace attn::bench {

class Journal {
public:
  /// Opens or creates the file and locks it; the lock ends with the process,
  /// however that ends. Errors: it cannot be opened; another process has it.
  static Result<std::unique_ptr<Journal>> open(const std::string &path);
  ~Journal();
  Journal(const Journal &) = delete;
  Journal &operator=(const Journal &) = delete;

  /// The lines that were there. A last line without its line break was being
  /// written when the process ended; it is not among them.
  const std::vector<std::string> &lines() const { return found; }

  /// Drops all lines but the first `count` of those found.
  Result<void> keep(size_t count);
  Result<void> append(const std::string &line);
  /// Deletes the file.
  void remove();
  /// What a signal handler may write a line to.
  int file() const { return descriptor; }

private:
  Journal(std::string path, int descriptor)
      : path(std::move(path)), descriptor(descriptor) {}
  Result<void> read();
  Error failure(const char *what) const;

  std::string path;
  int descriptor;
  std::vector<std::string> found;
};

/// The lines of `text` that end with a line break.
std::vector<std::string> wholeLines(const std::string &text);

} // namespace attn::bench

#endif // ATTN_BENCH_RESULTS_JOURNAL_H
