// Packages as bytes, and back. See PackageImpl.h for what they look like.
#include "PackageImpl.h"

#include "attn/Runtime/SavedText.h"

#include <cstring>
#include <iterator>

using namespace attn;

static constexpr std::string_view magic = "attn-package ";
static constexpr int64_t version = 2;

static constexpr ElementType types[] = {
    ElementType::F32, ElementType::F16, ElementType::BF16, ElementType::F64,
    ElementType::I32, ElementType::I64, ElementType::I16,  ElementType::I8,
    ElementType::U8,  ElementType::Bool};

namespace {
/// What a spec either asks for or not.
struct Word {
  const char *name;
  bool KernelSpec::*flag;
};
} // namespace

static constexpr Word words[] = {
    {"lse", &KernelSpec::lse},
    {"aligned", &KernelSpec::aligned},
    {"portable", &KernelSpec::portable},
    {"exact", &KernelSpec::exact},
    {"deterministic", &KernelSpec::deterministic},
    {"ragged-queries", &KernelSpec::raggedQueries},
    {"ragged-keys", &KernelSpec::raggedKeys},
    {"paged", &KernelSpec::paged},
    {"strided-captures", &KernelSpec::stridedCaptures},
    {"invariant", &KernelSpec::invariant},
    {"checked", &KernelSpec::checked}};

static constexpr const char *groupNames[] = {"lists", "transposed", "pairs"};

const char *attn::toString(TileGroup group) {
  return groupNames[static_cast<size_t>(group)];
}

std::optional<TileGroup> attn::tileGroupNamed(std::string_view name) {
  for (size_t i = 0; i < tileGroups; ++i)
    if (name == groupNames[i])
      return static_cast<TileGroup>(i);
  return std::nullopt;
}

//===--- saving -----------------------------------------------------------===//

static std::string bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return std::to_string(bits);
}

static std::string join(std::initializer_list<int64_t> numbers) {
  std::string text;
  for (int64_t number : numbers)
    text += " " + std::to_string(number);
  return text;
}

static const char *kindOf(const CaptureInfo &capture) {
  return capture.isQueryOffset ? "query-offset"
         : capture.isLengths   ? "lengths"
                               : "-";
}

static std::string textOf(const KernelSpec &spec) {
  std::string text = std::string("type ") + toString(spec.type) +
                     "\ndimensions" + join({spec.headDim, spec.valueDim}) +
                     "\n";
  if (spec.scale)
    text += "scale " + bitsOf(*spec.scale) + "\n";
  text += "has";
  for (const Word &word : words)
    if (spec.*word.flag)
      text += std::string(" ") + word.name;
  text += "\nshares " + std::to_string(spec.shares) + "\n";
  if (!spec.schedule.empty())
    text += "given-schedule " + escaped(spec.schedule) + "\n";
  return text;
}

static std::string textOf(const KernelImage &image) {
  std::string bytes = image.save();
  return "image " + std::to_string(bytes.size()) + "\n" + bytes + "\n";
}

static std::string textOf(const VariantImages &variant) {
  std::string text = "schedule " + escaped(variant.schedule) + "\n";
  for (const CaptureSumPlan &sum : variant.sums)
    text += "sum" +
            join({sum.capture, sum.isCarried, sum.ownsKeys, sum.ownTile,
                  sum.copies, sum.ownsBatch, sum.ownsHead, sum.ownsRows}) +
            "\n";
  for (const KernelImage &image : variant.images)
    text += textOf(image);
  return text;
}

static std::string textOf(const PackagedKernels &kernels, const char *name) {
  std::string text = std::string("kernels ") + name + "\n";
  for (int64_t number : kernels.description.wrt)
    text += "wrt " + std::to_string(number) + "\n";
  for (size_t i = 0; i < kernels.variants.size(); ++i)
    text += "variant " + toString(kernels.description.plan[i]) + "\n" +
            textOf(kernels.variants[i]);
  for (const PackagedTiles &tiles : kernels.tiles)
    text += std::string("tiles ") + toString(tiles.group) +
            join({tiles.queryTile, tiles.keyTile}) + "\n" + textOf(tiles.image);
  return text;
}

std::string KernelPackage::save() const {
  const KernelDescription &of = pimpl->forward.description;
  std::string body = "made " + pimpl->made + "\nmod " + escaped(pimpl->mod) +
                     "\n" + textOf(of.spec);
  for (const CaptureInfo &capture : of.captures)
    body += std::string("capture ") + toString(capture.type) +
            join({capture.rank, capture.isScalar}) + " " + kindOf(capture) +
            " " + escaped(capture.name) + "\n";
  const MaskFacts &mask = of.mask;
  body += "mask" +
          join({mask.readsBatch, mask.readsHead, mask.queryParts, mask.keyParts,
                mask.hasQueryClasses, mask.hasKeyClasses}) +
          "\n" + textOf(pimpl->forward, "forward");
  if (pimpl->gradients)
    body += textOf(*pimpl->gradients, "gradients");
  body += "end\n";
  return std::string(magic) + std::to_string(version) + "\nchecksum " +
         checksumOf(body) + "\n" + body;
}

//===--- loading ----------------------------------------------------------===//

static std::optional<ElementType> typeNamed(std::string_view name) {
  for (ElementType type : types)
    if (name == toString(type))
      return type;
  return std::nullopt;
}

/// As toString() writes it, such as few_rounds(64, 128, 50).
static bool readCondition(std::string_view text, Guard &guard) {
  size_t open = text.find('(');
  std::optional<Condition::Kind> kind =
      conditionNamed(std::string(text.substr(0, open)));
  if (!kind)
    return false;
  Condition condition{*kind};
  if (open != text.npos) {
    if (text.back() != ')')
      return false;
    std::string numbers(text.substr(open + 1, text.size() - open - 2));
    for (size_t comma; (comma = numbers.find(',')) != numbers.npos;)
      numbers.erase(comma, 1);
    for (Words all(numbers); !all.atEnd();)
      if (!all.number(condition.numbers.emplace_back()))
        return false;
  }
  guard.conditions.push_back(condition);
  return condition.numbers.size() == numberCount(*kind);
}

static bool readGuard(std::string_view text, Guard &guard) {
  if (text == "always")
    return true;
  constexpr std::string_view separator = " and ";
  while (true) {
    size_t end = text.find(separator);
    if (!readCondition(text.substr(0, end), guard))
      return false;
    if (end == text.npos)
      return true;
    text.remove_prefix(end + separator.size());
  }
}

namespace {

class Reader {
public:
  explicit Reader(std::string_view bytes) : lines(bytes) {}

  Result<std::shared_ptr<const KernelPackage::Impl>> read() {
    Words first(lines.next());
    int64_t found = 0;
    if (!first.keyword("attn-package") || !first.number(found))
      return Error{"this is no package of kernels"};
    if (found != version)
      return Error{"expects a package of version " + std::to_string(version) +
                   ", got " + std::to_string(found)};
    Words second(lines.next());
    if (!second.keyword("checksum") || second.all() != checksumOf(lines.rest()))
      return Error{"the package is not whole: its checksum differs"};
    while (!ended) {
      std::string_view line = lines.next();
      if (!readLine(line))
        return Error{why.empty() ? "line " + std::to_string(lines.number()) +
                                       " of the package means nothing: '" +
                                       std::string(line) + "'"
                                 : why};
    }
    for (PackagedKernels *kernels :
         {&package.forward, package.gradients ? &*package.gradients : nullptr})
      if (kernels)
        complete(*kernels);
    return std::make_shared<const KernelPackage::Impl>(std::move(package));
  }

private:
  bool readLine(std::string_view line) {
    Words rest(line);
    std::string_view keyword = rest.next();
    if (keyword == "image")
      return readImage(rest);
    if (keyword == "end")
      return ended = current && isComplete(package.forward) &&
                     (!package.gradients || isComplete(*package.gradients));
    return current ? readKernels(keyword, rest) : readHead(keyword, rest);
  }

  bool readHead(std::string_view keyword, Words &rest) {
    if (keyword == "made") {
      package.made = rest.all();
      spec.target = package.made == "cpu" ? Target::CPU : Target::CUDA;
      return !package.made.empty();
    }
    if (keyword == "mod")
      return readText(rest, package.mod);
    if (keyword == "type")
      return readType(rest.next(), spec.type);
    if (keyword == "dimensions")
      return rest.number(spec.headDim) && rest.number(spec.valueDim);
    if (keyword == "scale")
      return readScale(rest);
    if (keyword == "has")
      return readWords(rest);
    if (keyword == "shares")
      return rest.number(spec.shares);
    if (keyword == "given-schedule")
      return readText(rest, spec.schedule);
    if (keyword == "capture")
      return readCapture(rest);
    if (keyword == "mask")
      return readMask(rest);
    return keyword == "kernels" && beginKernels(rest.all());
  }

  bool readKernels(std::string_view keyword, Words &rest) {
    if (keyword == "kernels")
      return beginKernels(rest.all());
    if (keyword == "wrt") {
      int64_t number = 0;
      bool read =
          rest.number(number) && number < static_cast<int64_t>(captures.size());
      return current->description.wrt.push_back(number), read;
    }
    if (keyword == "variant") {
      images = &current->variants.emplace_back().images;
      return readGuard(rest.all(), current->description.plan.emplace_back());
    }
    if (keyword == "tiles")
      return readTiles(rest);
    if (current->variants.empty())
      return false;
    VariantImages &variant = current->variants.back();
    if (keyword == "schedule")
      return readText(rest, variant.schedule);
    return keyword == "sum" && readSum(rest, variant.sums.emplace_back());
  }

  bool beginKernels(std::string_view name) {
    if (name == "forward")
      current = &package.forward;
    else if (name == "gradients")
      current = &package.gradients.emplace();
    else
      return false;
    images = nullptr, tileImage = nullptr;
    return true;
  }

  static bool readText(Words &rest, std::string &text) {
    std::optional<std::string> read = unescaped(rest.all());
    if (read)
      text = std::move(*read);
    return read.has_value();
  }

  static bool readType(std::string_view name, ElementType &type) {
    std::optional<ElementType> named = typeNamed(name);
    if (named)
      type = *named;
    return named.has_value();
  }

  bool readScale(Words &rest) {
    int64_t number = 0;
    if (!rest.number(number) || number > UINT32_MAX)
      return false;
    auto bits = static_cast<uint32_t>(number);
    std::memcpy(&spec.scale.emplace(), &bits, sizeof bits);
    return true;
  }

  bool readWords(Words &rest) {
    for (const Word &word : words)
      spec.*word.flag = false;
    while (!rest.atEnd()) {
      std::string_view name = rest.next();
      const Word *found = std::begin(words);
      while (found != std::end(words) && name != found->name)
        ++found;
      if (found == std::end(words))
        return false;
      spec.*found->flag = true;
    }
    return true;
  }

  bool readCapture(Words &rest) {
    CaptureInfo &capture = captures.emplace_back();
    int64_t rank = 0;
    bool read = readType(rest.next(), capture.type) && rest.number(rank) &&
                rank <= 64 && readFlag(rest, capture.isScalar);
    capture.rank = static_cast<int>(rank);
    std::string_view kind = rest.next();
    capture.isQueryOffset = kind == "query-offset";
    capture.isLengths = kind == "lengths";
    read &= readText(rest, capture.name);
    return read && kind == kindOf(capture) && !capture.name.empty();
  }

  static bool readFlag(Words &rest, bool &flag) {
    int64_t number = 0;
    bool read = rest.number(number) && number <= 1;
    flag = number;
    return read;
  }

  bool readMask(Words &rest) {
    return readFlag(rest, mask.readsBatch) && readFlag(rest, mask.readsHead) &&
           rest.number(mask.queryParts) && rest.number(mask.keyParts) &&
           readFlag(rest, mask.hasQueryClasses) &&
           readFlag(rest, mask.hasKeyClasses);
  }

  bool readSum(Words &rest, CaptureSumPlan &sum) const {
    return rest.number(sum.capture) &&
           sum.capture < static_cast<int64_t>(captures.size()) &&
           readFlag(rest, sum.isCarried) && readFlag(rest, sum.ownsKeys) &&
           rest.number(sum.ownTile) && rest.number(sum.copies) &&
           readFlag(rest, sum.ownsBatch) && readFlag(rest, sum.ownsHead) &&
           readFlag(rest, sum.ownsRows);
  }

  bool readTiles(Words &rest) {
    std::optional<TileGroup> group = tileGroupNamed(rest.next());
    if (!group)
      return false;
    PackagedTiles &tiles =
        current->tiles.emplace_back(PackagedTiles{*group, 0, 0, {}});
    images = nullptr, tileImage = &tiles.image;
    return rest.number(tiles.queryTile) && rest.number(tiles.keyTile);
  }

  bool readImage(Words &rest) {
    int64_t size = 0;
    if ((!images && !tileImage) || !rest.number(size))
      return false;
    std::string_view bytes = lines.take(size);
    if (static_cast<int64_t>(bytes.size()) != size || !lines.next().empty())
      return false;
    Result<KernelImage> image = KernelImage::load(bytes);
    if (!image)
      why = "an image of the package: " + image.error();
    else if (images)
      images->push_back(std::move(*image));
    else
      *tileImage = std::move(*image);
    tileImage = nullptr;
    return why.empty();
  }

  /// Whether what a launch takes without asking is there.
  bool isComplete(const PackagedKernels &kernels) const {
    for (const VariantImages &variant : kernels.variants) {
      size_t entries = 0;
      for (const KernelImage &image : variant.images) {
        entries += image.entries.size();
        if (image.entries.empty())
          return false;
      }
      // Those of sums come behind at least one.
      size_t ofSums = 0;
      for (const CaptureSumPlan &sum : variant.sums)
        ofSums += spec.target == Target::CUDA || sum.hasSlots() ? 2 : 1;
      bool isLeftOut = variant.images.empty() && spec.target == Target::CUDA;
      if (!isLeftOut && entries <= ofSums)
        return false;
    }
    return !kernels.variants.empty();
  }

  void complete(PackagedKernels &kernels) const {
    kernels.description.spec = spec;
    kernels.description.captures = captures;
    kernels.description.mask = mask;
  }

  Lines lines;
  KernelPackage::Impl package;
  KernelSpec spec;
  std::vector<CaptureInfo> captures;
  MaskFacts mask;
  PackagedKernels *current = nullptr;
  /// Where the next image goes: one of these.
  std::vector<KernelImage> *images = nullptr;
  KernelImage *tileImage = nullptr;
  std::string why; ///< of an image that does not load
  bool ended = false;
};

} // namespace

Result<KernelPackage> KernelPackage::load(std::string_view bytes) {
  Result<std::shared_ptr<const Impl>> read = Reader(bytes).read();
  if (!read)
    return Error{read.error()};
  return KernelPackage(std::move(*read));
}
