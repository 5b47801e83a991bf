// See LoadedObject.h.
#include "attn/Runtime/LoadedObject.h"

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

Result<std::shared_ptr<const LoadedObject>>
LoadedObject::load(const std::string &code) {
  int file = memfd_create("attn-kernels", MFD_CLOEXEC);
  if (file >= 0) {
    std::string path = "/proc/self/fd/" + std::to_string(file);
    if (void *handle = writeAll(file, code) ? open(path) : nullptr)
      return std::shared_ptr<const LoadedObject>(
          new LoadedObject(handle, file));
    close(file);
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
  return std::shared_ptr<const LoadedObject>(new LoadedObject(handle, -1));
}

LoadedObject::~LoadedObject() {
  dlclose(handle);
  if (file >= 0)
    close(file);
}

void *LoadedObject::find(const std::string &symbol) const {
  return dlsym(handle, symbol.c_str());
}
