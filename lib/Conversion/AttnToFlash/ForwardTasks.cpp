// See ForwardTasks.h.
#include "ForwardTasks.h"

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
    : TileBuilder(builder), operands(operands) {
  auto dim = [&](Value memory, int64_t i) -> Value {
    return memref::DimOp::create(b, memory, i);
  };
  batches = dim(operands.query, 0), heads = dim(operands.query, 1);
  Value queries = dim(operands.query, 2), keys = dim(operands.key, 2);
  Value keyHeads = dim(operands.key, 1);
  headsPerKeyHead = arith::DivUIOp::create(
      b, heads, arith::MaxUIOp::create(b, keyHeads, index(1)));
  Tiling tiling = op.getSchedule()->getTiling();
  own = {Axis::Query, tiling.q, queries, {}};
  visited = {Axis::Key, tiling.kv, keys, {}};
  for (TiledAxis *axis : {&own, &visited})
    axis->last = arith::SubIOp::create(b, axis->length, index(1));
  tiles = arith::CeilDivSIOp::create(b, queries, index(tiling.q));
}

MaskContext ForwardTasks::context(Value batchId, Value headId) {
  return {batchId,           headId,        own.length, visited.length,
          operands.captures, loadFromMemory};
}

std::unique_ptr<Visits> ForwardTasks::visits(Value batchId, Value headId,
                                             Value tile) {
  MaskContext context = this->context(batchId, headId);
  if (operands.lists)
    return visitList(*this, operands.logic, context, *operands.lists, own,
                     visited, tile);
  return visitRun(*this, operands.logic, context, own, visited, tile);
}

Value ForwardTasks::tileAt(Value batchId, Value headId, Value place) {
  if (operands.lists)
    return listedTile(*this, operands.logic, context(batchId, headId),
                      *operands.lists, place);
  // Masks that grow with the position are common: last rows first.
  return arith::SubIOp::create(b, arith::SubIOp::create(b, tiles, index(1)),
                               place);
}
