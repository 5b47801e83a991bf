// The threads on which a CPU kernel's tasks run.
#ifndef ATTN_RUNTIME_THREADPOOL_H
#define ATTN_RUNTIME_THREADPOOL_H

#include <cstdint>
#include <functional>
#include <memory>

namespace attn {

/// A fixed number of threads that take tasks off one counter. The thread that
/// calls run() is one of them.
class ThreadPool {
public:
  /// `threads` >= 1, the caller's included.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();

  unsigned size() const;

  /// Runs task(i) for 0 <= i < count, in any order, and returns when all are
  /// done. `thread` < size() says which thread does it. Calls from several
  /// threads take turns; a task must not call run().
  void run(int64_t count,
           const std::function<void(int64_t task, unsigned thread)> &task);

private:
  struct State;
  std::unique_ptr<State> state;
};

/// The threads that all kernels share: one per core, or ATTN_NUM_THREADS.
ThreadPool &hostThreads();

} // namespace attn

#endif // ATTN_RUNTIME_THREADPOOL_H
