// What the saved forms of kernels have in common: lines of text that a person
// can read, each a keyword and words behind it, bytes in between, and a
// checksum.
#ifndef ATTN_RUNTIME_SAVEDTEXT_H
#define ATTN_RUNTIME_SAVEDTEXT_H

#include "attn/Runtime/Signature.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace attn {

/// FNV-1a, 64 bits, as 16 hexadecimal digits.
std::string checksumOf(std::string_view bytes);

/// Text of any bytes as a part of a line, and back. Nullopt: no such part.
std::string escaped(std::string_view text);
std::optional<std::string> unescaped(std::string_view part);

/// The words of one line, divided by single spaces.
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
  bool number(int64_t &value);
  bool keyword(std::string_view expected) { return next() == expected; }
  /// A role, and its number if it has one.
  bool role(RoleName &name);
  std::string_view all() { return rest; }
  bool atEnd() const { return rest.empty(); }

private:
  std::string_view rest;
};

/// Lines, and bytes between them.
class Lines {
public:
  explicit Lines(std::string_view bytes) : bytes(bytes) {}

  /// Without its end; empty behind the last one.
  std::string_view next();
  /// So many bytes, or as many as there are.
  std::string_view take(int64_t count);
  std::string_view rest() const { return bytes; }
  /// Of the line that next() gave, from 1.
  int64_t number() const { return count; }

private:
  std::string_view bytes; ///< what is not read yet
  int64_t count = 0;
};

} // namespace attn

#endif // ATTN_RUNTIME_SAVEDTEXT_H
