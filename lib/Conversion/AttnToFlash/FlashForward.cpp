// See FlashForward.h. The functions follow the order of one task: where it is,
// which key tiles it visits, one visit, the epilogue.
#include "FlashForward.h"

#include "ModOnTiles.h"
#include "OnlineSoftmax.h"
#include "PackedRows.h"

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
    Value batch = dim(operands.query, 0), heads = dim(operands.query, 1);
    queries = dim(operands.query, 2);
    Value keys = dim(operands.key, 2);
    Value keyHeads = dim(operands.key, 1);
    headsPerKeyHead = arith::DivUIOp::create(
        b, heads, arith::MaxUIOp::create(b, keyHeads, index(1)));
    own = {Axis::Query, queryTile, queries, {}};
    visited = {Axis::Key, keyTile, keys, {}};
    if (packed) {
      packRows();
      heads = keyHeads;
    }
    for (TiledAxis *axis : {&own, &visited})
      axis->last = arith::SubIOp::create(b, axis->length, index(1));
    tiles = arith::CeilDivSIOp::create(b, own.length, index(queryTile));
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

  /// Makes (query, head) pairs of the heads that share keys the rows.
  void packRows() {
    own.group = arith::MaxUIOp::create(b, headsPerKeyHead, index(1));
    own.length = arith::MulIOp::create(b, queries, own.group);
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
    ScorePosition at;
    at.own = own, at.visited = visited;
    at.batch = toI32(batchId);
    at.head = packed ? Value() : toI32(headId);
    // Of which rows, in a kernel of pairs, have some or all.
    Value firstHead =
        packed ? arith::MulIOp::create(b, headId, own.group).getResult()
               : headId;
    std::unique_ptr<Visits> visits = this->visits(firstHead, ids[2]);
    firstRow = at.firstRow = visits->firstRow;
    if (packed && readsRows(op.lookupMod()))
      at.pairs = pairsOfRows(*this, own, firstRow, firstHead);
    // A scale that is in the exponent is in no score.
    ModOnTiles mod(*this, op.lookupMod(),
                   scaleInExponent ? 1 : op.getScaleValue(), operands.captures,
                   at);

    query = tile::LoadOp::create(
        b, RankedTensorType::get({queryTile, headDim}, elementType),
        operands.query, ValueRange{batchId, headId, firstRow},
        /*held=*/false, packed);
    SmallVector<Value> start = softmax.initial().values();
    start.push_back(splat({queryTile, valueDim}, 0));
    auto loop = scf::ForOp::create(
        b, visits->first, visits->end, index(1), start,
        [&](OpBuilder &, Location, Value visit, ValueRange carried) {
          Value tile = visits->tileOf(visit);
          Value firstKey = arith::MulIOp::create(b, tile, index(keyTile));
          Value scores = mod.score(product(firstKey), firstKey);
          Value partial = visits->isPartial(visit, tile);
          scores = either(
              partial, [&] { return mod.mask(scores, firstKey); },
              [&] { return scores; });
          scf::YieldOp::create(b,
                               addValues(scores, partial, firstKey, carried));
        });
    epilogue(OnlineSoftmax::State::of(loop.getResults()),
             loop.getResults().back());
  }

  std::unique_ptr<Visits> visits(Value head, Value task) {
    MaskContext context{batchId,           head,
                        queries,           visited.length,
                        operands.captures, loadFromMemory};
    if (operands.lists)
      return visitList(
          *this, operands.logic, context, *operands.lists, own, visited,
          listedTile(*this, operands.logic, context, *operands.lists, task));
    // Masks that grow with the position are common: last rows first.
    Value tile = arith::SubIOp::create(
        b, arith::SubIOp::create(b, tiles, index(1)), task);
    if (!operands.logic.hasOneRun(Axis::Key))
      return visitAll(*this, own, visited, tile);
    return visitRun(*this, operands.logic, context, own, visited, tile);
  }

  /// The queries times the keys from `firstKey` on.
  Value product(Value firstKey) {
    Value key =
        load(operands.key, batchId, keyHeadId, firstKey, keyTile, headDim);
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

    Value value =
        load(operands.value, batchId, keyHeadId, firstKey, keyTile, valueDim);
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
      tile::StoreOp::create(b, tile, memory,
                            ValueRange{batchId, headId, firstRow},
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

  TiledAxis own, visited;                ///< queries and keys
  Value queries, headsPerKeyHead, tiles; ///< index; tiles of queries
  Value batchId, headId, keyHeadId, firstRow, query; ///< of the task
};

} // namespace

void mlir::attn::buildFlashForward(ImplicitLocOpBuilder &builder,
                                   AttentionOp op,
                                   const FlashOperands &operands,
                                   bool roundProbabilities) {
  FlashForward(builder, op, operands, roundProbabilities).build();
}
