// What attn-compile writes around packages of kernels: C functions and types
// under names of the user's, for a header, an object and a description.
#ifndef ATTN_LIB_AOT_COMPILER_INTERFACE_H
#define ATTN_LIB_AOT_COMPILER_INTERFACE_H

#include "attn/API/KernelPackage.h"
#include "attn/API/Result.h"

#include <string>
#include <vector>

namespace attn::aot {

/// One attention, for several targets.
struct Interface {
  std::string prefix;                  ///< of all its names; an identifier of C
  std::string header;                  ///< the name of its file
  std::vector<KernelPackage> packages; ///< at least one

  const KernelPackage &first() const { return packages.front(); }
};

/// A function that the object has: it calls one of the runtime's.
struct EntryPoint {
  const char *name;    ///< behind the prefix
  const char *runtime; ///< what it calls (attn/AOT/Runtime.h)
  const char *result;  ///< in C
  /// In C, with the prefix for each `@`.
  std::vector<const char *> parameters;
  bool takesKernels; ///< the runtime's function, before the parameters
  const char *comment;
};

/// In the order of the header: those of gradients only where there are some.
std::vector<EntryPoint> entryPointsOf(const Interface &interface);

/// An identifier made of the name of a file.
std::string identifierOf(const std::string &name);
/// What a captured value is called behind capture_ and grad_.
std::string fieldOf(const CaptureInfo &capture);
/// Errors: names that are none in C, or not two.
Result<void> checkNames(const Interface &interface);

/// `text` with the prefix for each `@`.
std::string withPrefix(const Interface &interface, std::string text);

/// C99 and C++, which includes stddef.h and stdint.h alone.
std::string headerOf(const Interface &interface);
/// C99 that needs nothing but what the runtime has.
std::string sourceOf(const Interface &interface);
/// JSON: the spec, with KernelSpec's names, and all kernels.
std::string descriptionOf(const Interface &interface);
/// The same as sourceOf(), compiled for this kind of machine. The same bytes
/// for the same interface. Errors: LLVM makes no code for it.
Result<std::string> objectOf(const Interface &interface);

} // namespace attn::aot

#endif // ATTN_LIB_AOT_COMPILER_INTERFACE_H
