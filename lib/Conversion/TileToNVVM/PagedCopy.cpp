// tile.copy through a table: rows of a sequence that lie in pages of memory, to
// shared memory, by all threads of the block. Where a row lies takes a division
// and a number of the table, so a lane finds it once for all that copy pieces
// of that row.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

using Predicate = arith::CmpIPredicate;

namespace {

/// The pages, and what the copy wants of them.
struct Heap {
  Value base; ///< !llvm.ptr<1>: page 0, row 0, channel 0 of the head
  Value pageStride, rowStride; ///< i64: elements
  Value pages, pageRows;       ///< i32
  Value firstRow;              ///< i32: of the tile, in the sequence
  Value rowsLeft;              ///< i32: of the tile, before the end
};

class PagedCopyEmitter {
public:
  PagedCopyEmitter(Distribution &d, CopyOp op)
      : d(d), b(d.b), op(op), dest(cast<MemRefType>(op.getDest().getType())),
        elementType(dest.getElementType()),
        piece(128 / dest.getElementTypeBitWidth()), rows(dest.getDimSize(0)),
        columns(dest.getDimSize(1) - piece),
        channels(cast<MemRefType>(op.getSource().getType()).getShape().back()),
        heap(describe()) {}

  /// 16 bytes at a time, in the thread's current cp.async group. What is not
  /// there is filled with zeros and not read.
  void emitAsync() {
    int64_t perRow = columns / piece;
    if (warpLanes % perRow == 0)
      return emitRowsOfWarps(perRow);
    int64_t total = rows * perRow;
    for (int64_t first = 0; first < total; first += d.threads) {
      Value linear = add(d.thread, first);
      Value row = arith::DivUIOp::create(b, linear, d.i32(perRow));
      Value channel =
          times(arith::RemUIOp::create(b, linear, d.i32(perRow)), piece);
      guarded(linear, total, total - first < d.threads,
              [&] { copyPiece(row, channel, locate(row)); });
    }
  }

  /// Element by element, for rows at any address.
  void emitElements() {
    Value lower = arith::IndexCastOp::create(b, b.getIndexType(), d.thread);
    auto loop = scf::ForOp::create(b, lower, d.index(rows * columns),
                                   d.index(d.threads));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    Value linear =
        arith::IndexCastOp::create(b, b.getI32Type(), loop.getInductionVar());
    Value row = arith::DivUIOp::create(b, linear, d.i32(columns));
    Value channel = arith::RemUIOp::create(b, linear, d.i32(columns));
    Value place = locate(row);
    auto read = scf::IfOp::create(
        b, exists(place, channel),
        [&](OpBuilder &, Location) {
          scf::YieldOp::create(
              b, LLVM::LoadOp::create(b, elementType, pointer(place, channel))
                     .getResult());
        },
        [&](OpBuilder &, Location) {
          Value zero = arith::ConstantOp::create(b, b.getZeroAttr(elementType));
          scf::YieldOp::create(b, zero);
        });
    LLVM::StoreOp::create(b, read.getResult(0),
                          d.sharedPointer(op.getDest(), row, channel));
  }

private:
  static constexpr int64_t warpLanes = 32;

  /// The block copies whole rows at a time. A warp has some rows of each step,
  /// and each of its lanes finds the place of one of them, for as many steps as
  /// there are lanes.
  void emitRowsOfWarps(int64_t perRow) {
    int64_t ofWarp = warpLanes / perRow, atATime = d.threads / perRow;
    int64_t steps = (rows + atATime - 1) / atATime;
    Value firstOfWarp =
        times(arith::DivUIOp::create(b, d.thread, d.i32(warpLanes)), ofWarp);
    Value own = arith::DivUIOp::create(b, d.lane, d.i32(perRow));
    Value channel =
        times(arith::RemUIOp::create(b, d.lane, d.i32(perRow)), piece);
    Value found = arith::AddIOp::create(
        b, firstOfWarp,
        arith::AddIOp::create(
            b, arith::RemUIOp::create(b, d.lane, d.i32(ofWarp)),
            times(arith::DivUIOp::create(b, d.lane, d.i32(ofWarp)), atATime)));
    Value places;
    for (int64_t step = 0; step < steps; ++step) {
      if (step % perRow == 0)
        places = locate(add(found, step * atATime));
      Value place = shuffle(places, add(own, step % perRow * ofWarp));
      int64_t first = step * atATime;
      Value row = add(arith::AddIOp::create(b, firstOfWarp, own), first);
      guarded(row, rows, rows - first < atATime,
              [&] { copyPiece(row, channel, place); });
    }
  }

  /// i64: where a row of the tile starts, in elements from the heap's base; -1
  /// if there is no such row.
  Value locate(Value row) {
    Value inside = arith::CmpIOp::create(b, Predicate::slt, row, heap.rowsLeft);
    auto found = scf::IfOp::create(b, b.getI64Type(), inside,
                                   /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(found.elseBlock());
    scf::YieldOp::create(b, nowhere());
    b.setInsertionPointToStart(found.thenBlock());
    Value position = arith::AddIOp::create(b, heap.firstRow, row);
    Value entry = arith::DivUIOp::create(b, position, heap.pageRows);
    Value page = memref::LoadOp::create(
        b, op.getTable(),
        ValueRange{op.getOffsets()[0],
                   arith::IndexCastOp::create(b, b.getIndexType(), entry)});
    Value rowOfPage = arith::SubIOp::create(
        b, position, arith::MulIOp::create(b, entry, heap.pageRows));
    Value place = arith::AddIOp::create(
        b, arith::MulIOp::create(b, toI64(page), heap.pageStride),
        arith::MulIOp::create(b, toI64(rowOfPage), heap.rowStride));
    // Below zero is far beyond.
    Value there = arith::CmpIOp::create(b, Predicate::ult, page, heap.pages);
    scf::YieldOp::create(
        b, arith::SelectOp::create(b, there, place, nowhere()).getResult());
    return found.getResult(0);
  }

  /// The i64 that lane `from` has.
  Value shuffle(Value value, Value from) {
    auto half = [&](Value part) -> Value {
      Value word = arith::TruncIOp::create(b, b.getI32Type(), part);
      word = NVVM::ShflOp::create(b, b.getI32Type(), d.i32(-1), word, from,
                                  d.i32(31), NVVM::ShflKind::idx, UnitAttr());
      return arith::ExtUIOp::create(b, b.getI64Type(), word);
    };
    Value bits = arith::ConstantIntOp::create(b, 32, 64);
    Value high = half(arith::ShRUIOp::create(b, value, bits));
    return arith::OrIOp::create(b, half(value),
                                arith::ShLIOp::create(b, high, bits));
  }

  /// i1
  Value exists(Value place, Value channel) {
    Value zero = arith::ConstantIntOp::create(b, 0, 64);
    Value result = arith::CmpIOp::create(b, Predicate::sge, place, zero);
    if (channels == columns)
      return result;
    return arith::AndIOp::create(
        b, result,
        arith::CmpIOp::create(b, Predicate::slt, channel, d.i32(channels)));
  }

  Value pointer(Value place, Value channel) {
    Value offset = arith::AddIOp::create(b, place, toI64(channel));
    return LLVM::GEPOp::create(b, heap.base.getType(), elementType, heap.base,
                               ValueRange{offset});
  }

  void copyPiece(Value row, Value channel, Value place) {
    Value bytes =
        arith::SelectOp::create(b, exists(place, channel), d.i32(16), d.i32(0));
    copyAsync(d, op, d.sharedPointer(op.getDest(), row, channel),
              pointer(place, channel), bytes);
  }

  Heap describe() {
    auto type = cast<MemRefType>(op.getSource().getType());
    auto metadata = memref::ExtractStridedMetadataOp::create(b, op.getSource());
    Value head = op.getOffsets()[1], first = op.getOffsets()[2];
    Value offset = arith::AddIOp::create(
        b, metadata.getOffset(),
        arith::MulIOp::create(b, head, metadata.getStrides()[1]));
    Value address = toI64(
        memref::ExtractAlignedPointerAsIndexOp::create(b, op.getSource()));
    auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 1);
    Heap result;
    result.base =
        LLVM::GEPOp::create(b, pointer, type.getElementType(),
                            LLVM::IntToPtrOp::create(b, pointer, address),
                            ValueRange{toI64(offset)});
    result.pageStride = toI64(metadata.getStrides()[0]);
    result.rowStride = toI64(metadata.getStrides()[2]);
    result.pages = toI32(metadata.getSizes()[0]);
    result.pageRows = toI32(metadata.getSizes()[2]);
    result.firstRow = toI32(first);
    Value left = arith::SubIOp::create(b, op.getEnd(), first);
    result.rowsLeft = toI32(arith::MinSIOp::create(b, left, d.index(rows)));
    return result;
  }

  void guarded(Value number, int64_t total, bool needed,
               llvm::function_ref<void()> body) {
    if (!needed)
      return body();
    Value inside =
        arith::CmpIOp::create(b, Predicate::ult, number, d.i32(total));
    auto branch = scf::IfOp::create(b, inside, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenYield());
    body();
  }

  Value nowhere() { return arith::ConstantIntOp::create(b, -1, 64); }
  Value add(Value x, int64_t number) {
    return arith::AddIOp::create(b, x, d.i32(number));
  }
  Value times(Value x, int64_t factor) {
    return arith::MulIOp::create(b, x, d.i32(factor));
  }
  Value toI32(Value index) {
    return arith::IndexCastOp::create(b, b.getI32Type(), index);
  }
  /// Of an index, or of an i32 of at least 0.
  Value toI64(Value value) {
    if (value.getType().isIndex())
      return arith::IndexCastOp::create(b, b.getI64Type(), value);
    return arith::ExtUIOp::create(b, b.getI64Type(), value);
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  CopyOp op;
  MemRefType dest;
  Type elementType;
  int64_t piece, rows, columns, channels; ///< a piece: elements of 16 bytes
  Heap heap;
};

} // namespace

void tile::emitPagedCopy(Distribution &d, CopyOp op) {
  PagedCopyEmitter emitter(d, op);
  if (op.getAsync())
    emitter.emitAsync();
  else
    emitter.emitElements();
}
