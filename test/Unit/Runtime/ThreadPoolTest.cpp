// Every task exactly once, whatever the number of threads.
#include "attn/Runtime/ThreadPool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

using attn::ThreadPool;

TEST(ThreadPool, RunsEveryTaskOnce) {
  for (unsigned threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (int64_t count : {0, 1, 7, 1000}) {
      std::vector<std::atomic<int>> runs(count);
      std::atomic<bool> threadInRange{true};
      pool.run(count, [&](int64_t task, unsigned thread) {
        ++runs[task];
        if (thread >= threads)
          threadInRange = false;
      });
      for (auto &n : runs)
        EXPECT_EQ(n, 1);
      EXPECT_TRUE(threadInRange);
    }
  }
}

TEST(ThreadPool, CallersTakeTurns) {
  ThreadPool pool(3);
  std::atomic<int> total{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        pool.run(10, [&](int64_t, unsigned) { ++total; });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(total, 4 * 50 * 10);
}
