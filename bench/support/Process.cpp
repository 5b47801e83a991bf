// Starting, waiting and ending.
#include "support/Process.h"

#include "support/Interrupt.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

Process &Process::operator=(Process &&other) noexcept {
  std::swap(pid, other.pid);
  std::swap(channel, other.channel);
  std::swap(errors, other.errors);
  std::swap(unread, other.unread);
  return *this;
}

/// In the child: nothing but system calls, for other threads were not copied.
[[noreturn]] static void becomeProgram(char *const *arguments, int channel,
                                       int errors, int failure) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  dup2(channel, STDIN_FILENO);
  dup2(channel, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  execvp(arguments[0], arguments);
  int reason = errno;
  (void)!write(failure, &reason, sizeof(reason));
  _exit(127);
}

Result<Process> Process::start(const std::vector<std::string> &command) {
  int pair[2], failure[2];
  Process process;
  process.errors = memfd_create("stderr", MFD_CLOEXEC);
  if (process.errors < 0 ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return Error{std::string("no child process: ") + std::strerror(errno)};
  process.channel = pair[0];
  if (pipe2(failure, O_CLOEXEC) < 0) {
    close(pair[1]);
    return Error{std::string("no child process: ") + std::strerror(errno)};
  }
  std::vector<char *> arguments;
  for (const std::string &word : command)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = fork();
  if (pid == 0)
    becomeProgram(arguments.data(), pair[1], process.errors, failure[1]);
  close(pair[1]);
  close(failure[1]);
  int reason = pid < 0 ? errno : 0;
  // Ends without a word if the program was started.
  (void)!read(failure[0], &reason, sizeof(reason));
  close(failure[0]);
  if (pid > 0)
    process.pid = pid;
  if (reason)
    return Error{"cannot start '" + command[0] + "': " + std::strerror(reason)};
  return process;
}

void Process::writeLine(const std::string &line) {
  std::string text = line + "\n";
  size_t sent = 0;
  while (sent < text.size()) {
    ssize_t count =
        send(channel, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return; // It has ended: the next readLine() says how.
    sent += count;
  }
}

/// The last line of a file that says something.
static std::string lastLine(int file) {
  struct stat status;
  if (fstat(file, &status) < 0 || status.st_size == 0)
    return "";
  char tail[4096];
  off_t begin = std::max<off_t>(0, status.st_size - off_t(sizeof(tail)));
  ssize_t count = pread(file, tail, sizeof(tail), begin);
  std::string text(tail, std::max<ssize_t>(0, count));
  size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos)
    return "";
  text.resize(end + 1);
  size_t start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

/// Reaps the child, which has closed its output, and says how it ended.
std::string Process::obituary() {
  int status = 0, tries = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    usleep(10000);
    if (++tries == 100) // it closed its output and lives on
      ::kill(-pid, SIGKILL);
  }
  std::string text;
  if (WIFSIGNALED(status))
    text = std::string("was killed: ") + strsignal(WTERMSIG(status));
  else
    text = "ended with exit code " + std::to_string(WEXITSTATUS(status));
  if (std::string words = lastLine(errors); !words.empty())
    text += " (" + words + ")";
  ::kill(-pid, SIGKILL); // what it may have started
  pid = 0;
  kill();
  return text;
}

Process::Answer Process::readLine(double seconds) {
  using Clock = std::chrono::steady_clock;
  auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  while (true) {
    if (size_t end = unread.find('\n'); end != std::string::npos) {
      std::string line = unread.substr(0, end);
      unread.erase(0, end + 1);
      return {Answer::Line, line};
    }
    if (isInterrupted())
      return {Answer::Interrupted, ""};
    if (Clock::now() >= deadline)
      return {Answer::TimedOut, ""};
    pollfd wanted{channel, POLLIN, 0};
    // Not longer than this, to notice Ctrl-C.
    if (poll(&wanted, 1, /*milliseconds=*/50) <= 0)
      continue;
    char text[65536];
    ssize_t count = recv(channel, text, sizeof(text), 0);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return {Answer::Ended, obituary()};
    unread.append(text, count);
  }
}

void Process::kill() {
  if (pid > 0) {
    ::kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  for (int *file : {&channel, &errors})
    if (*file >= 0) {
      close(*file);
      *file = -1;
    }
  pid = 0;
  unread.clear();
}
