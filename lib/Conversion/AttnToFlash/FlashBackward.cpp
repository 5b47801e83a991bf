// See FlashBackward.h.
#include "FlashBackward.h"

#include "ModOnTiles.h"

#include "attn/Analysis/ProgramDependence.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

namespace {

constexpr double log2e = 1.4426950408889634;

class FlashBackward : TileBuilder {
public:
  FlashBackward(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                const BackwardOperands &operands, Axis owned)
      : TileBuilder(builder), op(op), operands(operands), owned(owned),
        headDim(llvm::alignTo(op.getHeadDim(), 16)),
        valueDim(llvm::alignTo(op.getValueDim(), 16)) {}

  void build() {
    findSizes();
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

  /// A task for each slot and each value of the owned positions.
  void buildPairs() {
    findSizes();
    Value slots = memref::DimOp::create(b, operands.sumMemory[0], 0);
    const unsigned positions[] = {BatchPosition, HeadPosition, QueryPosition};
    SmallVector<Value> sizes{batch, heads, tiles}, tasks{slots};
    // What a task goes over, and how many of it there are.
    Value units = index(1);
    for (auto [size, position] : llvm::zip(sizes, positions)) {
      bool isOwned = operands.sums[0]->owned & position;
      tasks.push_back(isOwned ? size : index(1));
      if (!isOwned)
        units = arith::MulIOp::create(b, units, size);
    }
    auto forall = scf::ForallOp::create(b, getAsOpFoldResult(tasks),
                                        ValueRange{}, std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    auto ids = forall.getInductionVars();
    auto loop = scf::ForOp::create(b, ids[0], units, slots);
    b.setInsertionPointToStart(loop.getBody());
    Value unit = loop.getInductionVar();
    SmallVector<Value> at;
    for (auto [i, size] : llvm::enumerate(sizes)) {
      if (operands.sums[0]->owned & positions[i]) {
        at.push_back(ids[i + 1]);
        continue;
      }
      at.push_back(arith::RemUIOp::create(b, unit, size));
      unit = arith::DivUIOp::create(b, unit, size);
    }
    batchId = at[0];
    addPairs(at[1], at[2], /*slot=*/ids[0]);
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
        Axis::Query, op.getSchedule()->getQ(), dim(operands.query, 2), {}};
    TiledAxis keys{
        Axis::Key, op.getSchedule()->getKv(), dim(operands.key, 2), {}};
    for (TiledAxis *axis : {&queries, &keys})
      axis->last = arith::SubIOp::create(b, axis->length, index(1));
    own = ownsQueries() ? queries : keys;
    visited = ownsQueries() ? keys : queries;
    tiles = arith::CeilDivSIOp::create(b, own.length, index(own.tile));
  }

  bool ownsQueries() const { return owned == Axis::Query; }

  /// Statistics of queries: vectors along the rows or the columns of a tile.
  struct Statistics {
    Value lse, delta;
  };
  /// A visit to a tile, and its first position, an index.
  struct Visit {
    Value tile, first;
    Value partial; ///< i1: some pairs are left out
  };
  /// What the pairs of a visit give: q k; t, -inf where left out; p; g.
  struct Pairs {
    Value products, scores, weights, gradients;
  };
  /// Scores are own * visited^T, the gradients of weights ownValues *
  /// visitedValues^T.
  struct Tiles {
    Value own, visited, ownValues, visitedValues;
  };

  //===--- grad_query -----------------------------------------------------===//
  void buildQueryTask(Value head, Value task) {
    Value keyHead = arith::DivUIOp::create(b, head, headsPerKeyHead);
    std::unique_ptr<Visits> visits = this->visits(head, tileOfTask(head, task));
    Value first = visits->firstRow;
    ModOnTiles mod = modAt(head, first);
    Value query = load(operands.query, head, first, own, headDim);
    Value gradOut = load(operands.gradOut, head, first, own, valueDim);
    Statistics rows{lseOf(head, first, own.tile),
                    makeDelta(head, first, gradOut)};
    SmallVector<Value> start{splat({own.tile, headDim}, 0)};
    startCaptureSums(start);
    SmallVector<Value> sums = forEachVisit(
        *visits, start,
        [&](const Visit &visit, ValueRange sums) -> SmallVector<Value> {
          Value key =
              load(operands.key, keyHead, visit.first, visited, headDim);
          Value value =
              load(operands.value, keyHead, visit.first, visited, valueDim);
          Pairs pairs =
              evaluate(mod, visit, {query, key, gradOut, value}, rows);
          SmallVector<Value> next{addWeighted(ofScores(mod, pairs, visit), key,
                                              sums[0], visit.partial)};
          addCaptureSums(mod, pairs, visit, sums.drop_front(), next);
          return next;
        });
    store(sums[0], op.getScaleValue(), operands.gradQuery, head, first);
    storeCaptureSums(ArrayRef(sums).drop_front(), head, first);
  }

  /// delta of the task's queries, for this kernel and the next.
  Value makeDelta(Value head, Value first, Value gradOut) {
    Value out = load(operands.out, head, first, own, valueDim);
    auto type = RankedTensorType::get({own.tile, valueDim}, b.getF32Type());
    Value products =
        elementwise({out, gradOut}, type, [&](ValueRange in) -> Value {
          return arith::MulFOp::create(b, wide(in[0]), wide(in[1]));
        });
    Value delta = reduceRows<arith::AddFOp>(products, splat({own.tile}, 0));
    if (operands.gradLse) {
      Value gradLse = loadRows(operands.gradLse, head, first, own.tile);
      delta = elementwise({delta, gradLse}, delta.getType(),
                          [&](ValueRange in) -> Value {
                            return arith::SubFOp::create(b, in[0], in[1]);
                          });
    }
    tile::StoreOp::create(b, delta, operands.delta,
                          ValueRange{batchId, head, first});
    return delta;
  }

  //===--- grad_key and grad_value ----------------------------------------===//
  void buildKeyTask(Value keyHead, Value task) {
    Value firstHead = arith::MulIOp::create(b, keyHead, headsPerKeyHead);
    Value tile = tileOfTask(firstHead, task);
    Value first = arith::MulIOp::create(b, tile, index(own.tile));
    Value key = load(operands.key, keyHead, first, own, headDim);
    Value value = load(operands.value, keyHead, first, own, valueDim);
    SmallVector<Value> start{splat({own.tile, headDim}, 0),
                             splat({own.tile, valueDim}, 0)};
    auto group = scf::ForOp::create(
        b, index(0), headsPerKeyHead, index(1), start,
        [&](OpBuilder &, Location, Value i, ValueRange sums) {
          Value head = arith::AddIOp::create(b, firstHead, i);
          scf::YieldOp::create(b, addHead(head, tile, first, key, value, sums));
        });
    store(group.getResult(0), op.getScaleValue(), operands.gradKey, keyHead,
          first);
    store(group.getResult(1), 1, operands.gradValue, keyHead, first);
  }

  /// `sums` with what one head of the group adds.
  SmallVector<Value> addHead(Value head, Value tile, Value first, Value key,
                             Value value, ValueRange sums) {
    std::unique_ptr<Visits> visits = this->visits(head, tile);
    ModOnTiles mod = modAt(head, first);
    SmallVector<Value> start(sums);
    startCaptureSums(start);
    SmallVector<Value> results = forEachVisit(
        *visits, start,
        [&](const Visit &visit, ValueRange sums) -> SmallVector<Value> {
          Value query =
              load(operands.query, head, visit.first, visited, headDim);
          Value gradOut =
              load(operands.gradOut, head, visit.first, visited, valueDim);
          Statistics columns{
              lseOf(head, visit.first, visited.tile),
              loadRows(operands.delta, head, visit.first, visited.tile)};
          Pairs pairs =
              evaluate(mod, visit, {key, query, value, gradOut}, columns);
          SmallVector<Value> next{
              addWeighted(ofScores(mod, pairs, visit), query, sums[0],
                          visit.partial),
              addWeighted(pairs.weights, gradOut, sums[1], visit.partial)};
          addCaptureSums(mod, pairs, visit, sums.drop_front(2), next);
          return next;
        });
    storeCaptureSums(ArrayRef(results).drop_front(2), head, first);
    results.truncate(2);
    return results;
  }

  //===--- gradients of captures ------------------------------------------===//
  /// Appends what the rows of sums start with.
  void startCaptureSums(SmallVectorImpl<Value> &values) {
    values.append(operands.sums.size(), splat({own.tile}, 0));
  }

  /// Appends `sums` with what a visit adds to them.
  void addCaptureSums(ModOnTiles &mod, const Pairs &pairs, const Visit &visit,
                      ValueRange sums, SmallVectorImpl<Value> &next) {
    for (auto [sum, before] : llvm::zip_equal(operands.sums, sums))
      next.push_back(reduceRows<arith::AddFOp>(
          mod.additions(sum->parts, pairs.products, pairs.gradients,
                        pairs.scores, visit.first),
          before));
  }

  void storeCaptureSums(ValueRange sums, Value head, Value first) {
    for (auto [sum, memory] : llvm::zip_equal(sums, operands.sumMemory))
      tile::StoreOp::create(b, sum, memory, ValueRange{batchId, head, first});
  }

  /// All pairs of a query tile, each to its element in the slot.
  void addPairs(Value head, Value tile, Value slot) {
    Value keyHead = arith::DivUIOp::create(b, head, headsPerKeyHead);
    std::unique_ptr<Visits> visits = this->visits(head, tile);
    Value first = visits->firstRow;
    ModOnTiles mod = modAt(head, first);
    Value query = load(operands.query, head, first, own, headDim);
    Value gradOut = load(operands.gradOut, head, first, own, valueDim);
    Statistics rows{lseOf(head, first, own.tile),
                    loadRows(operands.delta, head, first, own.tile)};
    forEachVisit(
        *visits, {}, [&](const Visit &visit, ValueRange) -> SmallVector<Value> {
          Value key =
              load(operands.key, keyHead, visit.first, visited, headDim);
          Value value =
              load(operands.value, keyHead, visit.first, visited, valueDim);
          Pairs pairs =
              evaluate(mod, visit, {query, key, gradOut, value}, rows);
          for (AccumulateOp part : operands.sums[0]->parts)
            tile::ScatterAddOp::create(
                b,
                mod.additionsInside(part, pairs.products, pairs.gradients,
                                    pairs.scores, visit.first),
                mod.places(part, pairs.products, visit.first),
                operands.sumMemory[0], slot);
          return {};
        });
  }

  //===--- pairs ----------------------------------------------------------===//
  Pairs evaluate(ModOnTiles &mod, const Visit &visit, const Tiles &tiles,
                 const Statistics &queries) {
    Value zero = splat({own.tile, visited.tile}, 0);
    Value products =
        contract(tiles.own, tiles.visited, zero, /*transposed=*/true);
    Value scores = mod.score(products, visit.first);
    scores = either(
        visit.partial, [&] { return mod.mask(scores, visit.first); },
        [&] { return scores; });
    Value weights = withStatistic(
        {scores}, queries.lse, [&](ValueRange in, Value lse) -> Value {
          Value x = arith::SubFOp::create(b, in[0], lse);
          return math::Exp2Op::create(b,
                                      arith::MulFOp::create(b, x, f32(log2e)));
        });
    Value ofWeights = contract(tiles.ownValues, tiles.visitedValues, zero,
                               /*transposed=*/true);
    Value gradients = withStatistic(
        {ofWeights, weights}, queries.delta,
        [&](ValueRange in, Value delta) -> Value {
          Value difference = arith::SubFOp::create(b, in[0], delta);
          // What a weight of zero is multiplied by must not count.
          Value none = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ,
                                             in[1], f32(0));
          return arith::SelectOp::create(
              b, none, f32(0), arith::MulFOp::create(b, in[1], difference));
        });
    return {products, scores, weights, gradients};
  }

  /// ds
  Value ofScores(ModOnTiles &mod, const Pairs &pairs, const Visit &visit) {
    return mod.adjoint(pairs.products, pairs.gradients, pairs.scores,
                       visit.first);
  }

  /// Elementwise on tiles, with a statistic of each element's query.
  Value
  withStatistic(ValueRange tiles, Value statistic,
                llvm::function_ref<Value(ValueRange elements, Value)> body) {
    SmallVector<Value> inputs(tiles);
    inputs.push_back(statistic);
    return elementwise(
        inputs, tiles[0].getType(),
        [&](ValueRange in) { return body(in.drop_back(), in.back()); },
        ownsQueries() ? Along::Rows : Along::Columns);
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
    auto loop = scf::ForOp::create(
        b, visits.first, visits.end, index(1), start,
        [&](OpBuilder &, Location, Value number, ValueRange sums) {
          Value tile = visits.tileOf(number);
          Visit visit{tile, arith::MulIOp::create(b, tile, index(visited.tile)),
                      visits.isPartial(number, tile)};
          scf::YieldOp::create(b, step(visit, sums));
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

  Value loadRows(Value memory, Value head, Value first, int64_t rows) {
    return tile::LoadOp::create(b,
                                RankedTensorType::get({rows}, b.getF32Type()),
                                memory, ValueRange{batchId, head, first});
  }

  /// The LSE, but infinity for rows without keys: their weights are then 0.
  Value lseOf(Value head, Value first, int64_t rows) {
    Value lse = loadRows(operands.lse, head, first, rows);
    return elementwise({lse}, lse.getType(), [&](ValueRange in) -> Value {
      Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, in[0],
                                            f32(-INFINITY));
      return arith::SelectOp::create(b, isEmpty, f32(INFINITY), in[0]);
    });
  }

  void store(Value sums, float factor, Value memory, Value head, Value first) {
    if (factor != 1)
      sums = elementwise({sums}, sums.getType(), [&](ValueRange in) -> Value {
        return arith::MulFOp::create(b, in[0], f32(factor));
      });
    tile::StoreOp::create(b, truncate(sums, op.getElementType()), memory,
                          ValueRange{batchId, head, first});
  }

  Value wide(Value element) {
    return element.getType().isF32()
               ? element
               : arith::ExtFOp::create(b, b.getF32Type(), element);
  }

  AttentionBackwardOp op;
  const BackwardOperands &operands;
  Axis owned;
  int64_t headDim, valueDim;
  TiledAxis own, visited;
  Value batch, heads, keyHeads; ///< index
  Value headsPerKeyHead, tiles; ///< index; tiles that are owned
  Value batchId;                ///< of the task
};

} // namespace

void mlir::attn::buildFlashBackward(ImplicitLocOpBuilder &builder,
                                    AttentionBackwardOp op,
                                    const BackwardOperands &operands,
                                    Axis own) {
  FlashBackward(builder, op, operands, own).build();
}

void mlir::attn::buildCapturePairs(ImplicitLocOpBuilder &builder,
                                   AttentionBackwardOp op,
                                   const BackwardOperands &operands) {
  FlashBackward(builder, op, operands, Axis::Query).buildPairs();
}
