// The line at the bottom of the terminal.
#include "run/Progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

std::string attn::bench::formatDuration(double seconds) {
  char text[64];
  long long minutes = std::llround(seconds / 60);
  if (seconds < 100)
    std::snprintf(text, sizeof(text), "%.0f s", seconds);
  else if (minutes < 120)
    std::snprintf(text, sizeof(text), "%lld min", minutes);
  else
    std::snprintf(text, sizeof(text), "%lld h %02lld min", minutes / 60,
                  minutes % 60);
  return text;
}

Progress::Progress(std::vector<double> seconds)
    : expected(std::move(seconds)), begin(std::chrono::steady_clock::now()),
      terminal(isatty(STDERR_FILENO)) {
  for (double each : expected)
    expectedLeft += each;
}

Progress::~Progress() {
  if (terminal)
    std::fprintf(stderr, "\r\x1b[K");
}

double Progress::paceOf(double elapsed, double expected) {
  // The estimate counts as five seconds of experience, so that the first case
  // does not decide alone.
  constexpr double trust = 5;
  return (elapsed + trust) / (expected + trust);
}

double Progress::secondsLeft(double pace, double current, double spent,
                             double rest) {
  return std::max(0.0, current * pace - spent) + rest * pace;
}

double Progress::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

void Progress::start(size_t i, const Case &item) {
  index = i;
  began = now();
  name = labelOf(item);
  print("");
}

void Progress::step(const std::string &what) { print(what); }

void Progress::finish() {
  expectedDone += expected[index];
  expectedLeft -= expected[index];
}

/// Cuts bytes off, but none out of the middle of a character.
static void cut(std::string &line, size_t bytes) {
  if (line.size() <= bytes)
    return;
  while (bytes && (line[bytes] & 0xc0) == 0x80)
    --bytes;
  line.resize(bytes);
}

void Progress::print(const std::string &what) const {
  if (!terminal)
    return;
  double current = expected[index];
  double left = secondsLeft(paceOf(began, expectedDone), current, now() - began,
                            expectedLeft - current);
  std::string line = "[" + std::to_string(index + 1) + "/" +
                     std::to_string(expected.size()) + "] " +
                     formatDuration(left) + " left" +
                     (what.empty() ? "" : ", " + what) + ": " + name;
  // A line that wraps could not be overwritten.
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
    cut(line, size.ws_col - 1);
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
}
