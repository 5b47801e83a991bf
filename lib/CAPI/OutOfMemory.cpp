// What memory that runs out does in libattn.so: it ends the process, in words.
// An exception would leave through code that is compiled without them, LLVM's
// and ours, which unlocks nothing on its way, into a program that may be C. The
// handler is that of the libstdc++ inside of the library: the program's own
// stays as it is.
#include <cstdlib>
#include <new>
#include <unistd.h>

[[noreturn]] static void endProcess() {
  static const char text[] = "attn: out of memory\n";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  std::abort();
}

[[maybe_unused]] static const std::new_handler before =
    std::set_new_handler(endProcess);
