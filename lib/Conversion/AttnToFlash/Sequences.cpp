// See Sequences.h. With first task numbers that grow with the sequence, the one
// of a task is found by bisection, without a sum over the sequences before it.
#include "Sequences.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;

using Predicate = arith::CmpIPredicate;

Value SequenceRows::at(TileBuilder &tiles, Value row) const {
  return first ? arith::AddIOp::create(tiles.b, first, row) : row;
}

Value SequenceRows::of(TileBuilder &tiles, Value memory, Value length) const {
  if (!first)
    return memory;
  // Spelled out: what lowers memref.subview is in no pipeline.
  ImplicitLocOpBuilder &b = tiles.b;
  auto type = cast<MemRefType>(memory.getType());
  auto whole = memref::ExtractStridedMetadataOp::create(b, memory);
  Value offset = arith::AddIOp::create(
      b, whole.getOffset(),
      arith::MulIOp::create(b, first, whole.getStrides()[2]));
  SmallVector<OpFoldResult> sizes = getAsOpFoldResult(whole.getSizes());
  SmallVector<OpFoldResult> strides = getAsOpFoldResult(whole.getStrides());
  sizes[2] = length;
  strides.back() = b.getIndexAttr(1);
  SmallVector<int64_t> dynamic(type.getRank(), ShapedType::kDynamic);
  if (!type.isDynamicDim(type.getRank() - 1))
    sizes.back() = b.getIndexAttr(type.getShape().back());
  dynamic.back() = 1;
  auto layout =
      StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, dynamic);
  return memref::ReinterpretCastOp::create(
      b, MemRefType::get(type.getShape(), type.getElementType(), layout),
      memory, offset, sizes, strides);
}

static Value startOf(TileBuilder &t, Value starts, Value rows, Value sequence) {
  ImplicitLocOpBuilder &b = t.b;
  Value start = t.toIndex(memref::LoadOp::create(b, starts, sequence));
  return arith::MinSIOp::create(b, arith::MaxSIOp::create(b, start, t.index(0)),
                                rows);
}

static Value countSequences(TileBuilder &t, Value starts) {
  Value size = memref::DimOp::create(t.b, starts, 0);
  return arith::SubIOp::create(t.b, size, t.index(1));
}

std::pair<SequenceRows, Value> mlir::attn::rowsOfSequence(TileBuilder &t,
                                                          Value starts,
                                                          Value rows,
                                                          Value sequence) {
  ImplicitLocOpBuilder &b = t.b;
  Value first = startOf(t, starts, rows, sequence);
  Value end =
      startOf(t, starts, rows, arith::AddIOp::create(b, sequence, t.index(1)));
  Value length = arith::MaxSIOp::create(b, arith::SubIOp::create(b, end, first),
                                        t.index(0));
  return {{t.index(0), first}, length};
}

Value mlir::attn::countSequenceTiles(TileBuilder &t, Value starts, Value rows,
                                     int64_t tile) {
  ImplicitLocOpBuilder &b = t.b;
  Value sequences = countSequences(t, starts);
  Value whole = arith::DivUIOp::create(b, rows, t.index(tile));
  Value any = arith::CmpIOp::create(b, Predicate::sgt, sequences, t.index(0));
  return arith::SelectOp::create(
      b, any, arith::AddIOp::create(b, whole, sequences), t.index(0));
}

std::pair<Value, Value> mlir::attn::sequenceTileAt(TileBuilder &t, Value starts,
                                                   Value rows, int64_t tile,
                                                   Value task) {
  ImplicitLocOpBuilder &b = t.b;
  Value one = t.index(1);
  auto firstTaskOf = [&](Value sequence) -> Value {
    Value whole = arith::DivUIOp::create(b, startOf(t, starts, rows, sequence),
                                         t.index(tile));
    return arith::AddIOp::create(b, whole, sequence);
  };
  auto in = [&](llvm::function_ref<void(ValueRange)> body) {
    return [&, body](OpBuilder &nested, Location, ValueRange args) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(nested.getInsertionBlock());
      body(args);
    };
  };
  // The sequence is at least the first number and below the second.
  Type index = b.getIndexType();
  auto search = scf::WhileOp::create(
      b, TypeRange{index, index},
      ValueRange{t.index(0), countSequences(t, starts)},
      in([&](ValueRange bounds) {
        Value width = arith::SubIOp::create(b, bounds[1], bounds[0]);
        Value open = arith::CmpIOp::create(b, Predicate::sgt, width, one);
        scf::ConditionOp::create(b, open, bounds);
      }),
      in([&](ValueRange bounds) {
        Value middle = arith::DivUIOp::create(
            b, arith::AddIOp::create(b, bounds[0], bounds[1]), t.index(2));
        Value behind =
            arith::CmpIOp::create(b, Predicate::sle, firstTaskOf(middle), task);
        Value low = arith::SelectOp::create(b, behind, middle, bounds[0]);
        Value high = arith::SelectOp::create(b, behind, bounds[1], middle);
        scf::YieldOp::create(b, ValueRange{low, high});
      }));
  Value sequence = search.getResult(0);
  Value number = arith::SubIOp::create(b, task, firstTaskOf(sequence));
  // In front of the first sequence there may be rows of none.
  Value isNone = arith::CmpIOp::create(b, Predicate::slt, number, t.index(0));
  Value behind = arith::CeilDivUIOp::create(b, rows, t.index(tile));
  return {sequence, arith::SelectOp::create(b, isNone, behind, number)};
}
