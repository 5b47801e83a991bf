// See Nesting.h.
#include "Nesting.h"

#include <algorithm>

using namespace attn;

/// The end of a string that begins at `at`: behind its quote.
static size_t endOfString(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\')
      ++at;
  return at + 1;
}

static Error tooDeep(std::string_view text, size_t at, const std::string &name,
                     int most) {
  size_t line = 1, begin = 0;
  for (size_t i = 0; i < at; ++i)
    if (text[i] == '\n')
      ++line, begin = i + 1;
  return Error{name + ":" + std::to_string(line) + ":" +
               std::to_string(at - begin + 1) +
               ": error: expects brackets nested at most " +
               std::to_string(most) + " deep"};
}

Result<void> attn::checkNesting(std::string_view text,
                                const std::string &name) {
  constexpr int most = 256;
  int depth = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    switch (text[at]) {
    case '"':
      at = endOfString(text, at) - 1;
      break;
    case '/':
      if (text.substr(at, 2) == "//")
        at = std::min(text.find('\n', at), text.size()) - 1;
      break;
    case '-': // of "->"
      at += text.substr(at, 2) == "->";
      break;
    case '(':
    case '[':
    case '{':
    case '<':
      if (++depth > most)
        return tooDeep(text, at, name, most);
      break;
    case ')':
    case ']':
    case '}':
    case '>':
      --depth;
      break;
    default:
      break;
    }
  }
  return {};
}
