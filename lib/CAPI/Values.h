// Structures of the C interface as those of the C++ API. Whatever a caller can
// get wrong in one is an error here, so that what follows may rely on sizes
// that do not overflow when they are multiplied.
#ifndef ATTN_LIB_CAPI_VALUES_H
#define ATTN_LIB_CAPI_VALUES_H

#include "Status.h"

#include "attn/API/Attention.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace attn::capi {

/// The bytes that the first version of a structure had, and thus all have.
template <typename T> inline constexpr size_t firstSize = 0;
template <> inline constexpr size_t firstSize<attn_sizes> = 72;
template <> inline constexpr size_t firstSize<attn_tensor> = 80;
template <> inline constexpr size_t firstSize<attn_capture> = 40;
template <> inline constexpr size_t firstSize<attn_capture_info> = 40;
template <> inline constexpr size_t firstSize<attn_spec> = 112;
template <> inline constexpr size_t firstSize<attn_starts> = 24;
template <> inline constexpr size_t firstSize<attn_arguments> = 120;
template <> inline constexpr size_t firstSize<attn_gradient_arguments> = 152;
template <> inline constexpr size_t firstSize<attn_merge_spec> = 48;
template <> inline constexpr size_t firstSize<attn_part> = 24;
template <> inline constexpr size_t firstSize<attn_merge_arguments> = 56;
template <> inline constexpr size_t firstSize<attn_append_spec> = 56;
template <> inline constexpr size_t firstSize<attn_append_arguments> = 72;

/// Errors: a size that no version has had, or will have.
template <typename T> Result<size_t> sizeOf(const T *given, const char *name) {
  static_assert(firstSize<T> != 0 && sizeof(T) >= firstSize<T>);
  if (Result<void> there = expect(given, name); !there)
    return Error{there.error()};
  constexpr size_t most = 4096;
  if (given->size < firstSize<T> || given->size > most)
    return Error{std::string("expects '") + name + "' with a size of " +
                 std::to_string(sizeof(T)) + " bytes, got " +
                 std::to_string(given->size)};
  return given->size;
}

/// A structure of any version as this one's. Errors besides: something is said
/// that this version does not know.
template <typename T> Result<T> copyOf(const T *given, const char *name) {
  Result<size_t> size = sizeOf(given, name);
  if (!size)
    return Error{size.error()};
  T copy{};
  std::memcpy(&copy, given, std::min(*size, sizeof(T)));
  const auto *bytes = reinterpret_cast<const unsigned char *>(given);
  for (size_t i = sizeof(T); i < *size; ++i)
    if (bytes[i] != 0)
      return Error{std::string("expects nothing in '") + name + "' that attn " +
                   attn_version() + " does not know"};
  return copy;
}

/// Writes as much as the caller has room for.
template <typename T>
Result<void> writeTo(T *given, const char *name, T value) {
  Result<size_t> size = sizeOf(given, name);
  if (!size)
    return Error{size.error()};
  value.size = *size;
  std::memcpy(given, &value, std::min(*size, sizeof(T)));
  return {};
}

Result<ElementType> typeOf(attn_type type, const char *name);
attn_type typeOf(ElementType type);

Result<ProblemSizes> sizesOf(const attn_sizes *given, const char *name);
/// `largest` may be NULL: `smallest`.
Result<SizeRange> rangeOf(const attn_sizes *smallest,
                          const attn_sizes *largest);
Result<TensorView> tensorOf(const attn_tensor *given, const char *name);
Result<CaptureView> captureOf(const attn_capture *given, const char *name);
/// As many as `expected`, of its ranks.
Result<std::vector<CaptureView>>
capturesOf(const attn_capture *given, size_t count,
           const std::vector<CaptureInfo> &expected);
/// NULL: none.
Result<SequenceStarts> startsOf(const attn_starts *given, const char *name);
Result<Target> targetOf(attn_target target, const char *name);
Result<KernelSpec> specOf(const attn_spec *given);

} // namespace attn::capi

#endif // ATTN_LIB_CAPI_VALUES_H
