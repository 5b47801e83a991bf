// See Entry.h.
#include "attn/Cache/Entry.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"

using namespace attn;
using namespace attn::cache;

/// The number is that of the format.
static constexpr std::string_view magic = "attn-cache 1\nkind ";
static constexpr std::string_view suffix = ".attn";
static constexpr size_t digits = 64;

const char *cache::toString(Kind kind) {
  static constexpr const char *names[] = {"cpu", "ptx", "cubin", "time"};
  return names[static_cast<size_t>(kind)];
}

std::string cache::digestOf(std::string_view bytes) {
  auto hash = llvm::BLAKE3::hash<32>(llvm::arrayRefFromStringRef(bytes));
  return llvm::toHex(hash, /*LowerCase=*/true);
}

std::string cache::fileNameOf(Kind kind, std::string_view key) {
  return digestOf(toString(kind) + (" " + std::string(key))) +
         std::string(suffix);
}

bool cache::isFileName(std::string_view name) {
  return name.size() == digits + suffix.size() &&
         name.substr(digits) == suffix &&
         name.find_first_not_of("0123456789abcdef") == digits;
}

static constexpr std::string_view temporaryPrefix = ".attn-tmp";

std::string cache::temporaryName(int64_t process, int64_t number,
                                 int64_t time) {
  std::string name(temporaryPrefix);
  for (int64_t part : {process, number, time})
    name += "-" + std::to_string(part);
  return name;
}

bool cache::isTemporaryName(std::string_view name) {
  if (name.substr(0, temporaryPrefix.size()) != temporaryPrefix)
    return false;
  name.remove_prefix(temporaryPrefix.size());
  int parts = 0;
  while (!name.empty() && name.front() == '-') {
    name.remove_prefix(1);
    size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
    if (digits == 0)
      return false;
    name.remove_prefix(digits);
    ++parts;
  }
  return name.empty() && parts == 3;
}

/// All before the key.
static std::string headerOf(Kind kind, std::string_view key,
                            std::string_view payload) {
  return std::string(magic) + toString(kind) + "\nkey " +
         std::to_string(key.size()) + "\npayload " +
         std::to_string(payload.size()) + " " + digestOf(payload) + "\n";
}

std::string cache::encode(Kind kind, std::string_view key,
                          std::string_view payload) {
  std::string file = headerOf(kind, key, payload);
  file.reserve(file.size() + key.size() + payload.size());
  file += key;
  file += payload;
  return file;
}

/// There is one file for a kind, a key and a payload, so that nothing has to be
/// parsed: the payload is what is behind the key, and the rest is as expected
/// or it is not.
std::optional<std::string_view> cache::decode(std::string_view file, Kind kind,
                                              std::string_view key) {
  static constexpr std::string_view beforePayload = "\npayload ";
  size_t place = file.substr(0, magic.size() + kindBytes).find(beforePayload);
  if (place == file.npos)
    return std::nullopt;
  size_t end = file.find('\n', place + beforePayload.size());
  if (end == file.npos || file.size() - end - 1 < key.size())
    return std::nullopt;
  std::string_view payload = file.substr(end + 1 + key.size());
  if (file.substr(0, end + 1) != headerOf(kind, key, payload) ||
      file.substr(end + 1, key.size()) != key)
    return std::nullopt;
  return payload;
}

std::optional<Kind> cache::kindOf(std::string_view beginning) {
  if (beginning.substr(0, magic.size()) != magic)
    return std::nullopt;
  std::string_view rest = beginning.substr(magic.size());
  std::string_view name = rest.substr(0, rest.find('\n'));
  for (Kind kind : kinds)
    if (name == toString(kind))
      return kind;
  return std::nullopt;
}
