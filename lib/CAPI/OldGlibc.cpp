// What keeps libattn.so from older systems: LLVM asks for random numbers by
// arc4random, which glibc has since 2.36, and uses them for nothing but names
// of temporary files. This is one of our own, from a system call that is older.
#include <cerrno>
#include <cstdint>
#include <sys/random.h>

extern "C" __attribute__((visibility("hidden"))) uint32_t arc4random() {
  uint32_t number = 0;
  while (getrandom(&number, sizeof number, 0) == -1 && errno == EINTR) {
  }
  return number;
}
