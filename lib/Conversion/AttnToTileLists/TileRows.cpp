// See TileRows.h.
#include "TileRows.h"

using namespace mlir;
using namespace mlir::attn;

std::pair<Value, Value> TileRows::rowWords(ValueRange ids, Value word,
                                           bool transposed) {
  if (!transposed) {
    SmallVector<Value> at{ids[0], ids[1], ids[2], word};
    return {memref::LoadOp::create(b, kept, at),
            memref::LoadOp::create(b, full, at)};
  }
  Value rows = memref::DimOp::create(b, kept, 2);
  Value column = arith::DivUIOp::create(b, ids[2], index(32));
  Value shift = toI32(arith::RemUIOp::create(b, ids[2], index(32)));
  Value first = mul(word, index(32));
  SmallVector<Value> words = team.ballot(2, [&](Value lane) {
    Value row = add(first, lane), exists = less(row, rows);
    row = select(exists, row, sub(rows, index(1)));
    SmallVector<Value> bits;
    for (Value memory : {kept, full}) {
      Value loaded = memref::LoadOp::create(
          b, memory, ValueRange{ids[0], ids[1], row, column});
      loaded = arith::ShRUIOp::create(b, loaded, shift);
      bits.push_back(
          both(exists, arith::TruncIOp::create(b, b.getI1Type(), loaded)));
    }
    return bits;
  });
  return {words[0], words[1]};
}

Value TileRows::wordCount(bool transposed) {
  if (!transposed)
    return memref::DimOp::create(b, kept, 3);
  return tileCount(memref::DimOp::create(b, kept, 2), 32);
}

void TileRows::buildCounts(ValueRange ids, bool transposed) {
  auto sums =
      loop(index(0), wordCount(transposed), 1, {i32(0), i32(0)},
           [&](Value word, ValueRange state) {
             auto [keptWord, fullWord] = rowWords(ids, word, transposed);
             return SmallVector<Value>{
                 arith::AddIOp::create(b, state[0], bitCount(keptWord)),
                 arith::AddIOp::create(b, state[1], bitCount(fullWord))};
           });
  Value partial = arith::SubIOp::create(b, sums[0], sums[1]);
  team.once([&] {
    Value visited = arith::ExtUIOp::create(b, b.getI64Type(), sums[0]);
    Value first = memref::AtomicRMWOp::create(
        b, arith::AtomicRMWKind::addi, visited, total, ValueRange{index(0)});
    memref::StoreOp::create(b, first, firsts, ids);
    store(partial, counts, ids, index(0));
    store(sums[1], counts, ids, index(1));
  });
}

void TileRows::buildRow(ValueRange ids, bool transposed) {
  buildOrder(ids);
  buildEnd(ids);
  Value first = toIndex(memref::LoadOp::create(b, firsts, ids));
  Value partials = toIndex(load(counts, ids, index(0)));
  loop(index(0), wordCount(transposed), 1, {first, add(first, partials)},
       [&](Value word, ValueRange ends) {
         auto [keptWord, fullWord] = rowWords(ids, word, transposed);
         Value partialWord = arith::XOrIOp::create(b, keptWord, fullWord);
         Value some = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                            keptWord, i32(0));
         auto listed = scf::IfOp::create(b, some, /*withElseRegion=*/false);
         OpBuilder::InsertionGuard guard(b);
         b.setInsertionPoint(listed.thenYield());
         team.eachLane([&, fullWord = fullWord](Value lane) {
           Value tile = add(mul(word, index(32)), lane);
           listBit(partialWord, lane, ends[0], tile);
           listBit(fullWord, lane, ends[1], tile);
         });
         b.setInsertionPointAfter(listed);
         return SmallVector<Value>{add(ends[0], toIndex(bitCount(partialWord))),
                                   add(ends[1], toIndex(bitCount(fullWord)))};
       });
}

void TileRows::buildEnd(ValueRange ids) {
  Value isFirst = arith::CmpIOp::create(
      b, arith::CmpIPredicate::eq,
      arith::OrIOp::create(b, arith::OrIOp::create(b, ids[0], ids[1]), ids[2]),
      index(0));
  auto only = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(only.thenYield());
  Value end = memref::LoadOp::create(b, total, ValueRange{index(0)});
  memref::StoreOp::create(b, i32(0), tiles, ValueRange{toIndex(end)});
}

void TileRows::listBit(Value word, Value lane, Value end, Value tile) {
  Value bit = arith::ShLIOp::create(b, i32(1), toI32(lane));
  Value isSet = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ne, arith::AndIOp::create(b, word, bit), i32(0));
  auto listed = scf::IfOp::create(b, isSet, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(listed.thenYield());
  Value lower =
      arith::AndIOp::create(b, word, arith::SubIOp::create(b, bit, i32(1)));
  memref::StoreOp::create(b, toI32(tile), tiles,
                          ValueRange{add(end, toIndex(bitCount(lower)))});
}

void TileRows::buildOrder(ValueRange ids) {
  Value own = visitsOf({ids[0], ids[1], ids[2]});
  auto before = loop(
      team.lane, memref::DimOp::create(b, order, 2), team.width, {i32(0)},
      [&](Value row, ValueRange state) {
        Value visits = visitsOf({ids[0], ids[1], row});
        auto compare = [&](arith::CmpIPredicate predicate, Value x,
                           Value y) -> Value {
          return arith::CmpIOp::create(b, predicate, x, y);
        };
        Value ahead =
            either(compare(arith::CmpIPredicate::sgt, visits, own),
                   both(compare(arith::CmpIPredicate::eq, visits, own),
                        compare(arith::CmpIPredicate::sgt, row, ids[2])));
        return SmallVector<Value>{arith::AddIOp::create(
            b, state[0], arith::ExtUIOp::create(b, b.getI32Type(), ahead))};
      });
  Value place = team.combine(before[0], Team::Combine::Sum);
  team.once([&] {
    memref::StoreOp::create(b, toI32(ids[2]), order,
                            ValueRange{ids[0], ids[1], toIndex(place)});
  });
}

Value TileRows::visitsOf(ValueRange row) {
  return arith::AddIOp::create(b, load(counts, row, index(0)),
                               load(counts, row, index(1)));
}
