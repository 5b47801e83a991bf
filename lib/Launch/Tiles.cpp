// Finding tiles: sizes, memory and the order of the steps, for any target.
#include "TilesImpl.h"

#include "CaptureViews.h"
#include "KernelImpl.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>

using namespace attn;

int64_t TileArray::elements() const {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t(1),
                         std::multiplies<int64_t>());
}

void TileArguments::bind(Bindings &bindings) const {
  for (auto [role, number] :
       {std::pair(Role::QueryCount, queries), std::pair(Role::KeyCount, keys),
        std::pair(Role::SearcherCount, searchers)})
    bindings.word({role}, static_cast<uint64_t>(number));
  const std::pair<Role, const TileArray &> arrays[] = {
      {Role::QueryParts, queryParts},
      {Role::KeyParts, keyParts},
      {Role::QueryLeaders, queryLeaders},
      {Role::KeyLeaders, keyLeaders},
      {Role::KeptTiles, kept},
      {Role::FullTiles, full},
      {Role::ListOrder, order},
      {Role::ListFirsts, firsts},
      {Role::ListCounts, counts},
      {Role::ListTiles, tiles},
      {Role::ListTotal, total},
      {Role::ListPairs, pairs}};
  for (const auto &[role, array] : arrays)
    bindings.memory({role}, array.data, array.sizes);
}

int64_t TileMap::count(TileClass wanted) const {
  return std::count(tiles.begin(), tiles.end(), wanted);
}

int64_t TileLists::bytes() const {
  return pimpl->fixed->bytes + pimpl->entries->bytes;
}

//===--- code -------------------------------------------------------------===//

TileCodeResult TileFinder::Impl::code(TileGroup group) const {
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<TileCode> &code = codes[static_cast<size_t>(group)];
  if (code)
    return code;
  ATTN_TRY_ASSIGN(KernelImage image, source->tiles(group, queryTile, keyTile));
  ATTN_TRY_ASSIGN(code, load(image));
  return code;
}

Result<void> TileFinder::Impl::run(TileStep step, int64_t tasks,
                                   const TileArguments &arguments,
                                   const std::vector<CaptureView> &views,
                                   void *stream) const {
  ATTN_TRY_ASSIGN(auto found, code(step.group));
  Bindings bindings;
  arguments.bind(bindings);
  bindCaptures(bindings, captures, views);
  return found->run(step.number, tasks, bindings, stream);
}

Result<TileFinder>
attn::createTileFinder(const KernelDescription &of,
                       std::shared_ptr<const TileSource> source,
                       int64_t queryTile, int64_t keyTile) {
  auto start = std::chrono::steady_clock::now();
  using Impl = TileFinder::Impl;
  ATTN_TRY_ASSIGN(auto impl,
                  of.spec.target == Target::CPU
                      ? Result<std::shared_ptr<Impl>>(createCPUTileFinder())
                      : createCUDATileFinder());
  impl->source = std::move(source);
  impl->captures = of.captures;
  impl->mask = of.mask;
  impl->queryTile = queryTile, impl->keyTile = keyTile;
  ATTN_TRY(impl->code(TileGroup::Lists));
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  impl->compileSeconds = time.count();
  return TileFinder(std::move(impl));
}

Result<void> TileFinder::prepare() const {
  for (TileGroup group : {TileGroup::Lists, TileGroup::Transposed})
    ATTN_TRY(pimpl->code(group));
  return {};
}

double TileFinder::compileSeconds() const { return pimpl->compileSeconds; }
int64_t TileFinder::queryTile() const { return pimpl->queryTile; }
int64_t TileFinder::keyTile() const { return pimpl->keyTile; }

//===--- memory -----------------------------------------------------------===//

static int64_t ceilDiv(int64_t x, int64_t y) { return (x + y - 1) / y; }

/// Above this the lists are counted before they are allocated.
static constexpr int64_t maxUncountedBytes = int64_t(64) << 20;

namespace {
/// Places arrays one after the other, each aligned to 256 bytes.
class Layout {
public:
  void add(TileArray &array, std::vector<int64_t> sizes, int64_t width) {
    array.sizes = std::move(sizes);
    placed.push_back({&array, bytes});
    bytes += ceilDiv(array.elements() * width, 256) * 256;
  }
  void place(void *memory) {
    for (auto [array, offset] : placed)
      array->data = static_cast<char *>(memory) + offset;
  }
  int64_t bytes = 0;

private:
  std::vector<std::pair<TileArray *, int64_t>> placed;
};
} // namespace

/// Gives `memory` at least `bytes`.
static Result<void> provide(const TileFinder::Impl &finder,
                            std::unique_ptr<TileMemory> &memory,
                            int64_t bytes) {
  if (memory && memory->bytes >= bytes)
    return {};
  memory.reset();
  ATTN_TRY_ASSIGN(memory, finder.allocate(bytes));
  return {};
}

/// Counts the rows' tiles, allocates `tiles` and lists them.
static Result<void> makeLists(const TileFinder::Impl &finder,
                              TileLists::Impl &lists, int64_t columns,
                              const std::vector<CaptureView> &captures,
                              void *stream) {
  TileArguments &a = lists.arguments;
  int64_t rows = a.order.elements();
  ATTN_TRY(finder.clear(a.total.data, sizeof(int64_t), stream));
  ATTN_TRY(finder.run(lists.transposed ? tile_steps::countTransposed
                                       : tile_steps::count,
                      rows, a, captures, stream));
  int64_t entries = rows * columns;
  if (entries * int64_t(sizeof(int32_t)) > maxUncountedBytes) {
    ATTN_TRY(finder.copyToHost(&entries, a.total.data, sizeof entries, stream));
  }
  a.tiles.sizes = {entries + 1};
  ATTN_TRY(provide(finder, lists.entries, (entries + 1) * sizeof(int32_t)));
  a.tiles.data = lists.entries->data;
  return finder.run(lists.transposed ? tile_steps::fillTransposed
                                     : tile_steps::fill,
                    rows, a, captures, stream);
}

Result<TileLists> TileFinder::find(const ProblemSizes &sizes,
                                   const std::vector<CaptureView> &captures,
                                   void *stream, TileLists reuse) const {
  ATTN_TRY(checkCaptures(pimpl->captures, captures));
  if (sizes.queries > INT32_MAX || sizes.keys > INT32_MAX)
    return Error{"expects lengths below 2^31"};
  bool fresh = !reuse || reuse.impl().transposed;
  auto lists = fresh ? std::make_shared<TileLists::Impl>()
                     : std::shared_ptr<TileLists::Impl>(reuse.share());
  lists->sizes = sizes;
  lists->queryTile = pimpl->queryTile, lists->keyTile = pimpl->keyTile;
  lists->readsBatch = pimpl->mask.readsBatch,
  lists->readsHead = pimpl->mask.readsHead;
  TileArguments &a = lists->arguments;
  a.queries = sizes.queries, a.keys = sizes.keys;
  int64_t batches = pimpl->mask.readsBatch ? sizes.batch : 1;
  int64_t heads = pimpl->mask.readsHead ? sizes.heads : 1;
  int64_t rows = ceilDiv(sizes.queries, pimpl->queryTile);
  int64_t columns = ceilDiv(sizes.keys, pimpl->keyTile);
  Layout layout;
  layout.add(a.firsts, {batches, heads, rows}, 8);
  layout.add(a.total, {1}, 8);
  layout.add(a.pairs, {batches, heads, rows}, 8);
  layout.add(a.order, {batches, heads, rows}, 4);
  layout.add(a.counts, {batches, heads, rows, 2}, 4);
  layout.add(a.queryParts, {pimpl->mask.queryParts, batches, heads, rows, 2},
             4);
  layout.add(a.keyParts, {pimpl->mask.keyParts, batches, heads, columns, 2}, 4);
  layout.add(a.queryLeaders,
             {batches, heads, rows,
              pimpl->mask.hasQueryClasses ? ceilDiv(pimpl->queryTile, 32) : 0},
             4);
  layout.add(a.keyLeaders,
             {batches, heads, columns,
              pimpl->mask.hasKeyClasses ? ceilDiv(pimpl->keyTile, 32) : 0},
             4);
  layout.add(a.kept, {batches, heads, rows, ceilDiv(columns, 32)}, 4);
  layout.add(a.full, a.kept.sizes, 4);
  ATTN_TRY(provide(*pimpl, lists->fixed, layout.bytes));
  layout.place(lists->fixed->data);
  if (a.tiles.sizes.empty())
    a.tiles.sizes = {0}; // Until they are counted.

  a.searchers = pimpl->searchersOf(a.kept.elements());

  // The two adjoin.
  int64_t bits = static_cast<char *>(a.full.data) -
                 static_cast<char *>(a.kept.data) + a.full.elements() * 4;
  // Without queries or without keys there is no pair: nothing may be read.
  bool pairs = a.kept.elements() != 0;
  if (pairs)
    ATTN_TRY(pimpl->clear(a.kept.data, bits, stream));
  if (pairs && (pimpl->mask.queryParts || pimpl->mask.hasQueryClasses))
    ATTN_TRY(pimpl->run(tile_steps::queryParts, batches * heads * rows, a,
                        captures, stream));
  if (pairs && (pimpl->mask.keyParts || pimpl->mask.hasKeyClasses))
    ATTN_TRY(pimpl->run(tile_steps::keyParts, batches * heads * columns, a,
                        captures, stream));
  ATTN_TRY(pimpl->run(tile_steps::classify, a.kept.elements() * a.searchers, a,
                      captures, stream));
  ATTN_TRY(makeLists(*pimpl, *lists, columns, captures, stream));
  return TileLists(lists);
}

Result<TileLists> TileFinder::transpose(const TileLists &lists,
                                        void *stream) const {
  if (lists.impl().transposed)
    return Error{"expects lists for query tiles, got transposed ones"};
  auto result = std::make_shared<TileLists::Impl>();
  const TileArguments &from = lists.impl().arguments;
  result->sizes = lists.impl().sizes;
  result->queryTile = pimpl->queryTile, result->keyTile = pimpl->keyTile;
  result->transposed = true;
  result->source = lists.share();
  TileArguments &a = result->arguments;
  a = from;
  // The functions take captures of the right kind, which these do not read.
  std::vector<CaptureView> none;
  for (const CaptureInfo &info : pimpl->captures)
    none.push_back({a.total.data, std::vector<int64_t>(info.rank, 0)});
  static const int64_t zero = 0;
  for (size_t i = 0; i < none.size(); ++i)
    if (pimpl->captures[i].isScalar)
      none[i].data = &zero;
  int64_t batches = from.kept.sizes[0], heads = from.kept.sizes[1];
  int64_t rows = ceilDiv(result->sizes.keys, pimpl->keyTile);
  Layout layout;
  layout.add(a.firsts, {batches, heads, rows}, 8);
  layout.add(a.total, {1}, 8);
  layout.add(a.order, {batches, heads, rows}, 4);
  layout.add(a.counts, {batches, heads, rows, 2}, 4);
  ATTN_TRY(provide(*pimpl, result->fixed, layout.bytes));
  layout.place(result->fixed->data);
  ATTN_TRY(makeLists(*pimpl, *result, from.kept.sizes[2], none, stream));
  return TileLists(result);
}

bool attn::hasListsFor(const TileFinder &finder, const KernelArguments &a) {
  return a.tiles && a.tiles->impl().queryTile == finder.queryTile() &&
         a.tiles->impl().keyTile == finder.keyTile();
}

Result<const TileLists *> attn::listsFor(const TileFinder &finder,
                                         const KernelArguments &a,
                                         TileLists &own) {
  if (hasListsFor(finder, a))
    return a.tiles;
  ATTN_TRY_ASSIGN(own, finder.find(sizesOf(a), a.captures, a.stream));
  return &own;
}

//===--- on the host ------------------------------------------------------===//

template <typename T>
static Result<std::vector<T>> fetch(const TileFinder::Impl &finder,
                                    const TileArray &array, int64_t elements,
                                    void *stream) {
  std::vector<T> host(elements);
  if (elements)
    ATTN_TRY(finder.copyToHost(host.data(), array.data, elements * sizeof(T),
                               stream));
  return host;
}

Result<TileMap> TileFinder::map(const TileLists &lists, void *stream) const {
  const TileArguments &a = lists.impl().arguments;
  ATTN_TRY_ASSIGN(auto kept,
                  fetch<uint32_t>(*pimpl, a.kept, a.kept.elements(), stream));
  ATTN_TRY_ASSIGN(auto full,
                  fetch<uint32_t>(*pimpl, a.full, a.full.elements(), stream));
  TileMap map;
  map.queryTile = pimpl->queryTile, map.keyTile = pimpl->keyTile;
  map.batches = a.kept.sizes[0], map.heads = a.kept.sizes[1];
  map.rows = a.kept.sizes[2];
  map.columns = ceilDiv(a.keys, pimpl->keyTile);
  int64_t words = a.kept.sizes[3];
  map.tiles.reserve(map.batches * map.heads * map.rows * map.columns);
  for (int64_t row = 0; row < map.batches * map.heads * map.rows; ++row)
    for (int64_t column = 0; column < map.columns; ++column) {
      int64_t word = row * words + column / 32;
      bool isKept = kept[word] >> column % 32 & 1;
      bool isFull = full[word] >> column % 32 & 1;
      map.tiles.push_back(isFull   ? TileClass::Full
                          : isKept ? TileClass::Partial
                                   : TileClass::Empty);
    }
  return map;
}

Result<TileFinder::Entries> TileFinder::entries(const TileLists &lists,
                                                void *stream) const {
  const TileArguments &a = lists.impl().arguments;
  int64_t rows = a.order.elements();
  auto order = fetch<int32_t>(*pimpl, a.order, rows, stream);
  auto firsts = fetch<int64_t>(*pimpl, a.firsts, rows, stream);
  auto counts = fetch<int32_t>(*pimpl, a.counts, 2 * rows, stream);
  auto total = fetch<int64_t>(*pimpl, a.total, 1, stream);
  if (!order || !firsts || !counts || !total)
    return Error{"the lists cannot be read back"};
  ATTN_TRY_ASSIGN(auto tiles,
                  fetch<int32_t>(*pimpl, a.tiles, total->front(), stream));
  Entries entries;
  entries.order = std::move(*order);
  for (int64_t row = 0; row < rows; ++row) {
    auto first = tiles.begin() + (*firsts)[row];
    auto middle = first + (*counts)[2 * row];
    entries.partial.emplace_back(first, middle);
    entries.full.emplace_back(middle, middle + (*counts)[2 * row + 1]);
  }
  return entries;
}

Result<int64_t>
TileFinder::countPairs(const ProblemSizes &sizes,
                       const std::vector<CaptureView> &captures) const {
  ATTN_TRY_ASSIGN(TileLists lists, find(sizes, captures));
  const TileArguments &a = lists.impl().arguments;
  ATTN_TRY(pimpl->run(tile_steps::countPairs, a.pairs.elements(), a, captures,
                      nullptr));
  ATTN_TRY_ASSIGN(auto pairs,
                  fetch<int64_t>(*pimpl, a.pairs, a.pairs.elements(), nullptr));
  int64_t sum = std::accumulate(pairs.begin(), pairs.end(), int64_t(0));
  if (!pimpl->mask.readsBatch)
    sum *= sizes.batch;
  if (!pimpl->mask.readsHead)
    sum *= sizes.heads;
  return sum;
}
