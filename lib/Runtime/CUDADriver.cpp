// Finds the CUDA driver at run time and fills the table of its entry points.
// Linking against libcuda instead would keep every tool from starting on a
// machine without a GPU.
#include "attn/Runtime/CUDADriver.h"

#include "attn/Support/Try.h"

#include <dlfcn.h>

using namespace attn;
using namespace attn::cuda;

static constexpr const char *kLibrary = "libcuda.so.1";

Result<void> Driver::check(Status status, const char *call) const {
  if (status == kSuccess)
    return {};
  const char *text = nullptr, *name = nullptr;
  if (getErrorString(status, &text) != kSuccess || !text)
    text = "unknown error";
  if (getErrorName(status, &name) != kSuccess || !name)
    return Error{std::string(call) + ": " + text + " (error " +
                 std::to_string(status) + ")"};
  return Error{std::string(call) + ": " + text + " (" + name + ")"};
}

/// The library stays loaded until the process ends: the driver runs threads.
static Result<Driver> load() {
  void *library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    return Error{std::string("no CUDA driver: ") + (why ? why : kLibrary)};
  }
  Driver table{};
#define ATTN_CUDA_ENTRY(member, symbol, parameters)                            \
  table.member =                                                               \
      reinterpret_cast<decltype(table.member)>(dlsym(library, #symbol));       \
  if (!table.member)                                                           \
    return Error{"the CUDA driver is too old: " + std::string(kLibrary) +      \
                 " has no '" #symbol "'"};
#include "attn/Runtime/CUDADriver.def"

  if (Result<void> ok = table.check(table.init(0), "cuInit"); !ok)
    return Error{"no usable GPU: " + ok.error()};
  int count = 0;
  ATTN_TRY(table.check(table.deviceGetCount(&count), "cuDeviceGetCount"));
  if (count == 0)
    return Error{"no usable GPU: the CUDA driver reports 0 devices"};
  return table;
}

Result<const Driver *> cuda::driver() {
  static const Result<Driver> loaded = load();
  ATTN_TRY(loaded);
  return &*loaded;
}
