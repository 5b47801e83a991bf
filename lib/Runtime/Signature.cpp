// See Signature.h.
#include "attn/Runtime/Signature.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <cstring>

using namespace attn;

static constexpr const char *roleNames[] = {
#define ATTN_ROLE(identifier, name) name,
#include "attn/Runtime/Roles.def"
};

const char *attn::toString(Role role) {
  return roleNames[static_cast<size_t>(role)];
}

std::optional<Role> attn::roleNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(roleNames); ++i)
    if (name == roleNames[i])
      return static_cast<Role>(i);
  return std::nullopt;
}

bool attn::isNumbered(Role role) {
  return role == Role::Capture || role == Role::GradCapture ||
         role == Role::PartOut || role == Role::PartLse ||
         role == Role::Workspace || role == Role::RowSums;
}

bool attn::isCaptured(Role role) {
  return role == Role::Capture || role == Role::QueryOffset ||
         role == Role::Lengths;
}

std::string attn::toString(const RoleName &name) {
  std::string text = toString(name.role);
  return isNumbered(name.role) ? text + " " + std::to_string(name.number)
                               : text;
}

size_t attn::flatCount(const Parameter &parameter) {
  return parameter.kind == Parameter::Kind::Memory ? 3 + 2 * parameter.rank : 1;
}

size_t attn::flatCount(const Signature &signature) {
  size_t count = 0;
  for (const Parameter &parameter : signature)
    count += flatCount(parameter);
  return count;
}

bool attn::takes(const Signature &signature, Role role) {
  for (const Parameter &parameter : signature)
    if (parameter.name.role == role)
      return true;
  return false;
}

static void writeContiguousStrides(Extents sizes, int64_t *strides) {
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<int64_t>(sizes[i], 1);
  }
}

Bindings::Bindings() {
  entries.reserve(24);
  extents.reserve(128);
}

Bindings::Entry &Bindings::entryOf(RoleName name) {
  for (Entry &entry : entries)
    if (entry.name == name)
      return entry;
  entries.push_back({name});
  return entries.back();
}

void Bindings::memory(RoleName name, const void *data, Extents sizes,
                      Extents strides) {
  entryOf(name) = {name, reinterpret_cast<uintptr_t>(data), extents.size(),
                   sizes.size()};
  extents.insert(extents.end(), sizes.begin(), sizes.end());
  extents.insert(extents.end(), strides.begin(), strides.end());
}

std::vector<int64_t>
attn::contiguousStrides(const std::vector<int64_t> &sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  writeContiguousStrides(sizes, strides.data());
  return strides;
}

void Bindings::memory(RoleName name, const void *data, Extents sizes) {
  entryOf(name) = {name, reinterpret_cast<uintptr_t>(data), extents.size(),
                   sizes.size()};
  extents.insert(extents.end(), sizes.begin(), sizes.end());
  extents.resize(extents.size() + sizes.size());
  writeContiguousStrides(sizes, &extents[extents.size() - sizes.size()]);
}

void Bindings::scalar(RoleName name, const void *data, int64_t bytes) {
  Entry &entry = entryOf(name);
  entry = {name};
  std::memcpy(&entry.word, data, bytes);
}

std::optional<Binding> Bindings::find(RoleName name) const {
  for (const Entry &entry : entries) {
    if (!(entry.name == name))
      continue;
    const int64_t *sizes = extents.data() + entry.first;
    return Binding{entry.word,
                   {sizes, entry.rank},
                   {sizes + entry.rank, entry.rank},
                   entry.isF16};
  }
  return std::nullopt;
}

/// Words of a descriptor.
static void writeWords(const Binding &memory, uint64_t *words) {
  words[0] = words[1] = memory.word;
  words[2] = 0;
  words = std::copy(memory.sizes.begin(), memory.sizes.end(), words + 3);
  std::copy(memory.strides.begin(), memory.strides.end(), words);
}

/// How many words stand for it, in memory of its own.
static size_t wordCount(const Parameter &parameter) {
  return parameter.kind == Parameter::Kind::TensorMap ? 16
                                                      : flatCount(parameter);
}

Result<BoundParameters> BoundParameters::bind(const Signature &signature,
                                              const Bindings &bindings,
                                              const TensorMapEncoder *maps) {
  BoundParameters result;
  result.places.reserve(signature.size());
  size_t used = 0;
  for (const Parameter &parameter : signature) {
    size_t count = wordCount(parameter);
    bool isMap = parameter.kind == Parameter::Kind::TensorMap;
    result.places.push_back({used, count, isMap});
    used += (count + 15) / 16 * 16;
  }
  result.words.resize(used / 16);
  for (size_t i = 0; i < signature.size(); ++i) {
    const Parameter &parameter = signature[i];
    bool isMap = result.places[i].isMap;
    RoleName name = isMap ? parameter.of : parameter.name;
    std::optional<Binding> binding = bindings.find(name);
    if (!binding)
      return Error{"nothing is bound to the kernel's parameter '" +
                   toString(name) + "'"};
    bool isScalar = parameter.kind == Parameter::Kind::Scalar;
    int64_t rank = isMap ? 4 : parameter.rank;
    if (!isScalar && static_cast<int64_t>(binding->sizes.size()) != rank)
      return Error{"expects memory of rank " + std::to_string(rank) +
                   " for the kernel's parameter '" + toString(name) +
                   "', got rank " + std::to_string(binding->sizes.size())};
    void *to = result.wordOf(result.places[i], 0);
    if (isMap) {
      if (!maps)
        return Error{"this target has no tensor maps"};
      ATTN_TRY(maps->encode(*binding, parameter.rows, to));
    } else if (isScalar) {
      std::memcpy(to, &binding->word, sizeof binding->word);
    } else {
      writeWords(*binding, static_cast<uint64_t *>(to));
    }
  }
  return result;
}

void *BoundParameters::wordOf(const Place &place, size_t i) const {
  size_t at = place.first + i;
  return const_cast<uint64_t *>(&words[at / 16].word[at % 16]);
}

std::vector<void *> BoundParameters::flat() const {
  std::vector<void *> addresses;
  addresses.reserve(16 * words.size());
  for (const Place &place : places)
    for (size_t i = 0; i < (place.isMap ? 1 : place.count); ++i)
      addresses.push_back(wordOf(place, i));
  return addresses;
}

std::vector<void *> BoundParameters::packed() const {
  std::vector<void *> addresses;
  addresses.reserve(places.size() + 1); // and a result
  for (const Place &place : places)
    addresses.push_back(wordOf(place, 0));
  return addresses;
}
