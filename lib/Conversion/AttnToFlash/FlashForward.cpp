// See FlashForward.h. The functions follow the order of one step: where the
// tile is, which keys it visits, scores, mods, online softmax, the second
// product, the epilogue.
#include "FlashForward.h"

#include "OnlineSoftmax.h"

#include "attn/Analysis/KeyBounds.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

namespace {

constexpr double log2e = 1.4426950408889634;

/// Whether a program must not be evaluated outside the tensors, even if its
/// result is thrown away. What it reads does not count: loads see to their
/// indices themselves.
bool needsPositionsInside(Region &program) {
  return program
      .walk([&](Operation *op) {
        return isa<LoadOp>(op) || canSpeculate(op) ||
                       op->getNumRegions() != 0 ||
                       op->hasTrait<OpTrait::IsTerminator>()
                   ? WalkResult::advance()
                   : WalkResult::interrupt();
      })
      .wasInterrupted();
}

/// Whether a program reads a table at the key's position, its last argument.
bool readsAtKeys(Region &program) {
  Value key = program.front().getArguments().back();
  return llvm::any_of(key.getUsers(),
                      [](Operation *user) { return isa<LoadOp>(user); });
}

class FlashForward : TileBuilder {
public:
  FlashForward(ImplicitLocOpBuilder &builder, AttentionOp op,
               const FlashOperands &operands, bool roundProbabilities)
      : TileBuilder(builder), op(op), operands(operands),
        roundProbabilities(roundProbabilities), mod(op.lookupMod()),
        logic(operands.logic), schedule(*op.getSchedule()),
        elementType(op.getElementType()), queryTile(schedule.getQ()),
        keyTile(schedule.getKv()),
        // Without a score program the scale moves into the exponent, but a
        // factor below zero there would turn the running maximum into a
        // minimum.
        scaleInExponent(!hasScore() && op.getScaleValue() > 0),
        // Only warps with roles are short of instructions.
        softmax(*this, queryTile,
                scaleInExponent ? op.getScaleValue() * log2e : log2e,
                /*lazy=*/schedule.getProducers() != 0) {
    // Widths are multiples of 16, which every matrix unit divides.
    headDim = llvm::alignTo(op.getHeadDim(), 16);
    valueDim = llvm::alignTo(op.getValueDim(), 16);
  }

  void build() {
    sizes();
    Value tiles = arith::CeilDivSIOp::create(b, queries, index(queryTile));
    auto forall = scf::ForallOp::create(
        b, getAsOpFoldResult(ValueRange{batch, heads, tiles}), ValueRange{},
        std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    buildTile(forall.getInductionVars(), tiles);
  }

private:
  /// What a load of a program reads for each row of the tile.
  struct RowLoad {
    LoadOp load;
    Value values;
  };

  bool hasScore() { return mod && mod.hasScore(); }
  bool hasMask() { return mod && mod.hasMask(); }

  void sizes() {
    auto dim = [&](Value memory, int64_t i) -> Value {
      return memref::DimOp::create(b, memory, i);
    };
    batch = dim(operands.query, 0), heads = dim(operands.query, 1);
    queries = dim(operands.query, 2), keys = dim(operands.key, 2);
    Value keyHeads = dim(operands.key, 1);
    headsPerKeyHead = arith::DivUIOp::create(
        b, heads, arith::MaxUIOp::create(b, keyHeads, index(1)));
    lastQuery = arith::SubIOp::create(b, queries, index(1));
    lastKey = arith::SubIOp::create(b, keys, index(1));
  }

  void buildTile(ValueRange ids, Value tiles) {
    batchId = ids[0], headId = ids[1];
    keyHeadId = arith::DivUIOp::create(b, headId, headsPerKeyHead);
    batchI32 = toI32(batchId), headI32 = toI32(headId);
    if (operands.lists)
      visitList(ids[2]);
    else
      visitRun(ids[2], tiles);

    queryTileValue =
        load(operands.query, headId, firstQuery, queryTile, headDim);
    // Warps that copy as well have no register to keep these in.
    if (mod && schedule.getProducers()) {
      readRows(mod.getScore());
      readRows(mod.getMask());
    }
    SmallVector<Value> start = softmax.initial().values();
    start.push_back(splat({queryTile, valueDim}, 0));
    auto loop = scf::ForOp::create(
        b, firstVisit, endOfVisits, index(1), start,
        [&](OpBuilder &, Location, Value visit, ValueRange carried) {
          scf::YieldOp::create(b, buildStep(visit, carried));
        });
    epilogue(OnlineSoftmax::State::of(loop.getResults()),
             loop.getResults().back());
  }

  //===--- what is visited ------------------------------------------------===//
  /// The key tiles are one run, whose ends the mask program gives.
  void visitRun(Value task, Value tiles) {
    // Masks that grow with the position are common: last rows first.
    Value t = arith::SubIOp::create(
        b, arith::SubIOp::create(b, tiles, index(1)), task);
    firstQuery = arith::MulIOp::create(b, t, index(queryTile));
    KeyBounds bounds = keyBounds();
    Value step = index(keyTile), one = index(1), zero = index(0);
    // No tile, but not by a constant, for the mask that keeps no pair: what
    // comes after takes a kernel with a loop.
    Value none = arith::MinSIOp::create(b, keys, zero);
    auto tileOf = [&](Value key) -> Value {
      return arith::FloorDivSIOp::create(b, key, step);
    };
    Value nothing = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt,
                                          bounds.may.low, bounds.may.high);
    firstVisit =
        arith::SelectOp::create(b, nothing, zero, tileOf(bounds.may.low));
    endOfVisits = arith::SelectOp::create(
        b, nothing, none,
        arith::AddIOp::create(b, tileOf(bounds.may.high), one));
    // Tiles are counted in 32 bits, like positions: registers are dear.
    // A run of full tiles that starts at the first tile needs one bound.
    if (!matchPattern(bounds.must.low, m_Zero()))
      fullLow = toI32(arith::CeilDivSIOp::create(b, bounds.must.low, step));
    fullHigh = toI32(tileOf(arith::AddIOp::create(b, bounds.must.high, one)));
  }

  KeyBounds keyBounds() {
    MaskContext context{batchId,           headId,        queries, keys,
                        operands.captures, loadFromMemory};
    Value last = arith::MinSIOp::create(
        b, arith::AddIOp::create(b, firstQuery, index(queryTile - 1)),
        lastQuery);
    return emitKeyBounds(b, logic, context, firstQuery, last);
  }

  /// The key tiles are listed, partial ones first.
  void visitList(Value task) {
    const TileListOperands &lists = *operands.lists;
    // Lists have one entry for what the mask does not read.
    Value batchEntry = logic.readsBatch() ? batchId : index(0);
    Value headEntry = logic.readsHead() ? headId : index(0);
    auto entry = [&](Value memory, ValueRange rest) -> Value {
      SmallVector<Value> at{batchEntry, headEntry};
      llvm::append_range(at, rest);
      return toIndex(memref::LoadOp::create(b, memory, at));
    };
    Value t = entry(lists.order, {task});
    firstQuery = arith::MulIOp::create(b, t, index(queryTile));
    firstVisit = entry(lists.firsts, {t});
    Value partials = entry(lists.counts, {t, index(0)});
    endOfPartials = arith::AddIOp::create(b, firstVisit, partials);
    endOfVisits = arith::AddIOp::create(b, endOfPartials,
                                        entry(lists.counts, {t, index(1)}));
    endOfWholes = arith::SubIOp::create(b, endOfVisits, lastSticksOut());
  }

  /// index: 1 if the tile listed last, whose number is the greatest of the full
  /// ones, sticks out over the end of the keys, else 0.
  Value lastSticksOut() {
    Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                      endOfPartials, endOfVisits);
    return either(
        any,
        [&] {
          Value last =
              tileOfVisit(arith::SubIOp::create(b, endOfVisits, index(1)));
          Value end = arith::MulIOp::create(
              b, arith::AddIOp::create(b, last, index(1)), index(keyTile));
          Value out =
              arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, end, keys);
          return arith::SelectOp::create(b, out, index(1), index(0));
        },
        [&] { return index(0); });
  }

  /// The key tile of a visit, an index.
  Value tileOfVisit(Value visit) {
    if (!operands.lists)
      return visit;
    return toIndex(memref::LoadOp::create(b, operands.lists->tiles, visit));
  }

  /// i1: whether a visited tile has pairs to leave out, by the mask or by the
  /// lengths.
  Value isPartial(Value visit, Value tile) {
    auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) {
      return arith::CmpIOp::create(b, predicate, x, y);
    };
    if (operands.lists)
      return arith::OrIOp::create(
          b, compare(arith::CmpIPredicate::slt, visit, endOfPartials),
          compare(arith::CmpIPredicate::sge, visit, endOfWholes));
    tile = toI32(tile);
    Value behind = compare(arith::CmpIPredicate::sge, tile, fullHigh);
    if (!fullLow)
      return behind;
    return arith::OrIOp::create(
        b, compare(arith::CmpIPredicate::slt, tile, fullLow), behind);
  }

  /// One visit of a key tile. `carried`: the softmax's state and the output;
  /// returns the new ones.
  SmallVector<Value> buildStep(Value visit, ValueRange carried) {
    Value tile = tileOfVisit(visit);
    Value firstKey = arith::MulIOp::create(b, tile, index(keyTile));
    Value keyValue = load(operands.key, keyHeadId, firstKey, keyTile, headDim);
    Value score = contract(queryTileValue, keyValue,
                           splat({queryTile, keyTile}, 0), /*transposed=*/true);
    score = applyScore(score, firstKey);

    Value partial = isPartial(visit, tile);
    score = either(
        partial, [&] { return applyMask(score, firstKey); },
        [&] { return score; });

    OnlineSoftmax::Step step =
        softmax.step(score, OnlineSoftmax::State::of(carried));
    Value weights = step.weights;

    Value value = load(operands.value, keyHeadId, firstKey, keyTile, valueDim);
    Value decayed = times(carried.back(), step.decay);
    if (schedule.getProducers())
      decayed.getDefiningOp()->setAttr(tile::skipOnesMark, b.getUnitAttr());
    if (roundProbabilities && !elementType.isF32())
      weights = truncate(weights, elementType);
    Value dirty = either(
        partial,
        [&]() -> Value {
          return tile::HasNonfiniteOp::create(b, b.getI1Type(), value);
        },
        [&]() -> Value { return arith::ConstantIntOp::create(b, 0, 1); });
    auto product = [&]() -> Value {
      return contract(weights, value, decayed, /*transposed=*/false);
    };
    Value newOutput = either(
        dirty,
        [&] {
          Value safe = product();
          safe.getDefiningOp()->setAttr(tile::zeroSafeMark, b.getUnitAttr());
          return safe;
        },
        product);
    SmallVector<Value> next = step.state.values();
    next.push_back(newOutput);
    return next;
  }

  //===--- mods -----------------------------------------------------------===//
  /// What a program reads at the query, and maybe the batch and the head, is
  /// read for each row of the tile, before the loop, unless a branch guards it.
  void readRows(Region &program) {
    if (program.empty())
      return;
    auto arguments = program.front().getArguments().take_back(4);
    for (auto op : program.getOps<LoadOp>()) {
      auto isArgument = [&](Value index, unsigned end) {
        return llvm::is_contained(arguments.take_front(end), index);
      };
      auto indices = op.getIndices();
      if (!llvm::is_contained(indices, arguments[2]) ||
          !llvm::all_of(indices, [&](Value i) { return isArgument(i, 3); }))
        continue;
      auto type = RankedTensorType::get({queryTile}, op.getType());
      Value row = elementwise({}, type, [&](ValueRange) {
        Value query = clamp(position(0, firstQuery), lastQuery);
        SmallVector<Value> at;
        for (Value index : indices)
          at.push_back(index == arguments[0]   ? batchI32
                       : index == arguments[1] ? headI32
                                               : query);
        return loadFromMemory(b, op, at, tableOf(op));
      });
      rowLoads[&program].push_back({op, row});
    }
  }

  /// The captured memory that a load of a program reads.
  Value tableOf(LoadOp op) {
    return operands.captures[cast<BlockArgument>(op.getTable()).getArgNumber()];
  }

  /// A program's result for each element of a tile of scores, as `build` makes
  /// it from the element and a function that evaluates the program.
  /// `wholeTile`: all of the tile's keys are inside the tensor. Else, what is
  /// read at a key has its index clamped.
  using Evaluate = llvm::function_ref<Value(ValueRange leading)>;
  Value evaluateOnTile(Region &program, Value score, Value firstKey,
                       bool wholeTile,
                       llvm::function_ref<Value(Value, Evaluate)> build) {
    ArrayRef<RowLoad> rows = rowLoads[&program];
    SmallVector<Value> inputs{score};
    for (const RowLoad &row : rows)
      inputs.push_back(row.values);
    return elementwise(inputs, score.getType(), [&](ValueRange in) {
      return build(in[0], [&](ValueRange leading) {
        return evaluate(program, leading, rows, in.drop_front(), firstKey,
                        wholeTile);
      });
    });
  }

  /// A program for one element of the tile. `leading`: its arguments before the
  /// positions; `ofRow`: what `rows` read for the element's row.
  Value evaluate(Region &program, ValueRange leading, ArrayRef<RowLoad> rows,
                 ValueRange ofRow, Value firstKey, bool wholeTile) {
    bool inside = needsPositionsInside(program);
    Value query = position(0, firstQuery), key = position(1, firstKey);
    auto clampedQuery = [&] { return clamp(query, lastQuery); };
    auto clampedKey = [&] { return wholeTile ? key : clamp(key, lastKey); };
    SmallVector<Value> arguments(leading);
    arguments.append({batchI32, headI32, inside ? clampedQuery() : query,
                      inside ? clampedKey() : key});
    auto lowerLoad = [&](OpBuilder &builder, LoadOp load, ValueRange indices,
                         Value table) -> Value {
      for (auto [row, value] : llvm::zip(rows, ofRow))
        if (row.load == load)
          return value;
      if (isReadOnce(load, indices))
        return readOnce(builder, load, indices, table);
      SmallVector<Value> clamped;
      for (Value index : indices)
        clamped.push_back(index == query ? clampedQuery()
                          : index == key ? clampedKey()
                                         : index);
      return loadFromMemory(builder, load, clamped, table);
    };
    return inlineProgram(b, program, operands.captures, arguments, lowerLoad);
  }

  /// What a program reads at the batch or the head is read once, before the
  /// loop, unless a branch guards it.
  bool isReadOnce(LoadOp load, ValueRange indices) {
    return isa<ModOp>(load->getParentOp()) &&
           llvm::all_of(indices, [&](Value index) {
             return index == batchI32 || index == headI32;
           });
  }

  Value readOnce(OpBuilder &builder, LoadOp load, ValueRange indices,
                 Value table) {
    Value &value = uniformLoads[load];
    if (!value) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointAfterValue(headI32);
      value = loadFromMemory(builder, load, indices, table);
    }
    return value;
  }

  /// Row i or column i of the tile as a position, i32.
  Value position(int64_t dim, Value first) {
    Value i = arith::IndexCastOp::create(b, b.getI32Type(),
                                         linalg::IndexOp::create(b, dim));
    return arith::AddIOp::create(b, toI32(first), i);
  }

  Value clamp(Value position, Value last) {
    return arith::MinSIOp::create(b, position, toI32(last));
  }

  /// The result of `build`, which reads tables at the tile's keys or not; those
  /// that do are built twice, for tiles that are whole and for others.
  Value forWholeTileOrNot(Region &program, Value firstKey,
                          llvm::function_ref<Value(bool wholeTile)> build) {
    if (!readsAtKeys(program))
      return build(false);
    Value end = arith::AddIOp::create(b, firstKey, index(keyTile));
    Value whole =
        arith::CmpIOp::create(b, arith::CmpIPredicate::sle, end, keys);
    return either(
        whole, [&] { return build(true); }, [&] { return build(false); });
  }

  Value applyScore(Value score, Value firstKey) {
    float scale = op.getScaleValue();
    if (!hasScore() && (scaleInExponent || scale == 1.0f))
      return score;
    auto scaled = [&](Value s) -> Value {
      return arith::MulFOp::create(b, s, f32(scale));
    };
    if (!hasScore())
      return elementwise({score}, score.getType(),
                         [&](ValueRange in) { return scaled(in[0]); });
    Region &program = mod.getScore();
    return forWholeTileOrNot(program, firstKey, [&](bool wholeTile) {
      return evaluateOnTile(
          program, score, firstKey, wholeTile,
          [&](Value s, Evaluate evaluate) { return evaluate(scaled(s)); });
    });
  }

  Value applyMask(Value score, Value firstKey) {
    auto select = [&](Value keep, Value s) -> Value {
      return arith::SelectOp::create(b, keep, s, f32(-INFINITY));
    };
    auto isKey = [&]() -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                                   position(1, firstKey), toI32(lastKey));
    };
    if (!hasMask())
      return elementwise({score}, score.getType(),
                         [&](ValueRange in) { return select(isKey(), in[0]); });
    Region &program = mod.getMask();
    return forWholeTileOrNot(program, firstKey, [&](bool wholeTile) {
      return evaluateOnTile(
          program, score, firstKey, wholeTile,
          [&](Value s, Evaluate evaluate) -> Value {
            if (wholeTile)
              return select(evaluate({}), s);
            Value inside = isKey();
            return select(arith::AndIOp::create(b, inside, evaluate({})), s);
          });
    });
  }

  //===--- the end
  //---------------------------------------------------------===//
  void epilogue(const OnlineSoftmax::State &rows, Value output) {
    Value result =
        truncate(times(output, softmax.inverseSum(rows)), elementType);
    tile::StoreOp::create(b, result, operands.out,
                          ValueRange{batchId, headId, firstQuery});
    if (operands.lse)
      tile::StoreOp::create(b, softmax.logSumExp(rows), operands.lse,
                            ValueRange{batchId, headId, firstQuery});
  }

  //===--- tiles ----------------------------------------------------------===//
  Value load(Value memory, Value head, Value row, int64_t rows, int64_t width) {
    return tile::LoadOp::create(
        b, RankedTensorType::get({rows, width}, elementType), memory,
        ValueRange{batchId, head, row});
  }

  /// a * b^T (transposed: b's rows are the result's columns) or a * b, plus
  /// init.
  Value contract(Value lhs, Value rhs, Value init, bool transposed) {
    AffineExpr i, j, k;
    bindDims(b.getContext(), i, j, k);
    auto map = [&](AffineExpr x, AffineExpr y) {
      return AffineMap::get(3, 0, {x, y}, b.getContext());
    };
    SmallVector<AffineMap> maps = {
        map(i, k), transposed ? map(j, k) : map(k, j), map(i, j)};
    auto op = linalg::ContractOp::create(b, TypeRange{init.getType()},
                                         ValueRange{lhs, rhs}, ValueRange{init},
                                         b.getAffineMapArrayAttr(maps));
    return op->getResult(0);
  }

  AttentionOp op;
  const FlashOperands &operands;
  bool roundProbabilities;
  ModOp mod;
  MaskLogic &logic;
  ScheduleAttr schedule;
  Type elementType;
  int64_t headDim, valueDim, queryTile, keyTile;
  bool scaleInExponent;
  OnlineSoftmax softmax;

  Value batch, heads, queries, keys, headsPerKeyHead, lastQuery, lastKey;
  Value batchId, headId, keyHeadId, batchI32, headI32;
  Value firstQuery, queryTileValue;
  Value firstVisit, endOfVisits;    ///< index: tiles, or entries of a list
  Value fullLow, fullHigh;          ///< i32; of a run; no low: from the first
  Value endOfPartials, endOfWholes; ///< index; with lists
  llvm::DenseMap<Operation *, Value> uniformLoads;
  llvm::DenseMap<Region *, SmallVector<RowLoad>> rowLoads;
};

} // namespace

void mlir::attn::buildFlashForward(ImplicitLocOpBuilder &builder,
                                   AttentionOp op,
                                   const FlashOperands &operands,
                                   bool roundProbabilities) {
  FlashForward(builder, op, operands, roundProbabilities).build();
}
