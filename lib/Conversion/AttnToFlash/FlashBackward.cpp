// See FlashBackward.h.
#include "FlashBackward.h"

#include "CaptureSumKernels.h"
#include "GradientPairs.h"
#include "ModOnTiles.h"

#include "attn/Analysis/ProgramDependence.h"
#include "attn/Analysis/ScheduleCost.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

namespace {

class FlashBackward : TileBuilder {
public:
  FlashBackward(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                ScheduleAttr schedule, const BackwardOperands &operands,
                bool rounds)
      : TileBuilder(builder), op(op), schedule(schedule), operands(operands),
        rounds(rounds), headDim(llvm::alignTo(op.getHeadDim(), 16)),
        valueDim(llvm::alignTo(op.getValueDim(), 16)) {}

  void build() {
    findSizes();
    // With roles others copy, and who computes has time to wait for them. Where
    // there is no room for a tile more, spills cost more than that gains.
    emplaceArithmetic(/*readsAhead=*/schedule.getRoles().hasProducers() &&
                      registersOf(3) <= fewTileRegisters);
    auto forall = scf::ForallOp::create(
        b,
        getAsOpFoldResult(
            ValueRange{batch, ownsQueries() ? heads : keyHeads, tiles}),
        ValueRange{}, std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    auto ids = forall.getInductionVars();
    batchId = ids[0];
    if (ownsQueries())
      buildQueryTask(ids[1], ids[2]);
    else
      buildKeyTask(ids[1], ids[2]);
  }

  /// The pairs of each unit of a sum.
  void buildPairs() {
    findSizes();
    // Without sums of rows threads have registers to spare, on a GPU.
    emplaceArithmetic(
        /*readsAhead=*/static_cast<bool>(op.getCaptureSchedule()));
    forEachSumUnit(*this, op, *operands.sums[0], own.axis,
                   {batch, heads, tiles}, operands.sumMemory[0],
                   [&](const SumUnit &unit) {
                     batchId = unit.batch;
                     addPairs(unit.head, unit.tile, unit.slot);
                   });
  }

private:
  void findSizes() {
    auto dim = [&](Value memory, int64_t i) -> Value {
      return memref::DimOp::create(b, memory, i);
    };
    batch = dim(operands.query, 0), heads = dim(operands.query, 1);
    keyHeads = dim(operands.key, 1);
    headsPerKeyHead = arith::DivUIOp::create(
        b, heads, arith::MaxUIOp::create(b, keyHeads, index(1)));
    TiledAxis queries{
        Axis::Query, schedule.getTiling().q, dim(operands.query, 2), {}};
    TiledAxis keys{
        Axis::Key, schedule.getTiling().kv, dim(operands.key, 2), {}};
    for (TiledAxis *axis : {&queries, &keys})
      axis->last = arith::SubIOp::create(b, axis->length, index(1));
    own = ownsQueries() ? queries : keys;
    visited = ownsQueries() ? keys : queries;
    tiles = arith::CeilDivSIOp::create(b, own.length, index(own.tile));
  }

  void emplaceArithmetic(bool readsAhead) {
    arithmetic.emplace(b, op, own, visited, rounds,
                       /*hasFewRegisters=*/registersOf(2) > fewTileRegisters,
                       readsAhead);
  }

  /// What a thread holds of tiles in a step: sums, and some of scores' size.
  int64_t registersOf(int64_t tilesOfScores) const {
    int64_t channels =
        (operands.gradKey ? headDim : 0) + (operands.gradValue ? valueDim : 0);
    return own.tile * (channels + tilesOfScores * visited.tile) /
           schedule.getRoles().getComputingThreads();
  }

  /// Whether pairs of positions that exist may be left out.
  bool mayDrop() {
    ModOp mod = op.lookupMod();
    return mod && mod.hasMask();
  }

  bool ownsQueries() const { return !schedule.getTiling().ownsKeys; }

  //===--- grad_query -----------------------------------------------------===//
  void buildQueryTask(Value head, Value task) {
    Value keyHead = arith::DivUIOp::create(b, head, headsPerKeyHead);
    std::unique_ptr<Visits> visits = this->visits(head, tileOfTask(head, task));
    Value first = visits->firstRow;
    ModOnTiles mod = modAt(head, first);
    Value query = load(operands.query, head, first, own, headDim);
    Value gradOut = load(operands.gradOut, head, first, own, valueDim);
    Statistics rows = RowStatistics(b, op, operands, own.tile)
                          .make(batchId, head, first, gradOut);
    SmallVector<Value> start{splat({own.tile, headDim}, 0)};
    startCaptureSums(start);
    SmallVector<Value> sums = forEachVisit(
        *visits, start,
        [&](const Visit &visit, ValueRange sums) -> SmallVector<Value> {
          Value key =
              load(operands.key, keyHead, visit.first, visited, headDim);
          Value value =
              load(operands.value, keyHead, visit.first, visited, valueDim);
          Pairs pairs = arithmetic->weigh(mod, visit, query, key, rows);
          arithmetic->addGradients(pairs, visit,
                                   arithmetic->product(gradOut, value), rows);
          Value gradScores = arithmetic->ofScores(mod, visit, pairs);
          SmallVector<Value> next{Value()};
          addCaptureSums(mod, visit, pairs, sums.drop_front(), next);
          next.front() = addWeighted(gradScores, key, sums[0], visit.partial);
          return next;
        });
    store(sums[0], op.getScaleValue(), operands.gradQuery, head, first);
    storeCaptureSums(ArrayRef(sums).drop_front(), head, first);
  }

  //===--- grad_key and grad_value ----------------------------------------===//
  void buildKeyTask(Value keyHead, Value task) {
    Value firstHead = arith::MulIOp::create(b, keyHead, headsPerKeyHead);
    Value tile = tileOfTask(firstHead, task);
    Value first = arith::MulIOp::create(b, tile, index(own.tile));
    Value key = load(operands.key, keyHead, first, own, headDim), value;
    SmallVector<Value> start;
    if (operands.gradQuerySum)
      ownEnd = arith::SubIOp::create(b, own.length, first);
    tile::IsolateNonfiniteOp isolated;
    if (operands.gradQuerySum && mayDrop())
      isolated = tile::IsolateNonfiniteOp::create(
          b, RankedTensorType::get({own.tile}, b.getF32Type()), b.getI1Type(),
          key);
    arithmetic->leaveOut(ownEnd, isolated);
    if (operands.gradKey) {
      value = load(operands.value, keyHead, first, own, valueDim);
      start.push_back(splat({own.tile, headDim}, 0));
    }
    if (operands.gradValue)
      start.push_back(splat({own.tile, valueDim}, 0));
    SmallVector<Value> sums =
        repeat(index(0), headsPerKeyHead, start, [&](Value i, ValueRange sums) {
          Value head = arith::AddIOp::create(b, firstHead, i);
          return addHead(head, tile, first, key, value, sums);
        });
    if (operands.gradKey)
      store(sums.front(), op.getScaleValue(), operands.gradKey, keyHead, first);
    if (operands.gradValue)
      store(sums.back(), 1, operands.gradValue, keyHead, first);
  }

  /// `sums` with what one head of the group adds. `value` is null where only
  /// grad_value is wanted, of which it says nothing.
  SmallVector<Value> addHead(Value head, Value tile, Value first, Value key,
                             Value value, ValueRange sums) {
    std::unique_ptr<Visits> visits = this->visits(head, tile);
    ModOnTiles mod = modAt(head, first);
    size_t outputs = sums.size();
    SmallVector<Value> start(sums);
    startCaptureSums(start);
    SmallVector<Value> results = forEachVisit(
        *visits, start,
        [&](const Visit &visit, ValueRange sums) -> SmallVector<Value> {
          Value query =
              load(operands.query, head, visit.first, visited, headDim);
          Value gradOut =
              load(operands.gradOut, head, visit.first, visited, valueDim);
          Statistics columns{statistic(head, placeOfLse, visit.first, visited),
                             /*delta=*/{}};
          Pairs pairs = arithmetic->weigh(mod, visit, key, query, columns);
          // In an order in which products run beside what does not need them.
          SmallVector<Value> next(sums.take_front(outputs));
          Value ofWeights, start;
          if (value) {
            columns.delta = statistic(head, placeOfDelta, visit.first, visited);
            if (arithmetic->startsWithStatistics())
              std::swap(columns.delta, start);
            ofWeights = arithmetic->product(value, gradOut, start);
          }
          if (operands.gradValue)
            next.back() = addWeighted(arithmetic->rounded(pairs.weights),
                                      gradOut, next.back(), visit.partial);
          if (operands.gradKey) {
            arithmetic->addGradients(pairs, visit, ofWeights, columns);
            Value gradScores = arithmetic->ofScores(mod, visit, pairs);
            addCaptureSums(mod, visit, pairs, sums.drop_front(outputs), next);
            if (operands.gradQuerySum)
              addToQueries(gradScores, key, head, visit.tile);
            next.front() =
                addWeighted(gradScores, query, next.front(), visit.partial);
          }
          return next;
        });
    storeCaptureSums(ArrayRef(results).drop_front(outputs), head, first);
    results.truncate(outputs);
    return results;
  }

  /// What the pairs of a visit add to the gradients of its queries, in memory.
  void addToQueries(Value gradScores, Value key, Value head, Value tile) {
    Value sums =
        contractColumns(gradScores, key, splat({visited.tile, headDim}, 0));
    Value first =
        arith::MulIOp::create(b, tile, index(visited.tile / rowsHeldTogether));
    tile::ReduceAddOp::create(b, sums, operands.gradQuerySum,
                              ValueRange{batchId, head, first});
  }

  //===--- gradients of captures ------------------------------------------===//
  /// Appends what the rows of sums start with.
  void startCaptureSums(SmallVectorImpl<Value> &values) {
    values.append(operands.sums.size(), splat({own.tile}, 0));
  }

  /// Appends `sums` with what a visit adds to them.
  void addCaptureSums(ModOnTiles &mod, const Visit &visit, const Pairs &pairs,
                      ValueRange sums, SmallVectorImpl<Value> &next) {
    for (auto [sum, before] : llvm::zip_equal(operands.sums, sums))
      next.push_back(
          reduceRows<arith::AddFOp>(mod.additions(sum->parts, pairs.products,
                                                  pairs.gradients, visit.first),
                                    before));
  }

  void storeCaptureSums(ValueRange sums, Value head, Value first) {
    for (auto [sum, memory] : llvm::zip_equal(sums, operands.sumMemory))
      tile::StoreOp::create(b, sum, memory, ValueRange{batchId, head, first});
  }

  /// All pairs of a tile that is owned, or the sums of its rows, to their
  /// elements in the slot.
  void addPairs(Value head, Value tile, Value slot) {
    Value keyHead = arith::DivUIOp::create(b, head, headsPerKeyHead);
    std::unique_ptr<Visits> visits = this->visits(head, tile);
    Value first = visits->firstRow;
    ModOnTiles mod = modAt(head, first);
    // What the two products take of the queries, or of the keys.
    auto loadBoth = [&](const TiledAxis &axis, Value at) {
      bool ofQueries = axis.axis == Axis::Query;
      Value h = ofQueries ? head : keyHead;
      Value one =
          load(ofQueries ? operands.query : operands.key, h, at, axis, headDim);
      return std::pair(one, load(ofQueries ? operands.gradOut : operands.value,
                                 h, at, axis, valueDim));
    };
    auto statistics = [&](const TiledAxis &queries, Value at) {
      return Statistics{statistic(head, placeOfLse, at, queries),
                        statistic(head, placeOfDelta, at, queries)};
    };
    auto owned = loadBoth(own, first);
    Statistics rows = ownsQueries() ? statistics(own, first) : Statistics();
    bool sumsRows = operands.sums[0]->rows.has_value();
    SmallVector<Value> start;
    if (sumsRows)
      startCaptureSums(start);
    SmallVector<Value> sums = forEachVisit(
        *visits, start,
        [&](const Visit &visit, ValueRange sums) -> SmallVector<Value> {
          auto visitor = loadBoth(visited, visit.first);
          Statistics queries =
              ownsQueries() ? rows : statistics(visited, visit.first);
          Pairs pairs = arithmetic->weigh(mod, visit, owned.first,
                                          visitor.first, queries);
          arithmetic->addGradients(
              pairs, visit, arithmetic->product(owned.second, visitor.second),
              queries);
          SmallVector<Value> next;
          if (sumsRows)
            addCaptureSums(mod, visit, pairs, sums, next);
          else
            scatterPairs(mod, visit, pairs, slot);
          return next;
        });
    if (!sumsRows)
      return;
    // Rows outside of the tensor have sums of anything.
    RowsAt at{toI32(batchId), toI32(head), first, toI32(own.last)};
    scatter(mod.inside(sums[0]),
            placesOfRows(*this, op, *operands.sums[0], operands.captures,
                         sums[0], at),
            slot);
  }

  void scatterPairs(ModOnTiles &mod, const Visit &visit, const Pairs &pairs,
                    Value slot) {
    for (AccumulateOp part : operands.sums[0]->parts)
      scatter(mod.additionsInside(part, pairs.products, pairs.gradients,
                                  visit.first),
              mod.places(part, pairs.products, visit.first), slot);
  }

  void scatter(Value numbers, Value places, Value slot) {
    scatterToSlot(*this, op, *operands.sums[0], numbers, places,
                  operands.sumMemory[0], slot);
  }

  //===--- visits ---------------------------------------------------------===//
  MaskContext contextOf(Value head) {
    bool rows = ownsQueries();
    return {batchId,
            head,
            rows ? own.length : visited.length,
            rows ? visited.length : own.length,
            operands.captures,
            loadFromMemory};
  }

  /// The tile that a task owns, an index: those with long runs come first.
  Value tileOfTask(Value head, Value task) {
    if (operands.lists)
      return listedTile(*this, operands.logic, contextOf(head), *operands.lists,
                        task);
    // Masks that grow with the position are common: the last queries see most
    // keys, and the first keys are seen by most queries.
    if (!ownsQueries())
      return task;
    return arith::SubIOp::create(b, arith::SubIOp::create(b, tiles, index(1)),
                                 task);
  }

  std::unique_ptr<Visits> visits(Value head, Value tile) {
    MaskContext context = contextOf(head);
    return operands.lists
               ? visitList(*this, operands.logic, context, *operands.lists, own,
                           visited, tile)
               : visitRun(*this, operands.logic, context, own, visited, tile);
  }

  /// A loop over visits that carries `start`.
  SmallVector<Value> forEachVisit(
      Visits &visits, ValueRange start,
      llvm::function_ref<SmallVector<Value>(const Visit &, ValueRange)> step) {
    return repeat(
        visits.first, visits.end, start, [&](Value number, ValueRange sums) {
          Value tile = visits.tileOf(number);
          Visit visit{tile, arith::MulIOp::create(b, tile, index(visited.tile)),
                      visits.isPartial(number, tile)};
          if (ownEnd)
            visit.partial = arith::OrIOp::create(
                b, visit.partial,
                arith::CmpIOp::create(b, arith::CmpIPredicate::slt, ownEnd,
                                      index(own.tile)));
          return step(visit, sums);
        });
  }

  /// A loop from `low` to before `high`, of type index, that carries `start`.
  /// It counts in 32 bits, which take half the registers.
  SmallVector<Value>
  repeat(Value low, Value high, ValueRange start,
         llvm::function_ref<SmallVector<Value>(Value, ValueRange)> step) {
    Value one = arith::ConstantIntOp::create(b, 1, 32);
    auto loop = scf::ForOp::create(
        b, toI32(low), toI32(high), one, start,
        [&](OpBuilder &, Location, Value i, ValueRange sums) {
          scf::YieldOp::create(b, step(toIndex(i), sums));
        });
    return llvm::to_vector_of<Value>(loop.getResults());
  }

  ModOnTiles modAt(Value head, Value first) {
    return ModOnTiles(*this, op.lookupMod(), op.getScaleValue(),
                      operands.captures,
                      {toI32(batchId), toI32(head), own, visited, first});
  }

  //===--- memory ---------------------------------------------------------===//
  Value load(Value memory, Value head, Value first, const TiledAxis &axis,
             int64_t width) {
    return TileBuilder::load(memory, batchId, head, first, axis.tile, width);
  }

  /// A statistic of the queries of a tile from `first` on, as it was kept.
  Value statistic(Value head, int64_t place, Value first,
                  const TiledAxis &queries) {
    return loadRows(operands.statistics, {batchId, head, index(place), first},
                    queries.tile);
  }

  Value loadRows(Value memory, ValueRange at, int64_t rows) {
    return tile::LoadOp::create(
        b, RankedTensorType::get({rows}, b.getF32Type()), memory, at);
  }

  void store(Value sums, float factor, Value memory, Value head, Value first) {
    if (factor != 1)
      sums = elementwise({sums}, sums.getType(), [&](ValueRange in) -> Value {
        return arith::MulFOp::create(b, in[0], f32(factor));
      });
    tile::StoreOp::create(b, truncate(sums, op.getElementType()), memory,
                          ValueRange{batchId, head, first});
  }

  AttentionBackwardOp op;
  ScheduleAttr schedule;
  const BackwardOperands &operands;
  bool rounds;
  int64_t headDim, valueDim;
  TiledAxis own, visited;
  Value batch, heads, keyHeads; ///< index
  Value headsPerKeyHead, tiles; ///< index; tiles that are owned
  Value batchId;                ///< of the task
  /// Where gradients of queries are added up in memory, else null: how many of
  /// its keys there are (index, at least as many as the tile has but for the
  /// last).
  Value ownEnd;
  std::optional<GradientPairs> arithmetic;
};

} // namespace

void mlir::attn::buildFlashBackward(ImplicitLocOpBuilder &builder,
                                    AttentionBackwardOp op,
                                    ScheduleAttr schedule,
                                    const BackwardOperands &operands,
                                    bool rounds) {
  FlashBackward(builder, op, schedule, operands, rounds).build();
}

void mlir::attn::buildCapturePairs(ImplicitLocOpBuilder &builder,
                                   AttentionBackwardOp op,
                                   ScheduleAttr schedule,
                                   const BackwardOperands &operands) {
  FlashBackward(builder, op, schedule, operands, /*rounds=*/false).buildPairs();
}
