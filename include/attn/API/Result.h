// The error type of the public API. attn is built without exceptions: whatever
// can fail returns a Result, and the message says what the caller did wrong in
// the words of the caller's own input.
#ifndef ATTN_API_RESULT_H
#define ATTN_API_RESULT_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace attn {

/// Why something failed. `message` is one or more complete lines without a
/// final newline; diagnostics of a mod file begin with `file:line:col: error:`.
struct Error {
  std::string message;
};

/// A `T`, or the reason why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value(std::move(value)) {}
  Result(Error error) : failure(std::move(error)) {}

  explicit operator bool() const { return value.has_value(); }
  T &operator*() {
    assert(value);
    return *value;
  }
  const T &operator*() const {
    assert(value);
    return *value;
  }
  T *operator->() {
    assert(value);
    return &*value;
  }
  const T *operator->() const {
    assert(value);
    return &*value;
  }
  const std::string &error() const {
    assert(!value);
    return failure.message;
  }

private:
  std::optional<T> value;
  Error failure;
};

/// Success, or the reason of the failure.
template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failure(std::move(error)) {}

  explicit operator bool() const { return !failure; }
  const std::string &error() const {
    assert(failure);
    return failure->message;
  }

private:
  std::optional<Error> failure;
};

} // namespace attn

#endif // ATTN_API_RESULT_H
