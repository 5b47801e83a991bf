// The signal handler sets a flag and wakes a thread.
#include "support/Interrupt.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

static volatile std::sig_atomic_t interrupted = 0;
static int wakeUp = -1; ///< the end of a pipe on which the thread waits
static unsigned lastResort = 0;
static void (*atOnce)() = nullptr;

static void onSignal(int) {
  int reason = errno;
  interrupted = 1;
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  if (atOnce)
    atOnce();
  (void)!write(wakeUp, "", 1);
  // Kills, should the thread hang as well.
  alarm(lastResort);
  errno = reason;
}

void attn::bench::catchInterrupts(void (*first)(), double grace,
                                  std::function<void()> overdue) {
  atOnce = first;
  lastResort = static_cast<unsigned>(grace) + 20;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) == 0) {
    wakeUp = ends[1];
    // Begun now: later there may be no memory for it.
    std::thread([=, overdue = std::move(overdue)] {
      char byte;
      while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
        ;
      std::this_thread::sleep_for(std::chrono::duration<double>(grace));
      overdue();
      _exit(130);
    }).detach();
  }
  struct sigaction action = {};
  action.sa_handler = onSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool attn::bench::isInterrupted() { return interrupted != 0; }
