// Mods and what they capture.
#include "Handles.h"
#include "Values.h"

using namespace attn;
using namespace attn::capi;

/// The mod that the C++ API read.
static attn_status giveMod(Result<Mod> read, attn_mod **mod) {
  if (!read)
    return statusOf(read);
  return give(mod, std::move(*read));
}

attn_status attn_mod_from_file(const char *path, attn_mod **mod) {
  ATTN_EXPECT(expect(mod, "mod"));
  *mod = nullptr;
  ATTN_EXPECT(expect(path, "path"));
  return giveMod(Mod::fromFile(path), mod);
}

attn_status attn_mod_from_source(const char *source, const char *name,
                                 attn_mod **mod) {
  ATTN_EXPECT(expect(mod, "mod"));
  *mod = nullptr;
  ATTN_EXPECT(expect(source, "source"));
  ATTN_EXPECT(expect(name, "name"));
  return giveMod(Mod::fromSource(source, name), mod);
}

void attn_mod_retain(attn_mod *mod) { retain(mod); }
void attn_mod_release(attn_mod *mod) { release(mod); }

const char *attn_mod_name(const attn_mod *mod) {
  return mod ? mod->mod.name().c_str() : "";
}
int32_t attn_mod_has_score(const attn_mod *mod) {
  return mod && mod->mod.hasScore();
}
int32_t attn_mod_has_mask(const attn_mod *mod) {
  return mod && mod->mod.hasMask();
}
int32_t attn_mod_folds_batch(const attn_mod *mod) {
  return mod && mod->mod.foldsBatch();
}

size_t attn_mod_capture_count(const attn_mod *mod) {
  return mod ? mod->mod.captures().size() : 0;
}

/// Errors: there is no such capture.
static Result<void> checkIndex(size_t index, size_t count) {
  if (index < count)
    return {};
  return Error{"expects 'index' below " + std::to_string(count) + ", got " +
               std::to_string(index)};
}

attn_status attn_mod_capture(const attn_mod *mod, size_t index,
                             attn_capture_info *info) {
  ATTN_EXPECT(expect(mod, "mod"));
  ATTN_EXPECT(checkIndex(index, mod->mod.captures().size()));
  const CaptureInfo &capture = mod->mod.captures()[index];
  attn_capture_info result{};
  result.name = capture.name.c_str();
  result.type = typeOf(capture.type);
  result.rank = capture.rank;
  result.is_scalar = capture.isScalar;
  result.is_query_offset = capture.isQueryOffset;
  result.is_lengths = capture.isLengths;
  ATTN_EXPECT(writeTo(info, "info", result));
  return ATTN_OK;
}

attn_status attn_mod_with_query_offset(const attn_mod *mod,
                                       attn_query_offset kind,
                                       attn_mod **result) {
  ATTN_EXPECT(expect(result, "result"));
  *result = nullptr;
  ATTN_EXPECT(expect(mod, "mod"));
  if (kind != ATTN_OFFSET_SCALAR && kind != ATTN_OFFSET_PER_BATCH)
    return fail(ATTN_INVALID_CALL,
                "expects an attn_query_offset, got " + std::to_string(kind));
  return giveMod(mod->mod.withQueryOffset(kind == ATTN_OFFSET_SCALAR
                                              ? QueryOffset::Scalar
                                              : QueryOffset::PerBatch),
                 result);
}

attn_status attn_mod_with_lengths(const attn_mod *mod, attn_mod **result) {
  ATTN_EXPECT(expect(result, "result"));
  *result = nullptr;
  ATTN_EXPECT(expect(mod, "mod"));
  return giveMod(mod->mod.withLengths(), result);
}

attn_status attn_mod_make_captures(const attn_mod *mod, const attn_sizes *sizes,
                                   attn_captures **captures) {
  ATTN_EXPECT(expect(captures, "captures"));
  *captures = nullptr;
  ATTN_EXPECT(expect(mod, "mod"));
  Result<ProblemSizes> problem = sizesOf(sizes, "sizes");
  ATTN_EXPECT(problem);
  Result<std::vector<CaptureData>> made = mod->mod.makeCaptures(*problem);
  if (!made)
    return statusOf(made);
  return give(captures, std::move(*made));
}

void attn_captures_retain(attn_captures *captures) { retain(captures); }
void attn_captures_release(attn_captures *captures) { release(captures); }

size_t attn_captures_count(const attn_captures *captures) {
  return captures ? captures->data.size() : 0;
}

attn_status attn_captures_get(const attn_captures *captures, size_t index,
                              attn_capture *view) {
  ATTN_EXPECT(expect(captures, "captures"));
  ATTN_EXPECT(checkIndex(index, captures->data.size()));
  const CaptureData &data = captures->data[index];
  attn_capture result{};
  result.data = data.bytes.data();
  result.type = typeOf(data.type);
  result.rank = static_cast<int32_t>(data.sizes.size());
  result.sizes = data.sizes.data();
  ATTN_EXPECT(writeTo(view, "view", result));
  return ATTN_OK;
}

attn_status attn_mod_check(const attn_mod *mod, const attn_sizes *sizes,
                           const attn_capture *captures, size_t capture_count) {
  ATTN_EXPECT(expect(mod, "mod"));
  Result<ProblemSizes> problem = sizesOf(sizes, "sizes");
  ATTN_EXPECT(problem);
  auto views = capturesOf(captures, capture_count, mod->mod.captures());
  ATTN_EXPECT(views);
  return statusOf(mod->mod.check(*problem, *views));
}
