// See Chip.h.
#include "attn/Runtime/Chip.h"

#include <charconv>

using namespace attn;

std::optional<Chip> Chip::named(std::string_view name) {
  if (name.substr(0, 3) != "sm_")
    return std::nullopt;
  name.remove_prefix(3);
  Chip chip;
  chip.only = !name.empty() && name.back() == 'a';
  name.remove_suffix(chip.only);
  int number = 0;
  auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number < 10)
    return std::nullopt;
  chip.major = number / 10, chip.minor = number % 10;
  return chip;
}

std::string Chip::name() const {
  return "sm_" + std::to_string(10 * major + minor) + (only ? "a" : "");
}

bool Chip::hasPTXFor(const Chip &other) const {
  return only ? hasCodeFor(other)
              : 10 * major + minor <= 10 * other.major + other.minor;
}

bool Chip::hasCodeFor(const Chip &other) const {
  return major == other.major &&
         (only ? minor == other.minor : minor <= other.minor);
}
