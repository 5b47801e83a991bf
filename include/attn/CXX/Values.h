/// \file
/// Part of attn/attn.hpp: types, sizes and views of memory.
#ifndef ATTN_CXX_VALUES_H
#define ATTN_CXX_VALUES_H

#include "attn/API/Result.h"
#include "attn/attn.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace attn {
inline namespace v0 {

/// Q, K, V and O are of F32, F16 or BF16; captured values of any but F64. A
/// Bool (`i1` in a mod) is a byte, true if it is not zero. U8 is memory for a
/// capture of type `i8`, as I8 is: the mod says how it reads it.
enum class ElementType { F32, F16, BF16, F64, I32, I64, I16, I8, U8, Bool };

/// What runs a kernel.
enum class Target { CPU, CUDA };

/// What is added to the positions of queries: one number, or one for each
/// batch.
enum class QueryOffset { Scalar, PerBatch };

/// The sizes of one attention problem, in elements.
struct ProblemSizes {
  int64_t batch = 1, heads = 1, kvHeads = 1;
  int64_t queries = 0, keys = 0;
  int64_t headDim = 0, valueDim = 0;
  /// How many sequences were folded into one (Mod::foldsBatch); 1, which is
  /// what a problem without that has, counts as `batch`.
  int64_t sequences = 1;
};

/// All problems between two, each number for itself. Batch, both numbers of
/// heads, queries and keys count.
struct SizeRange {
  ProblemSizes smallest, largest;
};

/// A 4-d view (batch, head, position, channel) of host memory (CPU) or device
/// memory (CUDA). Strides are in elements; the channel's stride is 1.
struct TensorView {
  void *data = nullptr;
  ElementType type = ElementType::F32;
  std::array<int64_t, 4> sizes{};
  std::array<int64_t, 3> strides{};
};

/// What a mod captures, as its file declares it.
struct CaptureInfo {
  std::string name;
  ElementType type = ElementType::F32;
  int rank = 0;          ///< 0 for a scalar, and for a tensor of one element
  bool isScalar = false; ///< of host memory, whatever the target is
  bool isQueryOffset = false; ///< that Mod::withQueryOffset() added
  bool isLengths = false;     ///< that Mod::withLengths() added
};

/// A captured value held on the host: `bytes` holds the elements of a
/// contiguous tensor of `sizes`, or one element for a scalar (`sizes` empty).
struct CaptureData {
  ElementType type = ElementType::F32;
  std::vector<int64_t> sizes;
  std::vector<std::byte> bytes;
};

/// A captured value as a kernel takes it: a scalar points to host memory, a
/// tensor to memory of the kernel's target.
struct CaptureView {
  const void *data = nullptr;
  std::vector<int64_t> sizes;
  /// In elements, one for each dimension: 0 or more, in any order. Empty:
  /// contiguous.
  std::vector<int64_t> strides = {};
  /// What the memory holds. If given, it must be what the mod captures.
  std::optional<ElementType> type = std::nullopt;
};

/// Where sequences begin in a tensor in which they lie one behind another, in a
/// batch of one: sequence i has positions starts[i] to starts[i + 1]. Memory of
/// the kernel's target, contiguous.
struct SequenceStarts {
  const int32_t *starts = nullptr; ///< sequences + 1 of them
  int64_t sequences = 0;
};

/// Memory that a launch needs for itself: of the kernel's target, aligned to 16
/// bytes, which nothing else uses meanwhile.
struct Workspace {
  void *data = nullptr; ///< null: the kernel's own
  int64_t bytes = 0;
};

/// Views of host captures, in order: what a CPU kernel takes.
inline std::vector<CaptureView>
viewsOf(const std::vector<CaptureData> &captures) {
  std::vector<CaptureView> views;
  for (const CaptureData &capture : captures)
    views.push_back({capture.bytes.data(), capture.sizes, {}, capture.type});
  return views;
}

/// Values on their way through the C interface.
namespace detail {

inline Result<void> check(attn_status status) {
  return status == ATTN_OK ? Result<void>() : Error{attn_error_text()};
}

inline attn_type toC(ElementType type) {
  return static_cast<attn_type>(type) + 1;
}
inline ElementType fromC(attn_type type) {
  return static_cast<ElementType>(type - 1);
}

inline attn_sizes toC(const ProblemSizes &s) {
  return {sizeof(attn_sizes), s.batch,    s.heads,
          s.kvHeads,          s.queries,  s.keys,
          s.headDim,          s.valueDim, s.sequences};
}

inline attn_tensor toC(const TensorView &view) {
  attn_tensor tensor{sizeof(attn_tensor), view.data, toC(view.type), {}, {}};
  for (size_t i = 0; i < 4; ++i)
    tensor.sizes[i] = view.sizes[i];
  for (size_t i = 0; i < 3; ++i)
    tensor.strides[i] = view.strides[i];
  return tensor;
}

inline attn_starts toC(const SequenceStarts &starts) {
  return {sizeof(attn_starts), starts.starts, starts.sequences};
}

/// Valid as long as `view` is. Errors: not one stride for each dimension.
inline Result<attn_capture> toC(const CaptureView &view) {
  if (!view.strides.empty() && view.strides.size() != view.sizes.size())
    return Error{"expects " + std::to_string(view.sizes.size()) +
                 " strides for a captured value of this rank, got " +
                 std::to_string(view.strides.size())};
  return attn_capture{sizeof(attn_capture),
                      view.data,
                      view.type ? toC(*view.type) : 0,
                      static_cast<int32_t>(view.sizes.size()),
                      view.sizes.data(),
                      view.strides.empty() ? nullptr : view.strides.data()};
}

inline Result<std::vector<attn_capture>>
toC(const std::vector<CaptureView> &views) {
  std::vector<attn_capture> captures;
  for (const CaptureView &view : views) {
    Result<attn_capture> capture = toC(view);
    if (!capture)
      return Error{capture.error()};
    captures.push_back(*capture);
  }
  return captures;
}

} // namespace detail

/// As mods spell it: "f32", "f16", "bf16", "f64", "i32", "i64", "i16", "i8",
/// "i1"; and "u8".
inline const char *toString(ElementType type) {
  return attn_type_name(detail::toC(type));
}
/// Bytes of one element.
inline int64_t byteWidth(ElementType type) {
  return attn_type_bytes(detail::toC(type));
}
/// Of the library that the program runs with: "0.1.0".
inline const char *version() { return attn_version(); }

} // namespace v0
} // namespace attn

#endif // ATTN_CXX_VALUES_H
