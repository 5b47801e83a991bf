// See BuildId.h.
#include "attn/Cache/BuildId.h"

#include "File.h"

#include "attn/Cache/Entry.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"

#include <cstring>
#include <fcntl.h>
#include <limits>
#include <link.h>
#include <set>

using namespace attn;
using namespace attn::cache;

namespace {
/// A file that is loaded.
struct Image {
  uintptr_t address = 0; ///< which it holds
  bool found = false;
  std::string path; ///< empty: the program's own
  std::string note; ///< its build id, in hexadecimal digits
};
} // namespace

/// The build id among the notes of a segment; empty if there is none.
static std::string idIn(const char *notes, size_t bytes) {
  auto padded = [](size_t size) { return (size + 3) & ~size_t(3); };
  while (bytes >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header;
    std::memcpy(&header, notes, sizeof(header));
    size_t name = padded(header.n_namesz), value = padded(header.n_descsz);
    if (sizeof(header) + name + value > bytes)
      break;
    const char *owner = notes + sizeof(header);
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
        !std::memcmp(owner, "GNU", 4))
      return llvm::toHex(llvm::StringRef(owner + name, header.n_descsz), true);
    notes += sizeof(header) + name + value;
    bytes -= sizeof(header) + name + value;
  }
  return "";
}

static int look(dl_phdr_info *info, size_t, void *data) {
  Image &image = *static_cast<Image *>(data);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = info->dlpi_phdr[i];
    uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    image.found |= segment.p_type == PT_LOAD && begin <= image.address &&
                   image.address < begin + segment.p_memsz;
  }
  if (!image.found)
    return 0;
  image.path = info->dlpi_name ? info->dlpi_name : "";
  for (int i = 0; i < info->dlpi_phnum && image.note.empty(); ++i) {
    const ElfW(Phdr) &segment = info->dlpi_phdr[i];
    uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_NOTE)
      image.note = idIn(reinterpret_cast<const char *>(begin), segment.p_memsz);
  }
  return 1;
}

std::string cache::buildIdAt(const void *address) {
  Image image;
  image.address = reinterpret_cast<uintptr_t>(address);
  ::dl_iterate_phdr(look, &image);
  if (!image.found || !image.note.empty())
    return image.note;
  std::string path = image.path.empty() ? "/proc/self/exe" : image.path;
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file)
    return "";
  Result<std::string> bytes = file.read(std::numeric_limits<int64_t>::max());
  return bytes ? digestOf(*bytes) : "";
}

/// Of functions of this project, of MLIR and of LLVM, wherever they are.
static std::string idsOfCompiler() {
  static const char own = 0;
  std::set<std::string> ids; // one file may have all of it
  auto mlirFunction = &mlir::MLIRContext::getLoadedDialects;
  auto llvmFunction = &llvm::BLAKE3::init;
  const void *inMLIR = nullptr, *inLLVM = nullptr;
  std::memcpy(&inMLIR, &mlirFunction, sizeof(inMLIR));
  std::memcpy(&inLLVM, &llvmFunction, sizeof(inLLVM));
  for (const void *address : {static_cast<const void *>(&own), inMLIR, inLLVM})
    ids.insert(buildIdAt(address));
  std::string all;
  for (const std::string &id : ids) {
    if (id.empty())
      return "";
    all += (all.empty() ? "" : " ") + id;
  }
  return all;
}

const std::string &cache::buildId() {
  static const std::string id = idsOfCompiler();
  return id;
}
