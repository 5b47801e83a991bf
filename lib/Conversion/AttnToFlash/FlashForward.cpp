// See FlashForward.h. The functions follow the order of one task: where it is,
// which key tiles it visits, one visit, the results.
#include "FlashForward.h"

#include "Chunks.h"
#include "ModOnTiles.h"
#include "OnlineSoftmax.h"
#include "PagedKeys.h"
#include "Shares.h"

#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn;

namespace {

class FlashForward : TileBuilder {
public:
  FlashForward(ImplicitLocOpBuilder &builder, AttentionOp op,
               const FlashOperands &operands, bool roundProbabilities)
      : TileBuilder(builder), op(op), operands(operands),
        roundProbabilities(roundProbabilities),
        elementType(op.getElementType()),
        queryTile(op.getSchedule()->getTiling().q),
        // Widths are multiples of 16, which every matrix unit divides.
        headDim(llvm::alignTo(op.getHeadDim(), 16)),
        valueDim(llvm::alignTo(op.getValueDim(), 16)),
        stepKeys(op.getSchedule()->getTiling().kv),
        keyWarps(op.getSchedule()->getRoles().keyWarps),
        keyTile(stepKeys / keyWarps), tasks(builder, op, operands),
        softmax(*this, queryTile, exponentFactor(op)) {}

  void build() {
    if (op.getSchedule()->getTiling().shares)
      return buildShares();
    if (op.getSchedule()->getTiling().chunk)
      return buildChunks();
    auto forall = scf::ForallOp::create(
        b,
        getAsOpFoldResult(ValueRange{tasks.batches, tasks.heads, tasks.tiles}),
        ValueRange{}, std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    auto ids = forall.getInductionVars();
    Value batch = ids[0], tile;
    if (tasks.areRagged())
      std::tie(batch, tile) = tasks.enterSequence(batch, ids[2]);
    beginTask(batch, ids[1]);
    if (!tile)
      tile = tasks.tileAt(batch, ids[1], ids[2]);
    std::unique_ptr<Visits> visits = tasks.visits(batch, ids[1], tile);
    storeResults(visitTiles(*visits, visits->first, visits->end));
  }

private:
  /// The softmax and the sum of weighted values.
  struct Sums {
    OnlineSoftmax::State rows;
    Value output;
  };

  /// The kernel that merges begins when all blocks have, of shares at once and
  /// of chunks with the last ones: it takes no room that these need.
  void letMergeBegin() {
    if (op.getSchedule()->getPipeline().dependent)
      tile::LaunchDependentsOp::create(b);
  }

  //===--- warps that deal keys among them --------------------------------===//
  /// What `build` emits, by each of the warps that have the same rows.
  void forKeyWarps(llvm::function_ref<void()> build) {
    if (keyWarps == 1)
      return build();
    auto warp = gpu::GPUWarpMappingAttr::get(b.getContext(),
                                             gpu::MappingId::LinearDim0);
    auto forall = scf::ForallOp::create(
        b, ArrayRef<OpFoldResult>(b.getIndexAttr(keyWarps)), ValueRange{},
        b.getArrayAttr(warp));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    keyWarp = forall.getInductionVar(0);
    build();
  }

  /// What `store` emits, by one of them.
  void forOneWarp(llvm::function_ref<void()> store) {
    if (!keyWarp)
      return store();
    onlyIf(
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, keyWarp, index(0)),
        store);
  }

  /// Of all of them together, relative to the greatest maximum itself.
  Sums together(const Sums &own) {
    if (!keyWarp)
      return own;
    Value maximum = combine(own.rows.maximum, /*greatest=*/true);
    Value factor = softmax.relativeTo(maximum, own.rows);
    return {{maximum, combine(times(own.rows.sum, factor)),
             arith::ConstantIntOp::create(b, true, 1)},
            combine(times(own.output, factor))};
  }

  Value combine(Value partial, bool greatest = false) {
    return tile::CombineWarpsOp::create(b, partial.getType(), greatest, partial,
                                        IntegerAttr());
  }

  //===--- shares ---------------------------------------------------------===//
  void buildShares() {
    Value count = countShares(b, operands.partialSums);
    auto block = gpu::GPUBlockMappingAttr::get(b.getContext(),
                                               gpu::MappingId::LinearDim0);
    auto forall = scf::ForallOp::create(b, getAsOpFoldResult(ValueRange(count)),
                                        ValueRange{}, b.getArrayAttr(block));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    letMergeBegin();
    forKeyWarps([&] { buildShare(forall.getInductionVar(0), count); });
  }

  void buildShare(Value share, Value count) {
    Shares shares(b, tasks, count);
    Value begin = shares.begin(share);
    Value end = shares.begin(arith::AddIOp::create(b, share, index(1)));
    Shares::Task first = shares.find(begin);
    auto loop = scf::WhileOp::create(
        b, SmallVector<Type>(3, b.getIndexType()),
        ValueRange{first.number, first.start, index(0)},
        [&](OpBuilder &nested, Location, ValueRange at) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          scf::ConditionOp::create(b, less(at[1], end), at);
        },
        [&](OpBuilder &nested, Location, ValueRange at) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          Part part = buildPart(shares, {share, begin, end}, {at[0], at[1]});
          Value next = arith::AddIOp::create(b, at[0], index(1));
          scf::YieldOp::create(b, ValueRange{next, part.behind, part.more});
        });
    Value last = arith::SubIOp::create(b, loop.getResult(0), index(1));
    onlyIf(countsAreOfShares(*this, tasks, operands),
           [&] { storeCount(share, loop.getResult(2), last); });
  }

  struct Share {
    Value number, begin, end; ///< index
  };

  struct Part {
    Value behind; ///< index: where the task ends
    /// index: how many parts of the task are behind this one, if that is the
    /// first.
    Value more;
  };

  /// What a share does of a task.
  Part buildPart(Shares &shares, const Share &share, const Shares::Task &task) {
    TaskPlace at = tasks.placeOf(task.number);
    beginTask(at.batch, at.head);
    std::unique_ptr<Visits> visits = tasks.visits(batchId, headId, at.tile);
    Value behind =
        arith::AddIOp::create(b, task.start, shares.lengthOf(*visits));
    // The visit at a position of the line.
    Value firstVisit = arith::AddIOp::create(b, task.start, index(1));
    auto visitAt = [&](Value position) -> Value {
      return arith::AddIOp::create(
          b, visits->first, arith::SubIOp::create(b, position, firstVisit));
    };
    Value low = arith::MaxSIOp::create(b, share.begin, firstVisit);
    Value high = arith::MinSIOp::create(b, share.end, behind);
    Sums sums = visitTiles(*visits, visitAt(low), visitAt(high));

    Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                                          share.begin, task.start);
    Value isLast =
        arith::CmpIOp::create(b, arith::CmpIPredicate::sle, behind, share.end);
    storeWhole(arith::AndIOp::create(b, isFirst, isLast), sums,
               [&] { return slotOfShare(*this, share.number, isFirst); });
    Value lastShare =
        shares.shareOf(arith::SubIOp::create(b, behind, index(1)));
    Value more = arith::SubIOp::create(b, lastShare, share.number);
    onlyIf(isFirst, [&] {
      onlyIf(negated(countsAreOfShares(*this, tasks, operands)),
             [&] { storeCount(task.number, more, share.number); });
    });
    return {behind, arith::SelectOp::create(b, isFirst, more, index(0))};
  }

  //===--- chunks ---------------------------------------------------------===//
  /// A block for each slot.
  void buildChunks() {
    Value slots = memref::DimOp::create(b, operands.partialSums, 0);
    Chunks chunks(b, tasks, slots, op.getSchedule()->getTiling().chunk);
    auto block = gpu::GPUBlockMappingAttr::get(b.getContext(),
                                               gpu::MappingId::LinearDim0);
    auto forall = scf::ForallOp::create(b, getAsOpFoldResult(ValueRange(slots)),
                                        ValueRange{}, b.getArrayAttr(block));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    letMergeBegin();
    forKeyWarps([&] { buildChunk(chunks, forall.getInductionVar(0)); });
  }

  void buildChunk(Chunks &chunks, Value slot) {
    Value task = arith::DivUIOp::create(b, slot, chunks.slotsOfEach);
    Value part = arith::RemUIOp::create(b, slot, chunks.slotsOfEach);
    TaskPlace at = tasks.placeOf(task);
    beginTask(at.batch, at.head);
    std::unique_ptr<Visits> visits = tasks.visits(batchId, headId, at.tile);
    Value count = chunks.countOf(*visits);
    auto exists = scf::IfOp::create(b, less(part, count),
                                    /*withElseRegion=*/false);
    b.setInsertionPoint(exists.thenYield());
    Value size = chunks.sizeOf(*visits);
    Value low = arith::AddIOp::create(b, visits->first,
                                      arith::MulIOp::create(b, part, size));
    Value high = arith::MinSIOp::create(b, arith::AddIOp::create(b, low, size),
                                        visits->end);
    Sums sums = visitTiles(*visits, low, high);
    storeWhole(
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, count, index(1)),
        sums, [&] { return slot; });
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, part, index(0));
    onlyIf(isFirst, [&] {
      storeCount(task, arith::SubIOp::create(b, count, index(1)), task);
    });
  }

  //===--- parts ----------------------------------------------------------===//
  /// Results where the part is the `whole` (i1), else what the part made of it.
  void storeWhole(Value whole, const Sums &sums,
                  llvm::function_ref<Value()> slot) {
    forOneWarp([&] {
      onlyIf(
          whole, [&] { storeResults(sums); }, [&] { storePart(sums, slot()); });
    });
  }

  /// For who merges, as Role::PartialCounts has it; all of type index.
  void storeCount(Value place, Value more, Value other) {
    forOneWarp([&] {
      for (auto [i, number] : {std::pair(0, more), std::pair(1, other)})
        memref::StoreOp::create(b, toI32(number), operands.partialCounts,
                                ValueRange{place, index(i)});
    });
  }

  void storePart(const Sums &sums, Value slot) {
    Value zero = index(0);
    tile::StoreOp::create(b, times(sums.output, softmax.inverseSum(sums.rows)),
                          operands.partialOut, ValueRange{slot, zero});
    tile::StoreOp::create(b, sums.rows.maximum, operands.partialSums,
                          ValueRange{slot, zero, zero});
    tile::StoreOp::create(b, softmax.exactSum(sums.rows), operands.partialSums,
                          ValueRange{slot, index(1), zero});
  }

  Value negated(Value x) {
    return arith::XOrIOp::create(b, x,
                                 arith::ConstantIntOp::create(b, true, 1));
  }

  Value less(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, y);
  }

  //===--- a task ---------------------------------------------------------===//
  void beginTask(Value batch, Value head) {
    batchId = batch, headId = head;
    keyHeadId = tasks.keyHeadOf(head);
    queryRows = tasks.queryRows, keyRows = tasks.keyRows;
    if (!tasks.areRagged())
      queryRows.batch = keyRows.batch = batch;
    at.batch = toI32(batch);
    at.head = tasks.packed ? Value() : toI32(head);
    findPages();
  }

  /// Those of the task's sequence.
  void findPages() {
    if (!operands.pages)
      return;
    Value length;
    if (operands.lengths)
      length = memref::LoadOp::create(b, operands.lengths, batchId);
    TileBuilder &self = *this;
    pagedKeys.emplace(self, Pages{operands.pages, operands.key}, batchId,
                      length);
  }

  /// The visits from `low` to before `high` (index) of the task.
  Sums visitTiles(Visits &visits, Value low, Value high) {
    at.own = tasks.own, at.visited = tasks.visited;
    at.firstRow = visits.firstRow;
    if (tasks.packed && readsRows(op.lookupMod()))
      at.pairs =
          pairsOfRows(*this, at.own, at.firstRow, tasks.firstHeadOf(headId));
    // A scale that is in the exponent is in no score.
    ModOnTiles mod(*this, op.lookupMod(),
                   isScaleInExponent(op) ? 1 : op.getScaleValue(),
                   operands.captures, at);

    OwnRows own = ownRows();
    query = tile::LoadOp::create(
        b, RankedTensorType::get({queryTile, headDim}, elementType), own.memory,
        own.place, /*table=*/Value(), /*end=*/Value(),
        /*held=*/false, tasks.packed);
    SmallVector<Value> start = softmax.initial().values();
    start.push_back(splat({queryTile, valueDim}, 0));
    auto loop = scf::ForOp::create(
        b, low, high, index(1), start,
        [&](OpBuilder &, Location, Value visit, ValueRange carried) {
          Value tile = visits.tileOf(visit);
          Value firstKey = firstKeyOf(tile);
          // With roles others copy, and who computes has time to wait for them.
          TileProgram::PairRead read;
          if (op.getSchedule()->getRoles().hasProducers())
            read = mod.readPairs(
                RankedTensorType::get({queryTile, keyTile}, b.getF32Type()),
                firstKey);
          Value scores = mod.score(product(firstKey), firstKey, read);
          Value partial = isPartial(visits, visit, tile, firstKey);
          scores = either(
              partial, [&] { return mod.mask(scores, firstKey, hasPage()); },
              [&] { return scores; });
          scf::YieldOp::create(b,
                               addValues(scores, partial, firstKey, carried));
        });
    return together({OnlineSoftmax::State::of(loop.getResults()),
                     loop.getResults().back()});
  }

  /// Of the warp's own keys of a tile.
  Value firstKeyOf(Value tile) {
    Value first = arith::MulIOp::create(b, tile, index(stepKeys));
    if (!keyWarp)
      return first;
    return arith::AddIOp::create(
        b, first, arith::MulIOp::create(b, keyWarp, index(keyTile)));
  }

  struct OwnRows {
    Value memory;
    SmallVector<Value> place;
  };
  /// The queries of the task. Those of the next sequence, which may be in its
  /// tile, have a part in what warps decide for all rows (tile.any_beyond):
  /// with `invariant` they are not read.
  OwnRows ownRows() {
    if (op.getInvariant() && queryRows.first)
      return {queryRows.of(*this, tasks.query, tasks.own.length),
              {queryRows.batch, headId, at.firstRow}};
    return {tasks.query,
            {queryRows.batch, headId, queryRows.at(*this, at.firstRow)}};
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

  void storeResults(const Sums &sums) {
    Value result = truncate(times(sums.output, softmax.inverseSum(sums.rows)),
                            elementType);
    store(result, tasks.out);
    if (tasks.lse)
      store(softmax.logSumExp(sums.rows), tasks.lse);
  }

  /// The task's rows, of those of its sequence.
  void store(Value tile, Value memory) {
    tile::StoreOp::create(b, tile,
                          queryRows.of(*this, memory, tasks.own.length),
                          ValueRange{queryRows.batch, headId, at.firstRow},
                          /*held=*/false, tasks.packed);
  }

  AttentionOp op;
  const FlashOperands &operands;
  bool roundProbabilities;
  Type elementType;
  int64_t queryTile, headDim, valueDim;
  /// Keys of a step, and those of them that a warp has.
  int64_t stepKeys, keyWarps, keyTile;
  ForwardTasks tasks;
  OnlineSoftmax softmax;

  Value keyWarp; ///< index: which one this is; null: there is one

  // Of the task.
  Value batchId, headId, keyHeadId, query;
  SequenceRows queryRows, keyRows;
  std::optional<PagedKeys> pagedKeys;
  ScorePosition at;
};

} // namespace

void mlir::attn::buildFlashForward(ImplicitLocOpBuilder &builder,
                                   AttentionOp op,
                                   const FlashOperands &operands,
                                   bool roundProbabilities) {
  FlashForward(builder, op, operands, roundProbabilities).build();
}
