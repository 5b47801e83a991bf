// A signal handler may neither allocate nor format: all text is made before.
#include "support/CrashNote.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <unistd.h>

using namespace attn::bench;

namespace {
/// Text of bounded length that a handler can put together.
template <size_t size> class Text {
public:
  void add(const char *more) {
    for (; *more && length + 1 < size; ++more)
      text[length++] = *more;
  }
  void set(const std::string &all) {
    length = 0;
    add(all.c_str());
    text[length] = 0;
  }
  const char *get() const { return text; }
  void writeTo(int descriptor) const {
    (void)!::write(descriptor, text, length);
  }

private:
  char text[size] = {};
  size_t length = 0;
};

struct Signal {
  int number;
  const char *name;
};
} // namespace

static const Signal crashes[] = {{SIGSEGV, "Segmentation fault"},
                                 {SIGBUS, "Bus error"},
                                 {SIGFPE, "Floating point exception"},
                                 {SIGILL, "Illegal instruction"},
                                 {SIGABRT, "Aborted"},
                                 {SIGSYS, "Bad system call"}};
static struct sigaction former[std::size(crashes)];

static volatile std::sig_atomic_t isOpen = 0, isLeft = 0;
static int journalFile = -1;
static Text<64> indexText, leftText;
static Text<128> stepText;
static Text<512> nameText;

std::string attn::bench::beginLine(size_t index) {
  return "{\"begun\":" + std::to_string(index) + "}";
}

std::string attn::bench::leftLine(size_t index) {
  return "{\"left\":" + std::to_string(index) + "}";
}

/// Says that the open case ended the process. Once.
static void noteCrash(const char *how) {
  if (!isOpen)
    return;
  isOpen = 0;
  Text<1024> line;
  for (const char *part :
       {"\nattn-bench: error: ", how, " while ", stepText.get(), ": ",
        nameText.get(), journalFile >= 0 ? "; --resume goes on after it" : "",
        "\n"})
    line.add(part);
  line.writeTo(STDERR_FILENO);
  if (journalFile < 0)
    return;
  Text<512> note;
  for (const char *part : {"{\"crashed\":", indexText.get(), ",\"how\":\"", how,
                           " while ", stepText.get(), "\"}\n"})
    note.add(part);
  note.writeTo(journalFile);
}

static void onCrash(int signal, siginfo_t *info, void *) {
  for (size_t i = 0; i < std::size(crashes); ++i)
    if (crashes[i].number == signal) {
      noteCrash(crashes[i].name);
      sigaction(signal, &former[i], nullptr);
    }
  // The instruction that faulted will do so again.
  if (info->si_code <= 0)
    raise(signal);
}

static void catchCrashes() {
  // A stack that has overflowed holds no handler.
  static char stack[64 << 10];
  stack_t place = {};
  place.ss_sp = stack;
  place.ss_size = sizeof(stack);
  sigaltstack(&place, nullptr);
  struct sigaction action = {};
  action.sa_sigaction = onCrash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (size_t i = 0; i < std::size(crashes); ++i)
    sigaction(crashes[i].number, &action, &former[i]);
  std::atexit([] { noteCrash("the program exited"); });
}

void attn::bench::beginCase(int journal, size_t index,
                            const std::string &name) {
  static const bool caught = (catchCrashes(), true);
  (void)caught;
  isOpen = isLeft = 0;
  journalFile = journal;
  indexText.set(std::to_string(index));
  leftText.set(leftLine(index) + "\n");
  stepText.set("preparing");
  nameText.set(name);
  isOpen = 1;
}

void attn::bench::noteStep(const std::string &step) { stepText.set(step); }

void attn::bench::endCase() { isOpen = 0; }

void attn::bench::noteLeft() {
  if (!isOpen || isLeft || journalFile < 0)
    return;
  isLeft = 1;
  leftText.writeTo(journalFile);
}
