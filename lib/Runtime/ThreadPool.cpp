// See ThreadPool.h.
#include "attn/Runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

using namespace attn;

struct ThreadPool::State {
  std::vector<std::thread> workers;
  /// Held for the whole of a run: runs take turns.
  std::mutex turn;

  std::mutex mutex;
  std::condition_variable started, finished;
  uint64_t generation = 0; ///< counts runs
  unsigned busy = 0;       ///< workers that have not finished this run
  bool stopping = false;

  const std::function<void(int64_t, unsigned)> *task = nullptr;
  int64_t count = 0;
  std::atomic<int64_t> next{0};

  void drain(unsigned thread) {
    for (int64_t i = next++; i < count; i = next++)
      (*task)(i, thread);
  }

  void work(unsigned thread) {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      started.wait(lock, [&] { return stopping || generation != seen; });
      if (stopping)
        return;
      seen = generation;
      lock.unlock();
      drain(thread);
      lock.lock();
      if (--busy == 0)
        finished.notify_one();
    }
  }
};

ThreadPool::ThreadPool(unsigned threads) : state(std::make_unique<State>()) {
  for (unsigned i = 1; i < threads; ++i)
    state->workers.emplace_back([this, i] { state->work(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    state->stopping = true;
  }
  state->started.notify_all();
  for (std::thread &worker : state->workers)
    worker.join();
}

unsigned ThreadPool::size() const { return state->workers.size() + 1; }

void ThreadPool::run(
    int64_t count,
    const std::function<void(int64_t task, unsigned thread)> &task) {
  std::lock_guard<std::mutex> turn(state->turn);
  state->task = &task;
  state->count = count;
  state->next = 0;
  bool share = count > 1 && !state->workers.empty();
  if (share) {
    std::lock_guard<std::mutex> lock(state->mutex);
    ++state->generation;
    state->busy = state->workers.size();
    state->started.notify_all();
  }
  state->drain(0);
  if (share) {
    std::unique_lock<std::mutex> lock(state->mutex);
    state->finished.wait(lock, [&] { return state->busy == 0; });
  }
}

ThreadPool &attn::hostThreads() {
  static ThreadPool *pool = [] {
    unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    if (const char *text = std::getenv("ATTN_NUM_THREADS"))
      threads = std::max(1, std::atoi(text));
    return new ThreadPool(threads);
  }();
  return *pool;
}
