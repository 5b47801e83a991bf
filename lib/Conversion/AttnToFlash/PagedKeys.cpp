// See PagedKeys.h. Positions are divided as i32, which is faster than as index.
#include "PagedKeys.h"

#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;

using Predicate = arith::CmpIPredicate;

Value Pages::room(TileBuilder &t) const {
  return arith::MulIOp::create(t.b, memref::DimOp::create(t.b, table, 1),
                               memref::DimOp::create(t.b, keys, 2));
}

PagedKeys::PagedKeys(TileBuilder &tiles, const Pages &pages, Value batch,
                     Value length)
    : t(tiles), b(tiles.b), pages(pages), batch(batch), end(pages.room(tiles)),
      pageCount(t.toI32(memref::DimOp::create(b, pages.keys, 0))),
      pageRows(t.toI32(memref::DimOp::create(b, pages.keys, 2))) {
  if (length)
    end = arith::MaxSIOp::create(
        b, t.index(0), arith::MinSIOp::create(b, end, t.toIndex(length)));
}

Value PagedKeys::load(Value memory, Value head, Value first, int64_t rows,
                      int64_t width) {
  Type elementType = cast<MemRefType>(memory.getType()).getElementType();
  return tile::LoadOp::create(
      b, RankedTensorType::get({rows, width}, elementType), memory,
      ValueRange{batch, head, first}, pages.table, end, /*held=*/false);
}

Value PagedKeys::entry(Value number) {
  return memref::LoadOp::create(b, pages.table, ValueRange{batch, number});
}

Value PagedKeys::isPage(Value entry) {
  // Below zero is far beyond.
  return arith::CmpIOp::create(b, Predicate::ult, entry, pageCount);
}

Value PagedKeys::anyIsMissing(Value first, int64_t rows) {
  Value stop = arith::MinSIOp::create(
      b, end, arith::AddIOp::create(b, first, t.index(rows)));
  auto entries = [&](Value keys) -> Value {
    return arith::DivUIOp::create(b, t.toI32(keys), pageRows);
  };
  Value one = arith::ConstantIntOp::create(b, 1, 32);
  // Of the last key. Without any the loop has no turn, whatever this is.
  Value last = entries(arith::SubIOp::create(b, stop, t.index(1)));
  Value none = arith::CmpIOp::create(b, Predicate::sge, first, stop);
  Value firstEntry = entries(first);
  Value behind = arith::SelectOp::create(b, none, firstEntry,
                                         arith::AddIOp::create(b, last, one));
  auto loop = scf::ForOp::create(
      b, t.toIndex(firstEntry), t.toIndex(behind), t.index(1),
      ValueRange{arith::ConstantIntOp::create(b, 0, 1)},
      [&](OpBuilder &, Location, Value number, ValueRange before) {
        Value there = isPage(entry(number));
        Value missing = arith::XOrIOp::create(
            b, there, arith::ConstantIntOp::create(b, 1, 1));
        scf::YieldOp::create(
            b, arith::OrIOp::create(b, before[0], missing).getResult());
      });
  return loop.getResult(0);
}

Value PagedKeys::hasPage(Value key) {
  // Nothing is asked of the table about what is behind the length.
  Value last = t.toI32(arith::SubIOp::create(b, end, t.index(1)));
  Value clamped = arith::MinSIOp::create(b, key, last);
  Value number = arith::DivUIOp::create(b, clamped, pageRows);
  return isPage(entry(t.toIndex(number)));
}
