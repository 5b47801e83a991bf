// From an object file to a shared object that the system's loader takes, by
// LLVM's linker. See EmitObject.h.
#include "attn/Target/Object/EmitObject.h"

#include "../TemporaryFile.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

#include <dlfcn.h>
#include <link.h>

LLD_HAS_DRIVER(elf)

/// What lld calls in place of llvm::cl::ResetAllOptionOccurrences, by which the
/// options of the program that it is part of would be lost (cmake/LLD.cmake).
extern "C" void __wrap__ZN4llvm2cl25ResetAllOptionOccurrencesEv() {}

using namespace mlir;
using namespace mlir::attn;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Where the libraries are that generated code may call: those of C, and GCC's,
/// which has the conversions of f16 for CPUs without an instruction.
static const std::vector<std::string> &runtimeLibraries() {
  static const std::vector<std::string> paths = [] {
    std::vector<std::string> found;
    for (const char *name : {"libm.so.6", "libc.so.6", "libgcc_s.so.1"}) {
      void *handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
      link_map *map = nullptr;
      if (handle && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0)
        found.push_back(map->l_name);
    }
    return found;
  }();
  return paths;
}

/// The linker's first complaint, without its name.
static llvm::Error linkError(StringRef messages) {
  StringRef line = messages.split('\n').first;
  line.consume_front("ld.lld: error: ");
  return makeError("the code cannot be linked: " + line);
}

/// Runs lld, of which a process has one.
static llvm::Error link(ArrayRef<const char *> arguments) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result =
      lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}});
  return result.retCode == 0 ? llvm::Error::success() : linkError(messages);
}

llvm::Expected<std::string> mlir::attn::linkObject(StringRef object) {
  auto input = TemporaryFile::create("o"), output = TemporaryFile::create("so");
  for (llvm::Expected<TemporaryFile> *file : {&input, &output})
    if (!*file)
      return file->takeError();
  if (llvm::Error error = input->write(object))
    return std::move(error);
  // Nothing of the paths, the time or the machine is in the result; a symbol
  // that no library has is an error here (-z defs).
  static constexpr const char *options[] = {
      "ld.lld",          "-shared", "--threads=1", "--strip-all",
      "--build-id=none", "-z",      "defs",        "--hash-style=gnu"};
  std::vector<const char *> arguments(std::begin(options), std::end(options));
  for (const char *argument : {"-o", output->getPath().c_str(),
                               input->getPath().c_str(), "--as-needed"})
    arguments.push_back(argument);
  for (const std::string &library : runtimeLibraries())
    arguments.push_back(library.c_str());
  if (llvm::Error error = link(arguments))
    return std::move(error);
  return output->read();
}
