// See Visits.h.
#include "Visits.h"

#include "attn/Analysis/VisitBounds.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::attn;

using Predicate = arith::CmpIPredicate;

//===--- runs -------------------------------------------------------------===//

namespace {
class RunVisits : public Visits {
public:
  RunVisits(TileBuilder &tiles, MaskLogic &mask, const MaskContext &context,
            const TiledAxis &own, const TiledAxis &visited, Value tile)
      : t(tiles), b(tiles.b) {
    firstRow = arith::MulIOp::create(b, tile, t.index(own.tile));
    Value last = arith::MinSIOp::create(
        b, arith::AddIOp::create(b, firstRow, t.index(own.tile - 1)), own.last);
    VisitBounds bounds = boundsOf(mask, context, own, visited, last);
    Value step = t.index(visited.tile), one = t.index(1), zero = t.index(0);
    // No tile, but not by a constant, for the mask that keeps no pair: what
    // comes after takes a kernel with a loop.
    Value none = arith::MinSIOp::create(b, visited.length, zero);
    auto tileAt = [&](Value position) -> Value {
      return arith::FloorDivSIOp::create(b, position, step);
    };
    Value nothing = arith::CmpIOp::create(b, Predicate::sgt, bounds.may.low,
                                          bounds.may.high);
    first = arith::SelectOp::create(b, nothing, zero, tileAt(bounds.may.low));
    end = arith::SelectOp::create(
        b, nothing, none,
        arith::AddIOp::create(b, tileAt(bounds.may.high), one));
    // Tiles are counted in 32 bits, like positions: registers are dear.
    // A run of full tiles that starts at the first tile needs one bound.
    if (!matchPattern(bounds.must.low, m_Zero()))
      fullLow = t.toI32(arith::CeilDivSIOp::create(b, bounds.must.low, step));
    fullHigh = t.toI32(tileAt(arith::AddIOp::create(b, bounds.must.high, one)));
  }

  Value tileOf(Value visit) override { return visit; }

  Value isPartial(Value, Value tile) override {
    tile = t.toI32(tile);
    Value behind = arith::CmpIOp::create(b, Predicate::sge, tile, fullHigh);
    if (!fullLow)
      return behind;
    return arith::OrIOp::create(
        b, arith::CmpIOp::create(b, Predicate::slt, tile, fullLow), behind);
  }

private:
  /// Of the rows from the first to `last`.
  VisitBounds boundsOf(MaskLogic &mask, const MaskContext &context,
                       const TiledAxis &own, const TiledAxis &visited,
                       Value last) {
    if (!own.group)
      return emitVisitBounds(b, mask, context, visited.axis, firstRow, last);
    auto div = [&](Value row) -> Value {
      return arith::DivUIOp::create(b, row, own.group);
    };
    auto rem = [&](Value row) -> Value {
      return arith::RemUIOp::create(b, row, own.group);
    };
    Value firstQuery = div(firstRow), lastQuery = div(last);
    if (!mask.readsHead())
      return emitVisitBounds(b, mask, context, visited.axis, firstQuery,
                             lastQuery);
    // A tile of more than one query has rows of all heads.
    Value one = t.index(1);
    Value isOne =
        arith::CmpIOp::create(b, Predicate::eq, firstQuery, lastQuery);
    Value from = arith::SelectOp::create(b, isOne, rem(firstRow), t.index(0));
    Value end = arith::SelectOp::create(
        b, isOne, arith::AddIOp::create(b, rem(last), one), own.group);
    return boundsOfHeads(from, end, visited, [&](Value head) {
      MaskContext ofHead = context;
      ofHead.head = arith::AddIOp::create(b, context.head, head);
      return emitVisitBounds(b, mask, ofHead, visited.axis, firstQuery,
                             lastQuery);
    });
  }

  /// What some head of `from` to `end` (index) may see, and what all must.
  VisitBounds boundsOfHeads(Value from, Value end, const TiledAxis &visited,
                            llvm::function_ref<VisitBounds(Value head)> of) {
    SmallVector<Value> nothing{visited.length, t.index(-1), t.index(0),
                               visited.last};
    auto loop = scf::ForOp::create(
        b, from, end, t.index(1), nothing,
        [&](OpBuilder &nested, Location, Value head, ValueRange so) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          VisitBounds bounds = of(head);
          auto min = [&](Value x, Value y) -> Value {
            return arith::MinSIOp::create(b, x, y);
          };
          auto max = [&](Value x, Value y) -> Value {
            return arith::MaxSIOp::create(b, x, y);
          };
          scf::YieldOp::create(b, ValueRange{min(so[0], bounds.may.low),
                                             max(so[1], bounds.may.high),
                                             max(so[2], bounds.must.low),
                                             min(so[3], bounds.must.high)});
        });
    ValueRange all = loop.getResults();
    return {{all[0], all[1]}, {all[2], all[3]}};
  }

  TileBuilder &t;
  ImplicitLocOpBuilder &b;
  Value fullLow, fullHigh; ///< i32: tiles; no low: from the first
};
} // namespace

std::unique_ptr<Visits>
mlir::attn::visitRun(TileBuilder &tiles, MaskLogic &mask,
                     const MaskContext &context, const TiledAxis &own,
                     const TiledAxis &visited, Value tile) {
  return std::make_unique<RunVisits>(tiles, mask, context, own, visited, tile);
}

//===--- lists ------------------------------------------------------------===//

/// An entry of a list's memory for the batch and the head. Lists have one for
/// what the mask does not read.
static Value entryOf(TileBuilder &t, MaskLogic &mask,
                     const MaskContext &context, Value memory,
                     ValueRange rest) {
  SmallVector<Value> at{mask.readsBatch() ? context.batch : t.index(0),
                        mask.readsHead() ? context.head : t.index(0)};
  llvm::append_range(at, rest);
  return t.toIndex(memref::LoadOp::create(t.b, memory, at));
}

namespace {
class ListVisits : public Visits {
public:
  ListVisits(TileBuilder &tiles, MaskLogic &mask, const MaskContext &context,
             const TileListOperands &lists, const TiledAxis &own,
             const TiledAxis &visited, Value row)
      : t(tiles), b(tiles.b), lists(lists) {
    auto entry = [&](Value memory, ValueRange rest) {
      return entryOf(t, mask, context, memory, rest);
    };
    firstRow = arith::MulIOp::create(b, row, t.index(own.tile));
    first = entry(lists.firsts, {row});
    Value partials = entry(lists.counts, {row, t.index(0)});
    endOfPartials = arith::AddIOp::create(b, first, partials);
    end = arith::AddIOp::create(b, endOfPartials,
                                entry(lists.counts, {row, t.index(1)}));
    sticksOut = lastSticksOut(visited);
    endOfWholes = arith::SubIOp::create(b, end, sticksOut);
  }

  Value tileOf(Value visit) override {
    return tileAt(lists.asIfPartial ? placeOf(visit) : visit);
  }

  Value isPartial(Value visit, Value) override {
    if (lists.asIfPartial)
      return arith::CmpIOp::create(
          b, Predicate::slt, visit,
          arith::AddIOp::create(b, endOfPartials, sticksOut));
    return arith::OrIOp::create(
        b, arith::CmpIOp::create(b, Predicate::slt, visit, endOfPartials),
        arith::CmpIOp::create(b, Predicate::sge, visit, endOfWholes));
  }

private:
  Value tileAt(Value place) {
    return t.toIndex(memref::LoadOp::create(b, lists.tiles, place));
  }

  /// index: the place in the list of a visit, if the tile that sticks out comes
  /// behind the partial ones.
  Value placeOf(Value visit) {
    Value isWhole =
        arith::CmpIOp::create(b, Predicate::sge, visit, endOfPartials);
    Value back = arith::SelectOp::create(b, isWhole, sticksOut, t.index(0));
    Value isFirst = arith::AndIOp::create(
        b, arith::CmpIOp::create(b, Predicate::eq, visit, endOfPartials),
        arith::CmpIOp::create(b, Predicate::eq, sticksOut, t.index(1)));
    return arith::SelectOp::create(b, isFirst,
                                   arith::SubIOp::create(b, end, t.index(1)),
                                   arith::SubIOp::create(b, visit, back));
  }

  /// index: 1 if the tile listed last, whose number is the greatest of the full
  /// ones, sticks out over the end of its axis, else 0.
  Value lastSticksOut(const TiledAxis &visited) {
    Value any = arith::CmpIOp::create(b, Predicate::slt, endOfPartials, end);
    return t.either(
        any,
        [&] {
          Value last = tileAt(arith::SubIOp::create(b, end, t.index(1)));
          Value endOfLast = arith::MulIOp::create(
              b, arith::AddIOp::create(b, last, t.index(1)),
              t.index(visited.tile));
          Value out = arith::CmpIOp::create(b, Predicate::sgt, endOfLast,
                                            visited.length);
          return arith::SelectOp::create(b, out, t.index(1), t.index(0));
        },
        [&] { return t.index(0); });
  }

  TileBuilder &t;
  ImplicitLocOpBuilder &b;
  TileListOperands lists;
  Value endOfPartials, endOfWholes; ///< index: visits
  Value sticksOut;                  ///< index: 1 if the last tile does, or 0
};
} // namespace

std::unique_ptr<Visits>
mlir::attn::visitList(TileBuilder &tiles, MaskLogic &mask,
                      const MaskContext &context, const TileListOperands &lists,
                      const TiledAxis &own, const TiledAxis &visited,
                      Value task) {
  return std::make_unique<ListVisits>(tiles, mask, context, lists, own, visited,
                                      task);
}

Value mlir::attn::listedTile(TileBuilder &tiles, MaskLogic &mask,
                             const MaskContext &context,
                             const TileListOperands &lists, Value task) {
  return entryOf(tiles, mask, context, lists.order, {task});
}
