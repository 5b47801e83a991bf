// See FlashForward.h. The functions follow the order of one task: where it is,
// which key tiles it visits, one visit, the epilogue.
#include "FlashForward.h"

#include "ModOnTiles.h"
#include "OnlineSoftmax.h"
#include "PackedRows.h"
#include "PagedKeys.h"
#include "Sequences.h"

#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn;

namespace {

constexpr double log2e = 1.4426950408889634;

class FlashForward : TileBuilder {
public:
  FlashForward(ImplicitLocOpBuilder &builder, AttentionOp op,
               const FlashOperands &operands, bool roundProbabilities)
      : TileBuilder(builder), op(op), operands(operands),
        roundProbabilities(roundProbabilities),
        elementType(op.getElementType()),
        packed(op.getSchedule()->getTiling().pack),
        queryTile(op.getSchedule()->getTiling().q),
        keyTile(op.getSchedule()->getTiling().kv),
        // Widths are multiples of 16, which every matrix unit divides.
        headDim(llvm::alignTo(op.getHeadDim(), 16)),
        valueDim(llvm::alignTo(op.getValueDim(), 16)),
        // Without a score program the scale moves into the exponent, but a
        // factor below zero there would turn the running maximum into a
        // minimum.
        scaleInExponent(!hasScore() && op.getScaleValue() > 0),
        softmax(*this, queryTile,
                scaleInExponent ? op.getScaleValue() * log2e : log2e) {}

  void build() {
    auto dim = [&](Value memory, int64_t i) -> Value {
      return memref::DimOp::create(b, memory, i);
    };
    Value heads = dim(operands.query, 1), keyHeads = dim(operands.key, 1);
    queries = dim(operands.query, 2);
    Value keys = operands.pages ? pages().room(*this) : dim(operands.key, 2);
    headsPerKeyHead = arith::DivUIOp::create(
        b, heads, arith::MaxUIOp::create(b, keyHeads, index(1)));
    own = axisOf(Axis::Query, queryTile, queries);
    visited = axisOf(Axis::Key, keyTile, keys);
    if (packed) {
      packRows();
      heads = keyHeads;
    }
    tiles = operands.queryStarts
                ? countSequenceTiles(*this, operands.queryStarts, queries,
                                     queryTile)
                : arith::CeilDivSIOp::create(b, own.length, index(queryTile));
    auto forall = scf::ForallOp::create(
        b, getAsOpFoldResult(ValueRange{dim(operands.query, 0), heads, tiles}),
        ValueRange{}, std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    buildTask(forall.getInductionVars());
  }

private:
  bool hasScore() {
    ModOp mod = op.lookupMod();
    return mod && mod.hasScore();
  }

  TiledAxis axisOf(Axis axis, int64_t tile, Value length) {
    return {axis, tile, length, arith::SubIOp::create(b, length, index(1))};
  }

  /// Makes (query, head) pairs of the heads that share keys the rows.
  void packRows() {
    Value group = arith::MaxUIOp::create(b, headsPerKeyHead, index(1));
    own = axisOf(Axis::Query, queryTile,
                 arith::MulIOp::create(b, queries, group));
    own.group = group;
    for (Value *rows : {&operands.query, &operands.out, &operands.lse})
      if (*rows)
        *rows = memoryOfPairs(*this, *rows, own.group);
  }

  /// `ids`: the batch, the head (of keys, with `packed`) and the number of the
  /// task among theirs.
  void buildTask(ValueRange ids) {
    batchId = ids[0], headId = ids[1];
    keyHeadId =
        packed ? headId
               : arith::DivUIOp::create(b, headId, headsPerKeyHead).getResult();
    queryRows.batch = keyRows.batch = batchId;
    Value task = ids[2];
    if (operands.queryStarts || operands.keyStarts)
      task = goToSequence(task);
    findPages();
    ScorePosition at;
    at.own = own, at.visited = visited;
    at.batch = toI32(batchId);
    at.head = packed ? Value() : toI32(headId);
    // Of which rows, in a kernel of pairs, have some or all.
    Value firstHead =
        packed ? arith::MulIOp::create(b, headId, own.group).getResult()
               : headId;
    std::unique_ptr<Visits> visits = this->visits(firstHead, task);
    if (operands.queryStarts) // a task may have no rows
      visits->end = arith::SelectOp::create(
          b,
          arith::CmpIOp::create(b, arith::CmpIPredicate::slt, visits->firstRow,
                                own.length),
          visits->end, visits->first);
    firstRow = at.firstRow = visits->firstRow;
    if (packed && readsRows(op.lookupMod()))
      at.pairs = pairsOfRows(*this, own, firstRow, firstHead);
    // A scale that is in the exponent is in no score.
    ModOnTiles mod(*this, op.lookupMod(),
                   scaleInExponent ? 1 : op.getScaleValue(), operands.captures,
                   at);

    query = tile::LoadOp::create(
        b, RankedTensorType::get({queryTile, headDim}, elementType),
        operands.query,
        ValueRange{queryRows.batch, headId, queryRows.at(*this, firstRow)},
        /*held=*/false, packed);
    SmallVector<Value> start = softmax.initial().values();
    start.push_back(splat({queryTile, valueDim}, 0));
    auto loop = scf::ForOp::create(
        b, visits->first, visits->end, index(1), start,
        [&](OpBuilder &, Location, Value visit, ValueRange carried) {
          Value tile = visits->tileOf(visit);
          Value firstKey = arith::MulIOp::create(b, tile, index(keyTile));
          Value scores = mod.score(product(firstKey), firstKey);
          Value partial = isPartial(*visits, visit, tile, firstKey);
          scores = either(
              partial, [&] { return mod.mask(scores, firstKey, hasPage()); },
              [&] { return scores; });
          scf::YieldOp::create(b,
                               addValues(scores, partial, firstKey, carried));
        });
    epilogue(OnlineSoftmax::State::of(loop.getResults()),
             loop.getResults().back());
  }

  /// Where rows of the task lie. Returns its tile's place in its sequence.
  Value goToSequence(Value tile) {
    if (operands.queryStarts) {
      std::tie(batchId, tile) = sequenceTileAt(
          *this, operands.queryStarts, own.length, queryTile, lastFirst(tile));
      keyRows.batch = batchId;
      enter(own, queryRows, operands.queryStarts);
      queries = own.length;
    } else {
      tile = lastFirst(tile);
    }
    if (operands.keyStarts)
      enter(visited, keyRows, operands.keyStarts);
    return tile;
  }

  /// The axis as that of the task's sequence.
  void enter(TiledAxis &axis, SequenceRows &rows, Value starts) {
    Value length;
    std::tie(rows, length) =
        rowsOfSequence(*this, starts, axis.length, batchId);
    axis = axisOf(axis.axis, axis.tile, length);
    // Of an empty sequence mods may see the first position.
    axis.last = arith::MaxSIOp::create(b, axis.last, index(0));
  }

  /// Masks that grow with the position are common: last rows first.
  Value lastFirst(Value tile) {
    return arith::SubIOp::create(b, arith::SubIOp::create(b, tiles, index(1)),
                                 tile);
  }

  Pages pages() { return {operands.pages, operands.key}; }

  /// Those of the task's sequence.
  void findPages() {
    if (!operands.pages)
      return;
    Value length;
    if (operands.lengths)
      length = memref::LoadOp::create(b, operands.lengths, batchId);
    TileBuilder &self = *this;
    pagedKeys.emplace(self, pages(), batchId, length);
  }

  Value isPartial(Visits &visits, Value visit, Value tile, Value firstKey) {
    Value partial = visits.isPartial(visit, tile);
    if (!pagedKeys)
      return partial;
    return arith::OrIOp::create(b, partial,
                                pagedKeys->anyIsMissing(firstKey, keyTile));
  }

  /// What the mask must keep besides, if there is anything.
  ModOnTiles::KeepColumn hasPage() {
    if (!pagedKeys)
      return nullptr;
    return [&](Value key) { return pagedKeys->hasPage(key); };
  }

  std::unique_ptr<Visits> visits(Value head, Value task) {
    MaskContext context{batchId,           head,
                        queries,           visited.length,
                        operands.captures, loadFromMemory};
    if (operands.lists)
      return visitList(
          *this, operands.logic, context, *operands.lists, own, visited,
          listedTile(*this, operands.logic, context, *operands.lists, task));
    bool isPlaced = operands.queryStarts || operands.keyStarts;
    return visitRun(*this, operands.logic, context, own, visited,
                    isPlaced ? task : lastFirst(task));
  }

  /// The rows of a visit, of keys or of values.
  Value loadKeys(Value memory, Value firstKey, int64_t width) {
    if (pagedKeys)
      return pagedKeys->load(memory, keyHeadId, firstKey, keyTile, width);
    return load(memory, keyRows.batch, keyHeadId, keyRows.at(*this, firstKey),
                keyTile, width);
  }

  /// The queries times the keys from `firstKey` on.
  Value product(Value firstKey) {
    Value key = loadKeys(operands.key, firstKey, headDim);
    return contract(query, key, splat({queryTile, keyTile}, 0),
                    /*transposed=*/true);
  }

  /// The softmax of a tile of scores, and its weights times the values.
  /// `carried`: the softmax's state and the output; returns the new ones.
  SmallVector<Value> addValues(Value score, Value partial, Value firstKey,
                               ValueRange carried) {
    OnlineSoftmax::Step step =
        softmax.step(score, OnlineSoftmax::State::of(carried));
    Value weights = step.weights;

    Value value = loadKeys(operands.value, firstKey, valueDim);
    Value decayed = times(carried.back(), step.decay);
    if (roundProbabilities && !elementType.isF32())
      weights = truncate(weights, elementType);
    SmallVector<Value> next = step.state.values();
    next.push_back(addWeighted(weights, value, decayed, partial));
    return next;
  }

  void epilogue(const OnlineSoftmax::State &rows, Value output) {
    Value result =
        truncate(times(output, softmax.inverseSum(rows)), elementType);
    auto store = [&](Value tile, Value memory) {
      tile::StoreOp::create(b, tile, queryRows.of(*this, memory, own.length),
                            ValueRange{queryRows.batch, headId, firstRow},
                            /*held=*/false, packed);
    };
    store(result, operands.out);
    if (operands.lse)
      store(softmax.logSumExp(rows), operands.lse);
  }

  AttentionOp op;
  FlashOperands operands; ///< packed: memory of pairs
  bool roundProbabilities;
  Type elementType;
  bool packed;
  int64_t queryTile, keyTile, headDim, valueDim;
  bool scaleInExponent;
  OnlineSoftmax softmax;

  TiledAxis own, visited; ///< queries and keys
  SequenceRows queryRows, keyRows;
  Value queries, headsPerKeyHead, tiles; ///< index; tiles of queries
  Value batchId, headId, keyHeadId, firstRow, query; ///< of the task
  std::optional<PagedKeys> pagedKeys;                ///< of the task
};

} // namespace

void mlir::attn::buildFlashForward(ImplicitLocOpBuilder &builder,
                                   AttentionOp op,
                                   const FlashOperands &operands,
                                   bool roundProbabilities) {
  FlashForward(builder, op, operands, roundProbabilities).build();
}
