// See FlashForward.h. The functions follow the order of one task: where it is,
// which key tiles it visits, one visit, the epilogue.
#include "FlashForward.h"

#include "ModOnTiles.h"
#include "OnlineSoftmax.h"
#include "PagedKeys.h"

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
    Value batch = dim(operands.query, 0), heads = dim(operands.query, 1);
    Value queries = dim(operands.query, 2);
    Value keys = operands.pages ? pages().room(*this) : dim(operands.key, 2);
    Value keyHeads = dim(operands.key, 1);
    headsPerKeyHead = arith::DivUIOp::create(
        b, heads, arith::MaxUIOp::create(b, keyHeads, index(1)));
    own = {Axis::Query, queryTile, queries, {}};
    visited = {Axis::Key, keyTile, keys, {}};
    for (TiledAxis *axis : {&own, &visited})
      axis->last = arith::SubIOp::create(b, axis->length, index(1));
    tiles = arith::CeilDivSIOp::create(b, queries, index(queryTile));
    auto forall = scf::ForallOp::create(
        b, getAsOpFoldResult(ValueRange{batch, heads, tiles}), ValueRange{},
        std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    buildTask(forall.getInductionVars());
  }

private:
  bool hasScore() {
    ModOp mod = op.lookupMod();
    return mod && mod.hasScore();
  }

  /// `ids`: the batch, the head and the number of the task among theirs.
  void buildTask(ValueRange ids) {
    batchId = ids[0], headId = ids[1];
    keyHeadId = arith::DivUIOp::create(b, headId, headsPerKeyHead);
    Value batchI32 = toI32(batchId), headI32 = toI32(headId);
    findPages();
    std::unique_ptr<Visits> visits = this->visits(ids[2]);
    firstQuery = visits->firstRow;
    // A scale that is in the exponent is in no score.
    ModOnTiles mod(*this, op.lookupMod(),
                   scaleInExponent ? 1 : op.getScaleValue(), operands.captures,
                   {batchI32, headI32, own, visited, firstQuery});

    query =
        load(operands.query, batchId, headId, firstQuery, queryTile, headDim);
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

  std::unique_ptr<Visits> visits(Value task) {
    MaskContext context{batchId,           headId,
                        own.length,        visited.length,
                        operands.captures, loadFromMemory};
    if (operands.lists)
      return visitList(
          *this, operands.logic, context, *operands.lists, own, visited,
          listedTile(*this, operands.logic, context, *operands.lists, task));
    // Masks that grow with the position are common: last rows first.
    Value tile = arith::SubIOp::create(
        b, arith::SubIOp::create(b, tiles, index(1)), task);
    return visitRun(*this, operands.logic, context, own, visited, tile);
  }

  /// The rows of a visit, of keys or of values.
  Value loadKeys(Value memory, Value firstKey, int64_t width) {
    if (pagedKeys)
      return pagedKeys->load(memory, keyHeadId, firstKey, keyTile, width);
    return load(memory, batchId, keyHeadId, firstKey, keyTile, width);
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
    tile::StoreOp::create(b, result, operands.out,
                          ValueRange{batchId, headId, firstQuery});
    if (operands.lse)
      tile::StoreOp::create(b, softmax.logSumExp(rows), operands.lse,
                            ValueRange{batchId, headId, firstQuery});
  }

  AttentionOp op;
  const FlashOperands &operands;
  bool roundProbabilities;
  Type elementType;
  int64_t queryTile, keyTile, headDim, valueDim;
  bool scaleInExponent;
  OnlineSoftmax softmax;

  TiledAxis own, visited;       ///< queries and keys
  Value headsPerKeyHead, tiles; ///< index; tiles of queries
  Value batchId, headId, keyHeadId, firstQuery, query; ///< of the task
  std::optional<PagedKeys> pagedKeys;                  ///< of the task
};

} // namespace

void mlir::attn::buildFlashForward(ImplicitLocOpBuilder &builder,
                                   AttentionOp op,
                                   const FlashOperands &operands,
                                   bool roundProbabilities) {
  FlashForward(builder, op, operands, roundProbabilities).build();
}
