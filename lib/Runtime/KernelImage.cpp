// See KernelImage.h.
#include "attn/Runtime/KernelImage.h"

#include <charconv>

using namespace attn;

static constexpr std::string_view magic = "attn-image ";
static constexpr int64_t version = 2;
static constexpr const char *codeNames[] = {"ptx", "cubin", "shared-object"};

const KernelEntry *KernelImage::find(std::string_view name) const {
  for (const KernelEntry &entry : entries)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

/// http://www.isthe.com/chongo/tech/comp/fnv
static std::string checksumOf(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (char byte : bytes)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; hash >>= 4)
    text[i] = "0123456789abcdef"[hash & 15];
  return text;
}

//===--- saving -----------------------------------------------------------===//

static std::string textOf(const Parameter &parameter) {
  std::string text = "parameter " + toString(parameter.name);
  switch (parameter.kind) {
  case Parameter::Kind::Memory:
    return text + " memory " + std::to_string(parameter.rank);
  case Parameter::Kind::Scalar:
    return text + " scalar";
  case Parameter::Kind::TensorMap:
    return text + " of " + toString(parameter.of) + " rows " +
           std::to_string(parameter.rows);
  }
  return text;
}

std::string KernelImage::save() const {
  std::string body = "target " + target + "\n";
  if (!features.empty()) {
    body += "features";
    for (const std::string &feature : features)
      body += " " + feature;
    body += "\n";
  }
  for (const KernelEntry &entry : entries) {
    auto number = [&](const char *keyword, int64_t value) {
      if (value)
        body += std::string(keyword) + " " + std::to_string(value) + "\n";
    };
    body += "kernel " + entry.name + "\n";
    if (!entry.taskCount.empty())
      body += "task-count " + entry.taskCount + "\n";
    number("threads", entry.threads);
    number("shared-bytes", entry.sharedBytes);
    number("registers", entry.registers);
    number("spilled-bytes", entry.spilledBytes);
    if (entry.queryTile)
      body += "tiles " + std::to_string(entry.queryTile) + " " +
              std::to_string(entry.keyTile) + "\n";
    if (entry.packsHeads)
      body += "packs-heads\n";
    if (entry.chunk)
      body += "chunk " + std::to_string(entry.chunk) + "\n";
    if (!entry.schedule.empty())
      body += "schedule " + entry.schedule + "\n";
    for (const Parameter &parameter : entry.signature)
      body += textOf(parameter) + "\n";
  }
  body += std::string("code ") + codeNames[static_cast<size_t>(kind)] + " " +
          std::to_string(code.size()) + "\n" + code;
  return std::string(magic) + std::to_string(version) + "\nchecksum " +
         checksumOf(body) + "\n" + body;
}

//===--- loading ----------------------------------------------------------===//

namespace {

/// The words of one line.
class Words {
public:
  explicit Words(std::string_view line) : rest(line) {}

  std::string_view next() {
    size_t end = rest.find(' ');
    std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    return word;
  }
  /// A number that is not negative.
  bool number(int64_t &value) {
    std::string_view word = next();
    auto [end, error] =
        std::from_chars(word.data(), word.data() + word.size(), value);
    return error == std::errc() && end == word.data() + word.size() &&
           !word.empty() && value >= 0;
  }
  bool keyword(std::string_view expected) { return next() == expected; }
  /// A role, and its number if it has one.
  bool role(RoleName &name) {
    std::optional<Role> role = roleNamed(next());
    if (!role)
      return false;
    name.role = *role;
    return !isNumbered(*role) || number(name.number);
  }
  std::string_view all() { return rest; }
  bool atEnd() const { return rest.empty(); }

private:
  std::string_view rest;
};

class Reader {
public:
  explicit Reader(std::string_view bytes) : bytes(bytes) {}

  Result<KernelImage> read() {
    Words first(line());
    int64_t found = 0;
    if (!first.keyword("attn-image") || !first.number(found))
      return Error{"this is no image of a kernel"};
    if (found != version)
      return Error{"expects an image of version " + std::to_string(version) +
                   ", got " + std::to_string(found)};
    Words second(line());
    if (!second.keyword("checksum") || second.all() != checksumOf(bytes))
      return Error{"the image is not whole: its checksum differs"};
    do {
      std::string_view text = line();
      if (!readLine(text))
        return Error{"line " + std::to_string(number) +
                     " of the image means nothing: '" + std::string(text) +
                     "'"};
    } while (!hasCode);
    return std::move(image);
  }

private:
  std::string_view line() {
    ++number;
    size_t end = bytes.find('\n');
    std::string_view text = bytes.substr(0, end);
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
    return text;
  }

  bool readLine(std::string_view text) {
    Words words(text);
    std::string_view keyword = words.next();
    if (keyword == "target") {
      image.target = words.all();
      return true;
    }
    if (keyword == "features") {
      while (!words.atEnd())
        image.features.emplace_back(words.next());
      return !image.features.empty();
    }
    if (keyword == "kernel") {
      image.entries.emplace_back();
      image.entries.back().name = words.all();
      return !words.all().empty();
    }
    if (keyword == "code")
      return readCode(words);
    if (image.entries.empty())
      return false;
    KernelEntry &entry = image.entries.back();
    if (keyword == "schedule") {
      entry.schedule = words.all();
      return true;
    }
    if (keyword == "task-count") {
      entry.taskCount = words.all();
      return !entry.taskCount.empty();
    }
    if (keyword == "packs-heads") {
      entry.packsHeads = true;
      return words.atEnd();
    }
    if (keyword == "parameter") {
      entry.signature.emplace_back();
      return readParameter(words, entry.signature.back());
    }
    bool read = keyword == "threads"         ? words.number(entry.threads)
                : keyword == "chunk"         ? words.number(entry.chunk)
                : keyword == "shared-bytes"  ? words.number(entry.sharedBytes)
                : keyword == "registers"     ? words.number(entry.registers)
                : keyword == "spilled-bytes" ? words.number(entry.spilledBytes)
                : keyword == "tiles"         ? words.number(entry.queryTile) &&
                                           words.number(entry.keyTile)
                                     : false;
    return read && words.atEnd();
  }

  static bool readParameter(Words &words, Parameter &parameter) {
    if (!words.role(parameter.name))
      return false;
    std::string_view kind = words.next();
    if (kind == "memory")
      return words.number(parameter.rank) && parameter.rank <= 64 &&
             words.atEnd();
    if (kind == "scalar") {
      parameter.kind = Parameter::Kind::Scalar;
      return words.atEnd();
    }
    parameter.kind = Parameter::Kind::TensorMap;
    return kind == "of" && words.role(parameter.of) && words.keyword("rows") &&
           words.number(parameter.rows) && words.atEnd();
  }

  bool readCode(Words &words) {
    std::string_view kind = words.next();
    int64_t size = 0;
    if (!words.number(size) || !words.atEnd() ||
        static_cast<uint64_t>(size) != bytes.size())
      return false;
    for (size_t i = 0; i < std::size(codeNames); ++i)
      if (kind == codeNames[i]) {
        image.kind = static_cast<KernelImage::Code>(i);
        image.code = bytes;
        return hasCode = true;
      }
    return false;
  }

  std::string_view bytes; ///< what is not read yet
  int64_t number = 0;     ///< of the line
  KernelImage image;
  bool hasCode = false;
};

} // namespace

Result<KernelImage> KernelImage::load(std::string_view bytes) {
  return Reader(bytes).read();
}
