// See KernelImage.h.
#include "attn/Runtime/KernelImage.h"

#include "attn/Runtime/SavedText.h"

#include <iterator>

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
    if (entry.isDependent)
      body += "dependent\n";
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

class Reader {
public:
  explicit Reader(std::string_view bytes) : lines(bytes) {}

  Result<KernelImage> read() {
    Words first(lines.next());
    int64_t found = 0;
    if (!first.keyword("attn-image") || !first.number(found))
      return Error{"this is no image of a kernel"};
    if (found != version)
      return Error{"expects an image of version " + std::to_string(version) +
                   ", got " + std::to_string(found)};
    Words second(lines.next());
    if (!second.keyword("checksum") || second.all() != checksumOf(lines.rest()))
      return Error{"the image is not whole: its checksum differs"};
    do {
      std::string_view text = lines.next();
      if (!readLine(text))
        return Error{"line " + std::to_string(lines.number()) +
                     " of the image means nothing: '" + std::string(text) +
                     "'"};
    } while (!hasCode);
    return std::move(image);
  }

private:
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
    if (keyword == "dependent") {
      entry.isDependent = true;
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
        static_cast<uint64_t>(size) != lines.rest().size())
      return false;
    for (size_t i = 0; i < std::size(codeNames); ++i)
      if (kind == codeNames[i]) {
        image.kind = static_cast<KernelImage::Code>(i);
        image.code = lines.rest();
        return hasCode = true;
      }
    return false;
  }

  Lines lines;
  KernelImage image;
  bool hasCode = false;
};

} // namespace

Result<KernelImage> KernelImage::load(std::string_view bytes) {
  return Reader(bytes).read();
}
