// From the PTX of an image to a cubin, by ptxas. See EmitPTX.h.
#include "attn/Target/PTX/EmitPTX.h"

#include "../TemporaryFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"

#include <cstdlib>

using namespace mlir;
using namespace mlir::attn;
using ::attn::KernelEntry;
using ::attn::KernelImage;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static llvm::Expected<std::string> findProgram(StringRef name) {
  constexpr const char *toolkit = "/usr/local/cuda/bin";
  if (auto found = llvm::sys::findProgramByName(name))
    return *found;
  if (auto found = llvm::sys::findProgramByName(name, {toolkit}))
    return *found;
  return makeError("expects '" + name + "' on the PATH or in " + toolkit);
}

/// Registers and spills, of which ptxas -v says something like
///
///   ptxas info    : Function properties for attention
///       16 bytes stack frame, 16 bytes spill stores, 16 bytes spill loads
///   ptxas info    : Used 168 registers, used 16 barriers
static void readFigures(StringRef log, KernelImage &image) {
  KernelEntry *entry = nullptr;
  auto numberBefore = [](StringRef line, StringRef what) {
    int64_t number = 0;
    StringRef text = line.take_front(line.find(what)).rtrim();
    text.substr(text.find_last_of(" ,") + 1).getAsInteger(10, number);
    return number;
  };
  for (StringRef line : llvm::split(log, '\n')) {
    if (line.contains("Function properties for ")) {
      StringRef name = line.split("Function properties for ").second.trim();
      entry = nullptr;
      for (KernelEntry &known : image.entries)
        if (known.name == name)
          entry = &known;
    }
    if (entry && line.contains("bytes spill stores"))
      entry->spilledBytes = numberBefore(line, "bytes spill stores");
    if (entry && line.contains("Used ") && line.contains(" registers"))
      entry->registers = numberBefore(line, "registers");
  }
}

/// Runs ptxas, whose words go to `log`.
static llvm::Error run(StringRef ptxas, StringRef chip,
                       const TemporaryFile &ptx, const TemporaryFile &cubin,
                       const TemporaryFile &log) {
  llvm::Expected<std::string> program = findProgram(ptxas);
  if (!program)
    return program.takeError();
  std::string arch = ("-arch=" + chip).str(), why;
  StringRef arguments[] = {*program,      "-v", arch,
                           ptx.getPath(), "-o", cubin.getPath()};
  std::optional<StringRef> streams[] = {"", log.getPath(), log.getPath()};
  if (llvm::sys::ExecuteAndWait(*program, arguments, std::nullopt, streams,
                                /*SecondsToWait=*/0, /*MemoryLimit=*/0,
                                &why) == 0)
    return llvm::Error::success();
  llvm::Expected<std::string> text = log.read();
  if (!text)
    return text.takeError();
  return makeError("ptxas failed for " + chip + ": " +
                   (why.empty() ? *text : why));
}

llvm::Error mlir::attn::assembleImage(KernelImage &image, StringRef program) {
  auto ptx = TemporaryFile::create("ptx"), cubin = TemporaryFile::create("o"),
       log = TemporaryFile::create("log");
  for (llvm::Expected<TemporaryFile> *file : {&ptx, &cubin, &log})
    if (!*file)
      return file->takeError();
  if (llvm::Error error = ptx->write(image.code))
    return error;
  if (llvm::Error error = run(program, image.target, *ptx, *cubin, *log))
    return error;
  llvm::Expected<std::string> text = log->read(), code = cubin->read();
  if (!text)
    return text.takeError();
  if (!code)
    return code.takeError();
  readFigures(*text, image);
  image.kind = KernelImage::Code::Cubin;
  image.code = std::move(*code);
  return llvm::Error::success();
}

std::optional<Assembler> mlir::attn::findAssembler() {
  const char *named = std::getenv("ATTN_PTXAS");
  StringRef name = named && *named ? named : "ptxas";
  llvm::Expected<std::string> path = findProgram(name);
  llvm::sys::fs::file_status status;
  if (name == "off" || !path || llvm::sys::fs::status(*path, status)) {
    if (!path)
      llvm::consumeError(path.takeError());
    return std::nullopt;
  }
  auto age = status.getLastModificationTime().time_since_epoch().count();
  return Assembler{*path, *path + " " + std::to_string(status.getSize()) +
                              " bytes " + std::to_string(age)};
}
