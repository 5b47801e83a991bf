// Checks what a kernel is called with: one clear message for each mistake.
#include "KernelImpl.h"
#include "TilesImpl.h"

#include "attn/Support/Try.h"

#include <limits>

using namespace attn;

static Error mismatch(const char *tensor, const char *what, int64_t expected,
                      int64_t actual) {
  return Error{std::string("expects '") + tensor + "' " + what + " " +
               std::to_string(expected) + ", got " + std::to_string(actual)};
}

/// A tensor's type, sign of its sizes, and memory.
static Result<void> checkView(const char *name, const TensorView &view,
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

static Result<void> checkShapes(const KernelSpec &spec,
                                const AttentionOperands &a) {
  auto q = a.query.sizes, k = a.key.sizes, v = a.value.sizes, o = a.out.sizes;
  if (q[3] != spec.headDim)
    return mismatch("query", "head dimension", spec.headDim, q[3]);
  if (k[3] != spec.headDim)
    return mismatch("key", "head dimension", spec.headDim, k[3]);
  if (v[3] != spec.valueDim)
    return mismatch("value", "head dimension", spec.valueDim, v[3]);
  if (o[3] != spec.valueDim)
    return mismatch("out", "head dimension", spec.valueDim, o[3]);
  if (k[0] != q[0])
    return mismatch("key", "batch size", q[0], k[0]);
  if (v[0] != q[0])
    return mismatch("value", "batch size", q[0], v[0]);
  if (o[0] != q[0])
    return mismatch("out", "batch size", q[0], o[0]);
  if (v[1] != k[1])
    return mismatch("value", "number of heads", k[1], v[1]);
  if (o[1] != q[1])
    return mismatch("out", "number of heads", q[1], o[1]);
  if (k[1] ? q[1] % k[1] != 0 : q[1] != 0)
    return Error{"expects a number of query heads that is a multiple of the " +
                 std::to_string(k[1]) + " key heads, got " +
                 std::to_string(q[1])};
  if (v[2] != k[2])
    return mismatch("value", "length", k[2], v[2]);
  if (o[2] != q[2])
    return mismatch("out", "length", q[2], o[2]);
  return {};
}

Result<void> attn::checkTilesFor(const ProblemSizes &problem,
                                 const TileLists &tiles) {
  const TileLists::Impl &lists = tiles.impl();
  const ProblemSizes &s = lists.sizes;
  if (s.queries != problem.queries)
    return mismatch("tiles", "number of queries", problem.queries, s.queries);
  if (s.keys != problem.keys)
    return mismatch("tiles", "number of keys", problem.keys, s.keys);
  if (lists.readsBatch && s.batch != problem.batch)
    return mismatch("tiles", "batch size", problem.batch, s.batch);
  if (lists.readsHead && s.heads != problem.heads)
    return mismatch("tiles", "number of heads", problem.heads, s.heads);
  return {};
}

ProblemSizes attn::sizesOf(const KernelArguments &a) {
  ProblemSizes sizes;
  sizes.batch = a.query.sizes[0];
  sizes.heads = a.query.sizes[1], sizes.kvHeads = a.key.sizes[1];
  sizes.queries = a.query.sizes[2], sizes.keys = a.key.sizes[2];
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
  ATTN_TRY(checkCaptures(captures, a.captures));
  for (size_t i = 0; i < captures.size(); ++i)
    if (captures[i].isQueryOffset && !captures[i].isScalar &&
        a.captures[i].sizes[0] != a.query.sizes[0])
      return mismatch(captures[i].name.c_str(), "batch size", a.query.sizes[0],
                      a.captures[i].sizes[0]);
  return {};
}

Result<void> attn::checkArguments(const AttentionKernel::Impl &kernel,
                                  const KernelArguments &a) {
  ATTN_TRY(checkOperands(kernel.spec, kernel.captures,
                         {a.query, a.key, a.value, a.captures, a.out}));
  bool rows = a.query.sizes[0] && a.query.sizes[1] && a.query.sizes[2];
  if (kernel.spec.lse && rows && !a.lse)
    return Error{"expects memory for 'lse', got null"};
  if (!kernel.spec.lse && a.lse)
    return Error{"expects no 'lse': the kernel was compiled without it"};
  return a.tiles ? checkTiles(*a.tiles, a) : Result<void>();
}
