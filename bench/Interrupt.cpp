// The signal handler sets a flag and nothing else.
#include "Interrupt.h"

#include <csignal>

static volatile std::sig_atomic_t interrupted = 0;

void attn::bench::catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool attn::bench::isInterrupted() { return interrupted != 0; }
