/// \file
/// Part of attn/attn.hpp: mods.
#ifndef ATTN_CXX_MOD_H
#define ATTN_CXX_MOD_H

#include "attn/CXX/Values.h"

#include <memory>
#include <type_traits>
#include <utility>

namespace attn {
inline namespace v0 {

/// A score_mod and mask_mod. Copies are the same mod.
class Mod {
public:
  /// Reads, parses and verifies a mod file: exactly one entry mod (the mod that
  /// no other mod of the file applies), any number of helpers.
  /// Errors: the file cannot be read; diagnostics with file, line and column.
  static Result<Mod> fromFile(const std::string &path) {
    attn_mod *mod = nullptr;
    attn_status status = attn_mod_from_file(path.c_str(), &mod);
    return own(status, mod);
  }
  /// The same for text; `name` stands for the file in diagnostics.
  static Result<Mod> fromSource(const std::string &source,
                                const std::string &name) {
    attn_mod *mod = nullptr;
    attn_status status =
        attn_mod_from_source(source.c_str(), name.c_str(), &mod);
    return own(status, mod);
  }

  /// The same for C++ lambdas: a score program, a mask program, or both
  /// (attn/API/Lambda.h). Errors: as there; diagnostics name the line of C++.
  template <typename Program>
  static Result<Mod> make(const Program &program,
                          const char *file = __builtin_FILE(),
                          int line = __builtin_LINE());
  template <typename ScoreProgram, typename MaskProgram,
            typename = std::enable_if_t<
                !std::is_convertible_v<MaskProgram, const char *>>>
  static Result<Mod> make(const ScoreProgram &score, const MaskProgram &mask,
                          const char *file = __builtin_FILE(),
                          int line = __builtin_LINE());

  const std::string &name() const { return read->name; }
  bool hasScore() const { return attn_mod_has_score(c()); }
  bool hasMask() const { return attn_mod_has_mask(c()); }
  /// Whether a batch of B sequences is run as one sequence of B times the
  /// length.
  bool foldsBatch() const { return attn_mod_folds_batch(c()); }
  const std::vector<CaptureInfo> &captures() const { return read->captures; }

  /// The mod whose programs see q + offset instead of q, as where the keys of
  /// earlier queries are in a cache. The offset is one more capture behind the
  /// mod's own, an i32 (of host memory) or a tensor of one for each batch.
  /// Errors: there is an offset already.
  Result<Mod> withQueryOffset(QueryOffset kind) const {
    attn_mod *mod = nullptr;
    attn_status status = attn_mod_with_query_offset(c(),
                                                    kind == QueryOffset::Scalar
                                                        ? ATTN_OFFSET_SCALAR
                                                        : ATTN_OFFSET_PER_BATCH,
                                                    &mod);
    return own(status, mod);
  }
  /// The mod whose sequences have fewer keys than there is room for: the keys
  /// of batch b are those before lengths[b]. The lengths are one more capture,
  /// the last, a tensor of an i32 for each batch. Errors: there are lengths
  /// already.
  Result<Mod> withLengths() const {
    attn_mod *mod = nullptr;
    attn_status status = attn_mod_with_lengths(c(), &mod);
    return own(status, mod);
  }

  /// Makes the captured data for one problem as the file says (`attn.data`); a
  /// query offset is 0, lengths are the number of keys.
  /// Errors: a capture of which it says nothing; sizes and scalars that do not
  /// come out for this problem.
  Result<std::vector<CaptureData>> makeCaptures(const ProblemSizes &) const;

  /// Checks that the captures have the declared types and that no evaluation
  /// for indices of this problem reads a captured tensor out of bounds, as far
  /// as ranges prove it. Errors name the load's line and column.
  Result<void> check(const ProblemSizes &sizes,
                     const std::vector<CaptureView> &captures) const {
    auto views = detail::toC(captures);
    if (!views)
      return Error{views.error()};
    attn_sizes problem = detail::toC(sizes);
    return detail::check(
        attn_mod_check(c(), &problem, views->data(), views->size()));
  }

  /// Of the C interface; null for a mod that was not read.
  attn_mod *c() const { return read ? read->handle.get() : nullptr; }

private:
  struct Read {
    std::shared_ptr<attn_mod> handle;
    std::string name;
    std::vector<CaptureInfo> captures;
  };
  static Result<Mod> own(attn_status status, attn_mod *handle);

  std::shared_ptr<const Read> read;
};

inline Result<Mod> Mod::own(attn_status status, attn_mod *handle) {
  if (Result<void> done = detail::check(status); !done)
    return Error{done.error()};
  Read read{{handle, attn_mod_release}, attn_mod_name(handle), {}};
  for (size_t i = 0; i < attn_mod_capture_count(handle); ++i) {
    attn_capture_info info{};
    info.size = sizeof info;
    if (Result<void> got = detail::check(attn_mod_capture(handle, i, &info));
        !got)
      return Error{got.error()};
    read.captures.push_back({info.name, detail::fromC(info.type), info.rank,
                             info.is_scalar != 0, info.is_query_offset != 0,
                             info.is_lengths != 0});
  }
  Mod mod;
  mod.read = std::make_shared<const Read>(std::move(read));
  return mod;
}

inline Result<std::vector<CaptureData>>
Mod::makeCaptures(const ProblemSizes &sizes) const {
  attn_sizes problem = detail::toC(sizes);
  attn_captures *handle = nullptr;
  if (Result<void> made =
          detail::check(attn_mod_make_captures(c(), &problem, &handle));
      !made)
    return Error{made.error()};
  std::shared_ptr<attn_captures> made(handle, attn_captures_release);
  std::vector<CaptureData> result;
  for (size_t i = 0; i < attn_captures_count(handle); ++i) {
    attn_capture view{};
    view.size = sizeof view;
    if (Result<void> got = detail::check(attn_captures_get(handle, i, &view));
        !got)
      return Error{got.error()};
    CaptureData data{detail::fromC(view.type), {}, {}};
    int64_t bytes = byteWidth(data.type);
    for (int32_t d = 0; d < view.rank; ++d) {
      data.sizes.push_back(view.sizes[d]);
      bytes *= view.sizes[d];
    }
    const auto *first = static_cast<const std::byte *>(view.data);
    data.bytes.assign(first, first + bytes);
    result.push_back(std::move(data));
  }
  return result;
}

} // namespace v0
} // namespace attn

#endif // ATTN_CXX_MOD_H
