// Handing errors on. Code without exceptions says at every call that an error
// ends the function too; these macros say it in a line, so that what is left of
// a function is what it does. For sources alone: no header of the API includes
// them.
//
//   Result<int64_t> sizeOf(const std::string &path) {
//     ATTN_TRY(checkReadable(path));
//     ATTN_TRY_ASSIGN(std::string text, textOf(path));
//     return static_cast<int64_t>(text.size());
//   }
//
// An error that needs words of its own is still returned by hand:
//
//   if (Result<void> fine = check(view); !fine)
//     return Error{"'" + name + "': " + fine.error()};
#ifndef ATTN_SUPPORT_TRY_H
#define ATTN_SUPPORT_TRY_H

#include "attn/API/Result.h"

#include <utility>

/// Returns the error of `expression`, a `Result` of any type, from a function
/// that returns a `Result` of any other. The expression has no comma outside of
/// parentheses.
#define ATTN_TRY(expression)                                                   \
  do {                                                                         \
    if (const auto &attnTried = (expression); !attnTried)                      \
      return ::attn::Error{attnTried.error()};                                 \
  } while (false)

/// The same, and otherwise the value goes to `variable`, one that exists or the
/// declaration of one. These are statements in the scope where they stand, thus
/// not the body of an `if` without braces.
#define ATTN_TRY_ASSIGN(variable, expression)                                  \
  ATTN_TRY_ASSIGN_AS(ATTN_TRY_NAME(__LINE__), variable, expression)

// What the macros above are made of: a name that is new on each line.
#define ATTN_TRY_NAME(line) ATTN_TRY_NAME_OF(line)
#define ATTN_TRY_NAME_OF(line) attnTried##line
#define ATTN_TRY_ASSIGN_AS(result, variable, expression)                       \
  auto result = (expression);                                                  \
  if (!result)                                                                 \
    return ::attn::Error{result.error()};                                      \
  variable = std::move(*result)

#endif // ATTN_SUPPORT_TRY_H
