// See LoadedObject.h.
#include "attn/Runtime/LoadedObject.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace attn;

static bool writeAll(int file, const std::string &bytes) {
  for (size_t done = 0; done < bytes.size();) {
    ssize_t count = write(file, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

static void *open(const std::string &path) {
  return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
}

/// A path to an open file by which no other object was loaded: the loader knows
/// objects by their paths, and would take the next file of the same number for
/// this one. Components `.` and empty ones, which lead nowhere, count.
static std::string pathOf(int file) {
  static std::atomic<uint32_t> loaded;
  std::string path = "/proc/self/fd/";
  for (uint32_t bits = loaded++; bits; bits >>= 1)
    path += bits & 1 ? "./" : "/";
  return path + std::to_string(file);
}

Result<std::shared_ptr<const LoadedObject>>
LoadedObject::load(const std::string &code) {
  int file = memfd_create("attn-kernels", MFD_CLOEXEC);
  if (file >= 0) {
    void *handle = writeAll(file, code) ? open(pathOf(file)) : nullptr;
    close(file);
    if (handle)
      return std::shared_ptr<const LoadedObject>(new LoadedObject(handle));
  }
  return loadThroughFile(code);
}

Result<std::shared_ptr<const LoadedObject>>
LoadedObject::loadThroughFile(const std::string &code) {
  const char *folder = std::getenv("TMPDIR");
  std::string path =
      std::string(folder && *folder ? folder : "/tmp") + "/attn-kernels-XXXXXX";
  int file = mkstemp(path.data());
  bool isWritten = file >= 0 && writeAll(file, code);
  std::string why = "cannot write " + path + ": " + std::strerror(errno);
  if (file >= 0)
    close(file);
  void *handle = isWritten ? open(path) : nullptr;
  if (isWritten && !handle)
    if (const char *text = dlerror())
      why = text;
  if (file >= 0)
    unlink(path.c_str());
  if (!handle)
    return Error{"the code cannot be loaded: " + why};
  return std::shared_ptr<const LoadedObject>(new LoadedObject(handle));
}

LoadedObject::~LoadedObject() { dlclose(handle); }

void *LoadedObject::find(const std::string &symbol) const {
  return dlsym(handle, symbol.c_str());
}
