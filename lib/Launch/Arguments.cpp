// Checks what a kernel is called with: one clear message for each mistake.
#include "CaptureViews.h"
#include "KernelImpl.h"
#include "TilesImpl.h"

#include "attn/Support/Try.h"

#include <limits>

using namespace attn;

Error attn::sizeMismatch(const char *tensor, const char *what, int64_t expected,
                         int64_t actual) {
  return Error{std::string("expects '") + tensor + "' " + what + " " +
               std::to_string(expected) + ", got " + std::to_string(actual)};
}

Result<void> attn::checkView(const char *name, const TensorView &view,
                             ElementType type) {
  if (view.type != type)
    return Error{std::string("expects '") + name + "' of " + toString(type) +
                 ", got " + toString(view.type)};
  bool empty = false;
  for (int64_t size : view.sizes) {
    if (size < 0)
      return Error{std::string("expects '") + name +
                   "' with sizes of at least 0, got " + std::to_string(size)};
    empty |= size == 0;
  }
  // Positions are i32.
  if (view.sizes[2] > std::numeric_limits<int32_t>::max())
    return Error{std::string("expects '") + name + "' shorter than 2^31, got " +
                 std::to_string(view.sizes[2])};
  if (!empty && !view.data)
    return Error{std::string("expects memory for '") + name + "', got null"};
  return {};
}

Result<void> attn::checkStarts(const char *tensor, const TensorView &view,
                               bool ragged, const SequenceStarts &given) {
  auto starts = [&] {
    return std::string("starts of sequences of '") + tensor + "'";
  };
  if (!ragged)
    return given.starts ? Error{"expects no " + starts() +
                                ": the kernel was compiled for a batch of them"}
                        : Result<void>();
  if (!given.starts)
    return Error{"expects " + starts() + ", got null"};
  if (given.sequences < 0)
    return Error{"expects a number of sequences of at least 0, got " +
                 std::to_string(given.sequences)};
  if (given.sequences > std::numeric_limits<int32_t>::max())
    return Error{"expects fewer than 2^31 sequences, got " +
                 std::to_string(given.sequences)};
  if (view.sizes[0] != 1)
    return sizeMismatch(tensor, "batch size", 1, view.sizes[0]);
  return {};
}

/// How many sequences `view` has.
static int64_t sequencesOf(const TensorView &view, bool ragged,
                           const SequenceStarts &starts) {
  return ragged ? starts.sequences : view.sizes[0];
}

/// As many sequences in queries as in keys, whatever they lie in.
static Result<void> checkSequences(const KernelSpec &spec,
                                   const AttentionOperands &a) {
  ATTN_TRY(checkStarts("query", a.query, spec.raggedQueries, a.queryStarts));
  ATTN_TRY(checkStarts("key", a.key, spec.raggedKeys, a.keyStarts));
  if (spec.paged) // whose table says how many
    return {};
  int64_t ofQuery = sequencesOf(a.query, spec.raggedQueries, a.queryStarts);
  int64_t ofKey = sequencesOf(a.key, spec.raggedKeys, a.keyStarts);
  bool anyRagged = spec.raggedQueries || spec.raggedKeys;
  if (ofQuery != ofKey)
    return sizeMismatch("key", anyRagged ? "number of sequences" : "batch size",
                        ofQuery, ofKey);
  return {};
}

Result<void> attn::checkPages(const CaptureView &pages, int64_t batch,
                              int64_t rows) {
  if (pages.type && *pages.type != ElementType::I32)
    return Error{std::string("expects 'pages' of i32, got ") +
                 toString(*pages.type)};
  if (pages.sizes.size() != 2)
    return Error{"expects 'pages' of rank 2, got " +
                 std::to_string(pages.sizes.size())};
  if (pages.sizes[0] != batch)
    return sizeMismatch("pages", "batch size", batch, pages.sizes[0]);
  int64_t most = pages.sizes[1];
  if (most < 0)
    return Error{"expects 'pages' with sizes of at least 0, got " +
                 std::to_string(most)};
  if (!pages.strides.empty() && pages.strides.size() != 2)
    return Error{"expects 2 strides for 'pages', got " +
                 std::to_string(pages.strides.size())};
  if (!pages.strides.empty() && pages.strides[0] < 0)
    return Error{"expects 'pages' with strides of at least 0, got " +
                 std::to_string(pages.strides[0])};
  if (!pages.strides.empty() && pages.strides[1] != 1 && most > 1)
    return sizeMismatch("pages", "innermost stride", 1, pages.strides[1]);
  if (batch && most && !pages.data)
    return Error{"expects memory for 'pages', got null"};
  // Positions are i32.
  if (rows && most > std::numeric_limits<int32_t>::max() / rows)
    return Error{"expects room for fewer than 2^31 keys, got " +
                 std::to_string(most) + " pages of " + std::to_string(rows) +
                 " for each sequence"};
  return {};
}

/// Whether there is a table, and one that suits the rest.
static Result<void> checkTable(const KernelSpec &spec,
                               const AttentionOperands &a) {
  if (!spec.paged)
    return a.pages ? Error{"expects no 'pages': the kernel was compiled "
                           "without KernelSpec::paged"}
                   : Result<void>();
  if (!a.pages)
    return Error{"expects 'pages' for a kernel of KernelSpec::paged, got none"};
  if (a.key.sizes[0] > std::numeric_limits<int32_t>::max())
    return Error{"expects fewer than 2^31 pages, got " +
                 std::to_string(a.key.sizes[0])};
  return checkPages(*a.pages,
                    sequencesOf(a.query, spec.raggedQueries, a.queryStarts),
                    a.key.sizes[2]);
}

static Result<void> checkShapes(const KernelSpec &spec,
                                const AttentionOperands &a) {
  auto q = a.query.sizes, k = a.key.sizes, v = a.value.sizes, o = a.out.sizes;
  if (q[3] != spec.headDim)
    return sizeMismatch("query", "head dimension", spec.headDim, q[3]);
  if (k[3] != spec.headDim)
    return sizeMismatch("key", "head dimension", spec.headDim, k[3]);
  if (v[3] != spec.valueDim)
    return sizeMismatch("value", "head dimension", spec.valueDim, v[3]);
  if (o[3] != spec.valueDim)
    return sizeMismatch("out", "head dimension", spec.valueDim, o[3]);
  ATTN_TRY(checkSequences(spec, a));
  if (v[0] != k[0])
    return sizeMismatch("value", spec.paged ? "number of pages" : "batch size",
                        k[0], v[0]);
  if (o[0] != q[0])
    return sizeMismatch("out", "batch size", q[0], o[0]);
  if (v[1] != k[1])
    return sizeMismatch("value", "number of heads", k[1], v[1]);
  if (o[1] != q[1])
    return sizeMismatch("out", "number of heads", q[1], o[1]);
  if (k[1] ? q[1] % k[1] != 0 : q[1] != 0)
    return Error{"expects a number of query heads that is a multiple of the " +
                 std::to_string(k[1]) + " key heads, got " +
                 std::to_string(q[1])};
  if (v[2] != k[2])
    return sizeMismatch("value", spec.paged ? "page rows" : "length", k[2],
                        v[2]);
  if (o[2] != q[2])
    return sizeMismatch("out", "length", q[2], o[2]);
  return {};
}

Result<void> attn::checkTilesFor(const ProblemSizes &problem,
                                 const TileLists &tiles) {
  const TileLists::Impl &lists = tiles.impl();
  const ProblemSizes &s = lists.sizes;
  if (s.queries != problem.queries)
    return sizeMismatch("tiles", "number of queries", problem.queries,
                        s.queries);
  if (s.keys != problem.keys)
    return sizeMismatch("tiles", "number of keys", problem.keys, s.keys);
  if (lists.readsBatch && s.batch != problem.batch)
    return sizeMismatch("tiles", "batch size", problem.batch, s.batch);
  if (lists.readsHead && s.heads != problem.heads)
    return sizeMismatch("tiles", "number of heads", problem.heads, s.heads);
  return {};
}

ProblemSizes attn::sizesOf(const KernelArguments &a) {
  ProblemSizes sizes;
  sizes.batch = a.query.sizes[0];
  sizes.heads = a.query.sizes[1], sizes.kvHeads = a.key.sizes[1];
  sizes.queries = a.query.sizes[2], sizes.keys = a.keys();
  return sizes;
}

/// Lists against the problem for which they are used.
static Result<void> checkTiles(const TileLists &tiles,
                               const KernelArguments &a) {
  if (!tiles)
    return Error{"expects lists of tiles, got none"};
  if (tiles.impl().transposed)
    return Error{"expects lists for query tiles, got transposed ones"};
  return checkTilesFor(sizesOf(a), tiles);
}

Result<void> attn::checkOperands(const KernelSpec &spec,
                                 const std::vector<CaptureInfo> &captures,
                                 const AttentionOperands &a) {
  const std::pair<const char *, const TensorView &> views[] = {
      {"query", a.query}, {"key", a.key}, {"value", a.value}, {"out", a.out}};
  for (auto [name, view] : views)
    ATTN_TRY(checkView(name, view, spec.type));
  ATTN_TRY(checkShapes(spec, a));
  ATTN_TRY(checkTable(spec, a));
  ATTN_TRY(checkCaptures(captures, a.captures));
  int64_t sequences = sequencesOf(a.query, spec.raggedQueries, a.queryStarts);
  for (size_t i = 0; i < captures.size(); ++i)
    if ((captures[i].isQueryOffset || captures[i].isLengths) &&
        !captures[i].isScalar && a.captures[i].sizes[0] != sequences)
      return sizeMismatch(captures[i].name.c_str(), "batch size", sequences,
                          a.captures[i].sizes[0]);
  return {};
}

Result<void> attn::checkArguments(const AttentionKernel::Impl &kernel,
                                  const KernelArguments &a) {
  ATTN_TRY(checkOperands(kernel.spec, kernel.captures,
                         {a.query, a.key, a.value, a.captures, a.out,
                          a.queryStarts, a.keyStarts, a.pages}));
  bool rows = a.query.sizes[0] && a.query.sizes[1] && a.query.sizes[2];
  if (kernel.spec.lse && rows && !a.lse)
    return Error{"expects memory for 'lse', got null"};
  if (!kernel.spec.lse && a.lse)
    return Error{"expects no 'lse': the kernel was compiled without it"};
  return a.tiles ? checkTiles(*a.tiles, a) : Result<void>();
}
