// Launching gradients: what is common to all targets.
#include "GradientImpl.h"

#include "CaptureViews.h"
#include "KernelImpl.h"
#include "PlannedKernels.h"
#include "TilesImpl.h"

#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;

ProblemSizes attn::sizesOf(const GradientArguments &a) {
  ProblemSizes sizes;
  sizes.batch = sizes.sequences = a.query.sizes[0];
  sizes.heads = a.query.sizes[1], sizes.kvHeads = a.key.sizes[1];
  sizes.queries = a.query.sizes[2], sizes.keys = a.key.sizes[2];
  sizes.headDim = a.query.sizes[3], sizes.valueDim = a.value.sizes[3];
  return sizes;
}

//===--- tiles ------------------------------------------------------------===//

static bool areFor(const TileFinder &finder, int64_t queryTile,
                   int64_t keyTile) {
  return finder.queryTile() == queryTile && finder.keyTile() == keyTile;
}

Result<GradientTileFinders> GradientTileFinders::create(
    const KernelDescription &of, const SharedSource &source,
    const std::vector<KernelEntry> &kernels, const std::vector<bool> &ownKeys) {
  GradientTileFinders result;
  std::vector<TileFinder> &finders = result.finders;
  for (size_t i = 0; i < kernels.size(); ++i) {
    const KernelEntry &kernel = kernels[i];
    if (!takes(kernel.signature, Role::ListOrder))
      continue;
    result.ownKeys.push_back(ownKeys[i]);
    auto known = std::find_if(
        finders.begin(), finders.end(), [&](const TileFinder &finder) {
          return areFor(finder, kernel.queryTile, kernel.keyTile);
        });
    if (known != finders.end()) {
      finders.push_back(TileFinder(*known));
      continue;
    }
    ATTN_TRY_ASSIGN(
        TileFinder finder,
        createTileFinder(of, source, kernel.queryTile, kernel.keyTile));
    finders.push_back(std::move(finder));
  }
  return result;
}

bool GradientTileFinders::fit(const GradientTiles *tiles) const {
  if (!tiles || tiles->lists.size() != finders.size())
    return false;
  for (size_t i = 0; i < finders.size(); ++i) {
    const TileLists &lists = tiles->lists[i];
    if (!lists ||
        !areFor(finders[i], lists.impl().queryTile, lists.impl().keyTile))
      return false;
  }
  return true;
}

Result<void> GradientTileFinders::prepare() const {
  for (const TileFinder &finder : finders)
    ATTN_TRY(finder.prepare());
  return {};
}

Result<GradientTiles>
GradientTileFinders::find(const ProblemSizes &sizes,
                          const std::vector<CaptureView> &captures,
                          void *stream) const {
  // What is alike is found once, and transposed once.
  std::vector<TileLists> found;
  GradientTiles tiles;
  auto areAlike = [&](size_t i, size_t j) {
    return areFor(finders[i], finders[j].queryTile(), finders[j].keyTile());
  };
  for (size_t i = 0; i < finders.size(); ++i) {
    size_t like = 0, likeOwner = 0;
    while (!areAlike(i, like))
      ++like;
    while (!areAlike(i, likeOwner) || ownKeys[likeOwner] != ownKeys[i])
      ++likeOwner;
    if (like < i) {
      found.push_back(found[like]);
    } else {
      ATTN_TRY_ASSIGN(TileLists lists,
                      finders[i].find(sizes, captures, stream));
      found.push_back(lists);
    }
    if (likeOwner < i || !ownKeys[i]) {
      tiles.lists.push_back(likeOwner < i ? tiles.lists[likeOwner] : found[i]);
    } else {
      ATTN_TRY_ASSIGN(TileLists lists, finders[i].transpose(found[i], stream));
      tiles.lists.push_back(lists);
    }
  }
  return tiles;
}

bool attn::ownsKeys(const KernelEntry &kernel) {
  return takes(kernel.signature, Role::GradKey) ||
         takes(kernel.signature, Role::GradValue);
}

void attn::bindTiles(Bindings &bindings, const GradientTiles &tiles,
                     size_t list) {
  if (!tiles.lists.empty())
    tiles.lists[list].impl().arguments.bind(bindings);
}

Result<GradientTiles> attn::tilesFor(const GradientKernel::Impl &kernel,
                                     const GradientTileFinders &finders,
                                     const GradientArguments &a) {
  if (!finders.areNeeded())
    return GradientTiles();
  if (finders.fit(a.tiles)) {
    for (const TileLists &lists : a.tiles->lists)
      ATTN_TRY(checkTilesFor(sizesOf(a), lists));
    return *a.tiles;
  }
  ATTN_TRY_ASSIGN(bool capturing, kernel.isCapturing(a.stream));
  if (capturing)
    return Error{"expects lists of tiles (GradientKernel::findTiles) for a "
                 "launch in a stream capture"};
  return finders.find(sizesOf(a), a.captures, a.stream);
}

Result<GradientTiles>
GradientKernel::findTiles(const ProblemSizes &sizes,
                          const std::vector<CaptureView> &captures,
                          void *stream) const {
  return pimpl->finders.find(sizes, captures, stream);
}

//===--- arguments --------------------------------------------------------===//

static int64_t rowsOf(const TensorView &query) {
  return query.sizes[0] * query.sizes[1] * query.sizes[2];
}

/// Statistics are of whole tiles, so that what follows them is aligned too.
static int64_t statisticFloats(const GradientKernel::Impl &kernel,
                               const ProblemSizes &sizes) {
  return sizes.batch * sizes.heads * 2 * kernel.statisticRows(sizes.queries);
}

static int64_t paddedHeadDim(const GradientKernel::Impl &kernel) {
  return (kernel.spec.headDim + 15) / 16 * 16;
}

/// Those of queries, where they are added up in memory, in whole tiles.
static int64_t gradientFloats(const GradientKernel::Impl &kernel,
                              const ProblemSizes &sizes) {
  return kernel.sumsGradQuery
             ? sizes.batch * sizes.heads * kernel.statisticRows(sizes.queries) *
                   paddedHeadDim(kernel)
             : 0;
}

/// Before the sums for captures.
static int64_t rowFloats(const GradientKernel::Impl &kernel,
                         const ProblemSizes &sizes) {
  return statisticFloats(kernel, sizes) + gradientFloats(kernel, sizes);
}

int64_t
GradientKernel::workspaceBytes(const ProblemSizes &sizes,
                               const std::vector<CaptureView> &captures) const {
  CaptureWorkspace sums(pimpl->sums, sizes, captures);
  return (rowFloats(*pimpl, sizes) + sums.floats()) *
         static_cast<int64_t>(sizeof(float));
}

int64_t
GradientKernel::workspaceBytes(const SizeRange &range,
                               const std::vector<CaptureView> &captures) const {
  return (rowFloats(*pimpl, range.largest) +
          CaptureWorkspace::mostFloats(pimpl->sums, range, captures)) *
         static_cast<int64_t>(sizeof(float));
}

/// A tensor against the one whose shape it has.
static Result<void> checkLike(const char *name, const TensorView &view,
                              const char *like, const TensorView &wanted) {
  if (view.type != wanted.type)
    return Error{std::string("expects '") + name + "' of " +
                 toString(wanted.type) + ", got " + toString(view.type)};
  static const char *const dims[] = {"batch size", "number of heads", "length",
                                     "head dimension"};
  for (size_t i = 0; i < 4; ++i)
    if (view.sizes[i] != wanted.sizes[i])
      return Error{std::string("expects '") + name + "' " + dims[i] + " " +
                   std::to_string(wanted.sizes[i]) + " like '" + like +
                   "', got " + std::to_string(view.sizes[i])};
  bool empty = false;
  for (int64_t size : view.sizes)
    empty |= size == 0;
  if (!empty && !view.data)
    return Error{std::string("expects memory for '") + name + "', got null"};
  return {};
}

static Result<void> checkGradCaptures(const GradientKernel::Impl &kernel,
                                      const GradientArguments &a) {
  if (a.gradCaptures.size() != kernel.wrt.size())
    return Error{"expects " + std::to_string(kernel.wrt.size()) +
                 " gradients of captures, got " +
                 std::to_string(a.gradCaptures.size())};
  for (size_t i = 0; i < kernel.wrt.size(); ++i)
    if (!a.gradCaptures[i] && elementsOf(a.captures[kernel.wrt[i]]) != 0)
      return Error{"expects memory for the gradient of '" +
                   kernel.captures[kernel.wrt[i]].name + "', got null"};
  return {};
}

static Result<void> checkGradients(const GradientKernel::Impl &kernel,
                                   const GradientArguments &a) {
  const std::tuple<const char *, const TensorView &, const char *,
                   const TensorView &>
      pairs[] = {{"gradOut", a.gradOut, "out", a.out},
                 {"gradQuery", a.gradQuery, "query", a.query},
                 {"gradKey", a.gradKey, "key", a.key},
                 {"gradValue", a.gradValue, "value", a.value}};
  for (const auto &[name, view, like, wanted] : pairs)
    ATTN_TRY(checkLike(name, view, like, wanted));
  if (!kernel.spec.lse && a.gradLse)
    return Error{"expects no 'gradLse': the kernel was compiled without it"};
  ATTN_TRY(checkGradCaptures(kernel, a));
  if (rowsOf(a.query) == 0)
    return {};
  if (!a.lse)
    return Error{"expects memory for 'lse', got null"};
  if (kernel.spec.lse && !a.gradLse)
    return Error{"expects memory for 'gradLse', got null"};
  return {};
}

/// Enqueues zeros for so many contiguous numbers.
static Result<void> clear(const GradientKernel::Impl &kernel, float *memory,
                          int64_t count, void *stream) {
  // Rows of few bytes, which any memory can be filled by.
  constexpr int64_t most = int64_t(1) << 16;
  int64_t whole = count / most;
  TensorView view{memory, ElementType::F32, {1, 1, whole, most}, {0, 0, most}};
  if (whole)
    ATTN_TRY(kernel.writeZeros(view, stream));
  view.data = memory + whole * most;
  view.sizes = {1, 1, 1, count - whole * most};
  return view.sizes[3] ? kernel.writeZeros(view, stream) : Result<void>();
}

/// The gradients of captures, by the number of the capture; zero.
static Result<std::vector<float *>>
clearGradCaptures(const GradientKernel::Impl &kernel,
                  const GradientArguments &a) {
  std::vector<float *> gradients(kernel.captures.size());
  for (size_t i = 0; i < kernel.wrt.size(); ++i) {
    float *gradient = a.gradCaptures[i];
    ATTN_TRY(clear(kernel, gradient, elementsOf(a.captures[kernel.wrt[i]]),
                   a.stream));
    gradients[kernel.wrt[i]] = gradient;
  }
  return gradients;
}

static Bindings bindGradients(const GradientKernel::Impl &kernel,
                              const GradientArguments &a, float *workspace) {
  Bindings bindings;
  const std::pair<Role, const TensorView &> tensors[] = {
      {Role::Query, a.query},     {Role::Key, a.key},
      {Role::Value, a.value},     {Role::Out, a.out},
      {Role::GradOut, a.gradOut}, {Role::GradQuery, a.gradQuery},
      {Role::GradKey, a.gradKey}, {Role::GradValue, a.gradValue}};
  for (const auto &[role, view] : tensors)
    bindTensor(bindings, role, view);
  std::vector<int64_t> rows{a.query.sizes[0], a.query.sizes[1],
                            a.query.sizes[2]};
  bindings.memory({Role::Lse}, a.lse, rows);
  bindings.memory({Role::Statistics}, workspace,
                  {rows[0], rows[1], 2, kernel.statisticRows(rows[2])});
  if (kernel.sumsGradQuery)
    bindings.memory({Role::GradQuerySum},
                    workspace + statisticFloats(kernel, sizesOf(a)),
                    {rows[0], rows[1], kernel.statisticRows(rows[2]) / 64,
                     paddedHeadDim(kernel) / 8, 128, 4});
  if (a.gradLse)
    bindings.memory({Role::GradLse}, a.gradLse, rows);
  bindCaptures(bindings, kernel.captures, a.captures);
  for (size_t i = 0; i < kernel.wrt.size(); ++i)
    bindings.memory({Role::GradCapture, kernel.wrt[i]}, a.gradCaptures[i],
                    {elementsOf(a.captures[kernel.wrt[i]])});
  return bindings;
}

Result<void> attn::checkArguments(const GradientKernel::Impl &kernel,
                                  const GradientArguments &a) {
  AttentionOperands operands{a.query, a.key, a.value, a.captures, a.out};
  ATTN_TRY(checkOperands(kernel.spec, kernel.captures, operands));
  ATTN_TRY(checkGradients(kernel, a));
  return kernel.checkMemory(a);
}

/// Of a launch that needs so many bytes; a positive number.
static Result<void> checkWorkspace(const GradientKernel::Impl &kernel,
                                   const GradientArguments &a, int64_t bytes) {
  if (!a.workspace) {
    ATTN_TRY_ASSIGN(bool capturing, kernel.isCapturing(a.stream));
    if (capturing)
      return Error{"expects a workspace of " + std::to_string(bytes) +
                   " bytes for a launch in a stream capture, got none"};
    return {};
  }
  if (a.workspaceBytes < bytes)
    return Error{"expects a workspace of at least " + std::to_string(bytes) +
                 " bytes, got " + std::to_string(a.workspaceBytes)};
  if (reinterpret_cast<uintptr_t>(a.workspace) % 16)
    return Error{"expects a workspace aligned to 16 bytes"};
  return {};
}

Result<void> GradientKernel::run(const GradientArguments &a) const {
  ATTN_TRY(checkArguments(*pimpl, a));
  ProblemSizes sizes = sizesOf(a);
  int64_t bytes = workspaceBytes(sizes, a.captures);
  bool hasPairs = rowsOf(a.query) != 0 && a.key.sizes[2] != 0;
  if (hasPairs)
    ATTN_TRY(checkWorkspace(*pimpl, a, bytes));
  ATTN_TRY_ASSIGN(std::vector<float *> gradCaptures,
                  clearGradCaptures(*pimpl, a));
  // Without them no mod is evaluated.
  if (!hasPairs) {
    for (const TensorView &view : {a.gradQuery, a.gradKey, a.gradValue})
      ATTN_TRY(pimpl->writeZeros(view, a.stream));
    return {};
  }
  std::shared_ptr<void> own;
  if (!a.workspace) {
    ATTN_TRY_ASSIGN(own, pimpl->allocate(bytes, a.stream));
  }
  auto *workspace = static_cast<float *>(a.workspace ? a.workspace : own.get());
  Bindings bindings = bindGradients(*pimpl, a, workspace);
  CaptureWorkspace sums(pimpl->sums, sizes, a.captures);
  float *ofSums = workspace + rowFloats(*pimpl, sizes);
  for (auto [memory, count] : sums.slots(ofSums))
    ATTN_TRY(clear(*pimpl, memory, count, a.stream));
  sums.bind(bindings, ofSums, gradCaptures);
  return pimpl->run(a, sums, bindings);
}

Result<void> GradientKernel::prepare(const SizeRange &range) const {
  ATTN_TRY(checkRange(range));
  return pimpl->prepare(&range);
}
Result<void> GradientKernel::prepare(const ProblemSizes &sizes) const {
  return prepare(SizeRange{sizes, sizes});
}
Result<void> GradientKernel::prepare() const { return pimpl->prepare(nullptr); }
Result<void> GradientKernel::prepare(const GradientArguments &a) const {
  ATTN_TRY(checkArguments(*pimpl, a));
  return pimpl->prepare(a);
}

Result<int64_t> GradientKernel::spilledBytes(const ProblemSizes &sizes) const {
  SizeRange range{sizes, sizes};
  ATTN_TRY(checkRange(range));
  return pimpl->spilledBytes(range);
}

double GradientKernel::compileSeconds() const { return pimpl->compileSeconds; }
const std::string &GradientKernel::schedule() const { return pimpl->schedule; }
