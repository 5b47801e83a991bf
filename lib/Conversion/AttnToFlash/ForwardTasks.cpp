// See ForwardTasks.h.
#include "ForwardTasks.h"

#include "PackedRows.h"
#include "PagedKeys.h"

#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::attn;

bool mlir::attn::isScaleInExponent(AttentionOp op) {
  ModOp mod = op.lookupMod();
  return !(mod && mod.hasScore()) && op.getScaleValue() > 0;
}

double mlir::attn::exponentFactor(AttentionOp op) {
  constexpr double log2e = 1.4426950408889634;
  return isScaleInExponent(op) ? op.getScaleValue() * log2e : log2e;
}

ForwardTasks::ForwardTasks(ImplicitLocOpBuilder &builder, AttentionOp op,
                           const FlashOperands &operands)
    : TileBuilder(builder), packed(op.getSchedule()->getTiling().pack),
      query(operands.query), out(operands.out), lse(operands.lse),
      operands(operands) {
  auto dim = [&](Value memory, int64_t i) -> Value {
    return memref::DimOp::create(b, memory, i);
  };
  batches = dim(operands.query, 0), heads = dim(operands.query, 1);
  queries = dim(operands.query, 2);
  Value keys = operands.pages ? Pages{operands.pages, operands.key}.room(*this)
                              : dim(operands.key, 2);
  Value keyHeads = dim(operands.key, 1);
  headsPerKeyHead = arith::DivUIOp::create(
      b, heads, arith::MaxUIOp::create(b, keyHeads, index(1)));
  Tiling tiling = op.getSchedule()->getTiling();
  own = axisOf(Axis::Query, tiling.q, queries);
  visited = axisOf(Axis::Key, tiling.kv, keys);
  if (packed) {
    packRows();
    heads = keyHeads;
  }
  tiles =
      operands.queryStarts
          ? countSequenceTiles(*this, operands.queryStarts, queries, tiling.q)
          : arith::CeilDivSIOp::create(b, own.length, index(tiling.q));
}

TiledAxis ForwardTasks::axisOf(Axis axis, int64_t tile, Value length) {
  return {axis, tile, length, arith::SubIOp::create(b, length, index(1))};
}

/// Makes (query, head) pairs of the heads that share keys the rows.
void ForwardTasks::packRows() {
  Value group = arith::MaxUIOp::create(b, headsPerKeyHead, index(1));
  own = axisOf(Axis::Query, own.tile, arith::MulIOp::create(b, queries, group));
  own.group = group;
  for (Value *rows : {&query, &out, &lse})
    if (*rows)
      *rows = memoryOfPairs(*this, *rows, group);
}

Value ForwardTasks::keyHeadOf(Value headId) {
  if (packed)
    return headId;
  return arith::DivUIOp::create(b, headId, headsPerKeyHead);
}

Value ForwardTasks::firstHeadOf(Value headId) {
  if (!packed)
    return headId;
  return arith::MulIOp::create(b, headId, own.group);
}

SmallVector<Value> ForwardTasks::placeOfRow(Value batchId, Value headId,
                                            Value row) {
  if (!packed)
    return {batchId, headId, row};
  return {batchId, headId, arith::DivUIOp::create(b, row, own.group),
          arith::RemUIOp::create(b, row, own.group)};
}

MaskContext ForwardTasks::context(Value batchId, Value headId) {
  return {batchId,        firstHeadOf(headId), queries,
          visited.length, operands.captures,   loadFromMemory};
}

Value ForwardTasks::count() {
  return arith::MulIOp::create(b, arith::MulIOp::create(b, batches, heads),
                               tiles);
}

TaskPlace ForwardTasks::placeOf(Value task) {
  Value head = arith::RemUIOp::create(b, task, heads);
  Value rest = arith::DivUIOp::create(b, task, heads);
  return {arith::RemUIOp::create(b, rest, batches), head,
          arith::DivUIOp::create(b, rest, batches)};
}

std::unique_ptr<Visits> ForwardTasks::visits(Value batchId, Value headId,
                                             Value tile) {
  MaskContext context = this->context(batchId, headId);
  if (operands.lists)
    return visitList(*this, operands.logic, context, *operands.lists, own,
                     visited, tile);
  std::unique_ptr<Visits> visits =
      visitRun(*this, operands.logic, context, own, visited, tile);
  if (operands.queryStarts) { // a task may have no rows
    Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                      visits->firstRow, own.length);
    visits->end = arith::SelectOp::create(b, any, visits->end, visits->first);
  }
  return visits;
}

Value ForwardTasks::tileAt(Value batchId, Value headId, Value place) {
  if (operands.lists)
    return listedTile(*this, operands.logic, context(batchId, headId),
                      *operands.lists, place);
  return lastFirst(place);
}

/// Masks that grow with the position are common: last rows first.
Value ForwardTasks::lastFirst(Value place) {
  return arith::SubIOp::create(b, arith::SubIOp::create(b, tiles, index(1)),
                               place);
}

std::pair<Value, Value> ForwardTasks::enterSequence(Value batchId,
                                                    Value place) {
  Value sequence = batchId, tile = lastFirst(place);
  queryRows.batch = keyRows.batch = batchId;
  if (operands.queryStarts) {
    std::tie(sequence, tile) =
        sequenceTileAt(*this, operands.queryStarts, own.length, own.tile, tile);
    keyRows.batch = sequence;
    enter(own, queryRows, operands.queryStarts, sequence);
    queries = own.length;
  }
  if (operands.keyStarts)
    enter(visited, keyRows, operands.keyStarts, sequence);
  return {sequence, tile};
}

void ForwardTasks::enter(TiledAxis &axis, SequenceRows &rows, Value starts,
                         Value sequence) {
  Value length;
  std::tie(rows, length) = rowsOfSequence(*this, starts, axis.length, sequence);
  Value group = axis.group;
  axis = axisOf(axis.axis, axis.tile, length);
  axis.group = group;
  // Of an empty sequence mods may see the first position.
  axis.last = arith::MaxSIOp::create(b, axis.last, index(0));
}
