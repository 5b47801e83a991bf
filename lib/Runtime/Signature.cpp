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
         role == Role::Workspace;
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

void Bindings::memory(RoleName name, const void *data,
                      std::vector<int64_t> sizes,
                      std::vector<int64_t> strides) {
  bound[name] = {reinterpret_cast<uintptr_t>(data), std::move(sizes),
                 std::move(strides)};
}

std::vector<int64_t>
attn::contiguousStrides(const std::vector<int64_t> &sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;)
    strides[i - 1] = strides[i] * std::max<int64_t>(sizes[i], 1);
  return strides;
}

void Bindings::memory(RoleName name, const void *data,
                      std::vector<int64_t> sizes) {
  std::vector<int64_t> strides = contiguousStrides(sizes);
  memory(name, data, std::move(sizes), std::move(strides));
}

void Bindings::scalar(RoleName name, const void *data, int64_t bytes) {
  Binding &binding = bound[name];
  binding = {};
  std::memcpy(&binding.word, data, bytes);
}

const Binding *Bindings::find(RoleName name) const {
  auto found = bound.find(name);
  return found == bound.end() ? nullptr : &found->second;
}

/// Words of a descriptor.
static std::vector<uint64_t> wordsOf(const Binding &memory) {
  std::vector<uint64_t> words{memory.word, memory.word, 0};
  words.insert(words.end(), memory.sizes.begin(), memory.sizes.end());
  words.insert(words.end(), memory.strides.begin(), memory.strides.end());
  return words;
}

Result<BoundParameters> BoundParameters::bind(const Signature &signature,
                                              const Bindings &bindings,
                                              const TensorMapEncoder *maps) {
  BoundParameters result;
  for (const Parameter &parameter : signature) {
    bool isMap = parameter.kind == Parameter::Kind::TensorMap;
    RoleName name = isMap ? parameter.of : parameter.name;
    const Binding *binding = bindings.find(name);
    if (!binding)
      return Error{"nothing is bound to the kernel's parameter '" +
                   toString(name) + "'"};
    bool isScalar = parameter.kind == Parameter::Kind::Scalar;
    int64_t rank = isMap ? 4 : parameter.rank;
    if (!isScalar && static_cast<int64_t>(binding->sizes.size()) != rank)
      return Error{"expects memory of rank " + std::to_string(rank) +
                   " for the kernel's parameter '" + toString(name) +
                   "', got rank " + std::to_string(binding->sizes.size())};
    size_t count = isMap ? 16 : flatCount(parameter);
    result.places.push_back(
        {count, isMap, std::vector<Words>((count + 15) / 16)});
    void *to = wordOf(result.places.back(), 0);
    if (isMap) {
      if (!maps)
        return Error{"this target has no tensor maps"};
      ATTN_TRY(maps->encode(*binding, parameter.rows, to));
    } else if (isScalar) {
      std::memcpy(to, &binding->word, sizeof binding->word);
    } else {
      std::vector<uint64_t> words = wordsOf(*binding);
      std::memcpy(to, words.data(), words.size() * sizeof(uint64_t));
    }
  }
  return result;
}

void *BoundParameters::wordOf(const Place &place, size_t i) {
  return const_cast<uint64_t *>(&place.words[i / 16].word[i % 16]);
}

std::vector<void *> BoundParameters::flat() const {
  std::vector<void *> addresses;
  for (const Place &place : places)
    for (size_t i = 0; i < (place.isMap ? 1 : place.count); ++i)
      addresses.push_back(wordOf(place, i));
  return addresses;
}

std::vector<void *> BoundParameters::packed() const {
  std::vector<void *> addresses;
  for (const Place &place : places)
    addresses.push_back(wordOf(place, 0));
  return addresses;
}
