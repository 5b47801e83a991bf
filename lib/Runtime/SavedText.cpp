// See SavedText.h.
#include "attn/Runtime/SavedText.h"

#include <charconv>
#include <iterator>

using namespace attn;

/// http://www.isthe.com/chongo/tech/comp/fnv
std::string attn::checksumOf(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (char byte : bytes)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; hash >>= 4)
    text[i] = "0123456789abcdef"[hash & 15];
  return text;
}

/// What a line cannot hold, and what stands for it behind a backslash.
static constexpr std::pair<char, char> escapes[] = {
    {'\\', '\\'}, {'\n', 'n'}, {'\0', '0'}};

std::string attn::escaped(std::string_view text) {
  std::string result;
  for (char c : text) {
    const auto *found = std::begin(escapes);
    while (found != std::end(escapes) && found->first != c)
      ++found;
    if (found == std::end(escapes))
      result += c;
    else
      result += {'\\', found->second};
  }
  return result;
}

std::optional<std::string> attn::unescaped(std::string_view part) {
  std::string result;
  for (size_t at = 0; at < part.size(); ++at) {
    if (part[at] != '\\') {
      result += part[at];
      continue;
    }
    const auto *found = std::begin(escapes);
    while (found != std::end(escapes) &&
           (at + 1 == part.size() || found->second != part[at + 1]))
      ++found;
    if (found == std::end(escapes))
      return std::nullopt;
    result += found->first;
    ++at;
  }
  return result;
}

bool Words::number(int64_t &value) {
  std::string_view word = next();
  auto [end, error] =
      std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size() &&
         !word.empty() && value >= 0;
}

bool Words::role(RoleName &name) {
  std::optional<Role> role = roleNamed(next());
  if (!role)
    return false;
  name.role = *role;
  return !isNumbered(*role) || number(name.number);
}

std::string_view Lines::next() {
  ++count;
  size_t end = bytes.find('\n');
  std::string_view text = bytes.substr(0, end);
  bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
  return text;
}

std::string_view Lines::take(int64_t count) {
  std::string_view text = bytes.substr(0, static_cast<size_t>(count));
  bytes.remove_prefix(text.size());
  return text;
}
