// The processor as a device: host memory and the wall clock.
#include "devices/Device.h"

#include "measure/Timing.h"
#include "support/Parallel.h"

#include "attn/Support/Try.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

/// The number after `key` in a file of `key: value kB` lines; -1 without one.
static int64_t kibibytesOf(const char *path, const std::string &key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line))
    if (line.compare(0, key.size(), key) == 0)
      return std::strtoll(line.c_str() + key.size(), nullptr, 10);
  return -1;
}

/// The first number in a file; -1 if there is none ("max" in a cgroup).
static int64_t numberIn(const char *path) {
  std::ifstream file(path);
  int64_t value = -1;
  return file >> value ? value : -1;
}

static std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line))
    if (line.compare(0, 10, "model name") == 0 &&
        line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "unknown processor";
}

namespace {
class CPUDevice final : public Device {
public:
  Target target() const override { return Target::CPU; }

  std::string description() const override {
    char memory[64];
    std::snprintf(memory, sizeof(memory), "%.1f GiB",
                  kibibytesOf("/proc/meminfo", "MemTotal:") / 1048576.0);
    return processorName() + ", " + std::to_string(coreCount()) + " cores, " +
           memory;
  }

  int64_t freeBytes() const override {
    int64_t free = kibibytesOf("/proc/meminfo", "MemAvailable:") * 1024;
    int64_t limit = numberIn("/sys/fs/cgroup/memory.max");
    int64_t used = numberIn("/sys/fs/cgroup/memory.current");
    if (limit >= 0 && used >= 0)
      free = std::min(free, std::max<int64_t>(0, limit - used));
    rlimit space = {}; // ulimit -v
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
      int64_t taken = numberIn("/proc/self/statm") * sysconf(_SC_PAGESIZE);
      free = std::min(free, static_cast<int64_t>(space.rlim_cur) - taken);
    }
    return std::max<int64_t>(0, free);
  }

  Result<void *> allocate(int64_t bytes) override {
    constexpr int64_t alignment = 4096;
    int64_t rounded = (bytes / alignment + 1) * alignment;
    void *memory = nullptr;
    if (bytes <= freeBytes())
      memory =
          shareable ? mapFile(rounded) : std::aligned_alloc(alignment, rounded);
    if (!memory)
      return Error{"out of memory: " + std::to_string(bytes) + " bytes"};
    return memory;
  }

  void release(void *memory) override {
    auto found = files.find(static_cast<char *>(memory));
    if (found == files.end())
      return std::free(memory);
    munmap(memory, found->second.bytes);
    close(found->second.descriptor);
    files.erase(found);
  }

  void allocateShareable() override { shareable = true; }

  Result<SharedMemory> share(const void *memory) const override {
    auto *place = static_cast<const char *>(memory);
    auto found = files.upper_bound(place);
    if (found != files.begin())
      --found;
    if (found == files.end() || place < found->first ||
        place >= found->first + found->second.bytes)
      return Error{"memory that is not shared"};
    SharedMemory shared;
    shared.kind = "file";
    shared.handle = "/proc/" + std::to_string(getpid()) + "/fd/" +
                    std::to_string(found->second.descriptor);
    shared.bytes = found->second.bytes;
    shared.offset = place - found->first;
    return shared;
  }

  Result<void> copyIn(void *to, const void *fromHost, int64_t bytes) override {
    copyBytes(to, fromHost, bytes);
    return {};
  }

  Result<void> copyOut(void *toHost, const void *from, int64_t bytes) override {
    copyBytes(toHost, from, bytes);
    return {};
  }

  Result<void> copy(void *to, const void *from, int64_t bytes) override {
    parallelFor(bytes, 1 << 20, [&](int64_t begin, int64_t end) {
      std::memcpy(static_cast<char *>(to) + begin,
                  static_cast<const char *>(from) + begin, end - begin);
    });
    return {};
  }

  Result<void> read(const void *from, int64_t bytes) override {
    constexpr int64_t words = TimingKernels::kChunk / sizeof(uint64_t);
    auto *first = static_cast<const uint64_t *>(from);
    std::atomic<uint64_t> folded{0};
    parallelFor(
        bytes / TimingKernels::kChunk, 1, [&](int64_t begin, int64_t end) {
          folded ^= std::accumulate(first + begin * words, first + end * words,
                                    uint64_t(0), std::bit_xor<>());
        });
    // Nobody can foresee that it is not that number, or nothing would be read.
    return folded == 0x9e3779b97f4a7c15 ? Result<void>(Error{"improbable"})
                                        : Result<void>();
  }

  Result<void> fill(void *memory, unsigned char byte, int64_t bytes) override {
    if (bytes) // of an empty tensor, which may have no memory
      std::memset(memory, byte, bytes);
    return {};
  }

  Result<Turn> time(const std::function<Result<void>()> &work,
                    const TurnOptions &options) override {
    TurnRule rule(options);
    double seconds = 0;
    while (rule.needsWarmup()) {
      ATTN_TRY(timeOnce(work, seconds));
      rule.addWarmup(seconds);
    }
    while (rule.needsSample()) {
      ATTN_TRY(timeOnce(work, seconds));
      rule.addSample(seconds);
    }
    Turn turn = rule.take();
    turn.withLaunch = turn.samples;
    return turn;
  }

  Result<void> synchronize() override { return {}; }

private:
  /// No bytes may come from nowhere.
  static void copyBytes(void *to, const void *from, int64_t bytes) {
    if (bytes)
      std::memcpy(to, from, bytes);
  }

  /// A file without a name that lies in memory. It goes with the last process
  /// that has it.
  struct File {
    int descriptor;
    int64_t bytes;
  };

  /// Null if there is not so much memory.
  void *mapFile(int64_t bytes) {
    int descriptor = memfd_create("attn-bench", MFD_CLOEXEC);
    if (descriptor < 0)
      return nullptr;
    void *memory = MAP_FAILED;
    if (ftruncate(descriptor, bytes) == 0)
      memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                    descriptor, 0);
    if (memory == MAP_FAILED) {
      close(descriptor);
      return nullptr;
    }
    // Ordinary memory would come in large pages as well.
    madvise(memory, bytes, MADV_HUGEPAGE);
    files[static_cast<char *>(memory)] = {descriptor, bytes};
    return memory;
  }

  bool shareable = false;
  std::map<const char *, File> files; ///< by address

  static Result<void> timeOnce(const std::function<Result<void>()> &work,
                               double &seconds) {
    using Clock = std::chrono::steady_clock;
    Clock::time_point start = Clock::now();
    Result<void> ran = work();
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return ran;
  }
};
} // namespace

std::unique_ptr<Device> attn::bench::createCPUDevice() {
  return std::make_unique<CPUDevice>();
}
