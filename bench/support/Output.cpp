// See Output.h.
#include "support/Output.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

using namespace attn::bench;

static std::string failure;

void attn::bench::guardOutput() {
  for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(stream, F_GETFD) < 0)
      // The lowest number that is free, which is this one's. Opened for the
      // other direction, so that its use fails.
      (void)!open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  // Not SIG_IGN, which a child would inherit.
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &action, nullptr);
  sigaction(SIGXFSZ, &action, nullptr);
}

bool attn::bench::writeAll(int descriptor, const std::string &text) {
  for (size_t at = 0; at < text.size();) {
    ssize_t count = ::write(descriptor, text.data() + at, text.size() - at);
    if (count < 0 && errno == EAGAIN) { // a pipe that someone made so
      pollfd room{descriptor, POLLOUT, 0};
      poll(&room, 1, /*milliseconds=*/-1);
    } else if (count < 0 && errno != EINTR) {
      return false;
    }
    at += count > 0 ? static_cast<size_t>(count) : 0;
  }
  return true;
}

void attn::bench::print(const std::string &text) {
  if (failure.empty() && !writeAll(STDOUT_FILENO, text))
    failure = std::strerror(errno);
}

const std::string &attn::bench::printFailure() { return failure; }
