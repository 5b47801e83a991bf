// tile.copy: global to shared memory, by all threads of the block.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// Where the copy's rows lie in global memory.
struct Source {
  Value base;     ///< !llvm.ptr<1>: row 0, channel 0 of the tile
  Value stride;   ///< i64: elements from row to row
  Value rowsLeft; ///< i32: rows of the tile that exist, at most 2^31-1
  int64_t channels;
  Type elementType;
};

class CopyEmitter {
public:
  CopyEmitter(Distribution &d, CopyOp op)
      : d(d), b(d.b), op(op), dest(cast<MemRefType>(op.getDest().getType())),
        source(describe()) {}

  /// 16 bytes at a time, in the thread's current cp.async group. Bytes past the
  /// tensor are filled with zeros and not read.
  void emitAsync() {
    int64_t chunk = 16 / (dest.getElementTypeBitWidth() / 8);
    int64_t columns = dest.getDimSize(1) - chunk; // but the padding
    int64_t perRow = columns / chunk, total = dest.getDimSize(0) * perRow;
    if (d.threads % perRow == 0)
      emitRowsAtATime(chunk, columns);
    else
      for (int64_t first = 0; first < total; first += d.threads) {
        Value linear = arith::AddIOp::create(b, d.thread, d.i32(first));
        Value row = arith::DivUIOp::create(b, linear, d.i32(perRow));
        Value channel = arith::MulIOp::create(
            b, arith::RemUIOp::create(b, linear, d.i32(perRow)), d.i32(chunk));
        guarded(linear, total, total - first < d.threads, [&] {
          copyChunk(row, channel, columns, globalPointer(row, channel),
                    d.sharedPointer(op.getDest(), row, channel));
        });
      }
  }

  /// Element by element, for rows at any address.
  void emitElements() {
    int64_t columns =
        dest.getDimSize(1) - 16 / (dest.getElementTypeBitWidth() / 8);
    int64_t total = dest.getDimSize(0) * columns;
    Value one = d.index(d.threads), upper = d.index(total);
    Value lower = arith::IndexCastOp::create(b, b.getIndexType(), d.thread);
    auto loop = scf::ForOp::create(b, lower, upper, one);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    Value linear =
        arith::IndexCastOp::create(b, b.getI32Type(), loop.getInductionVar());
    Value row = arith::DivUIOp::create(b, linear, d.i32(columns));
    Value channel = arith::RemUIOp::create(b, linear, d.i32(columns));
    Value exists = arith::AndIOp::create(
        b,
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row,
                              source.rowsLeft),
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, channel,
                              d.i32(source.channels)));
    auto read = scf::IfOp::create(
        b, exists,
        [&](OpBuilder &, Location) {
          Value element = LLVM::LoadOp::create(b, source.elementType,
                                               globalPointer(row, channel));
          scf::YieldOp::create(b, element);
        },
        [&](OpBuilder &, Location) {
          Value zero =
              arith::ConstantOp::create(b, b.getZeroAttr(source.elementType));
          scf::YieldOp::create(b, zero);
        });
    LLVM::StoreOp::create(b, read.getResult(0),
                          d.sharedPointer(op.getDest(), row, channel));
  }

private:
  /// The block copies whole rows at a time, so that each thread walks down one
  /// column of chunks. Pointers advance from chunk to chunk: computed one by
  /// one they would all be hoisted out of the key loop, into registers it
  /// needs.
  void emitRowsAtATime(int64_t chunk, int64_t columns) {
    int64_t perRow = columns / chunk, rows = dest.getDimSize(0);
    int64_t rowsAtATime = d.threads / perRow;
    Value row = arith::DivUIOp::create(b, d.thread, d.i32(perRow));
    Value channel = arith::MulIOp::create(
        b, arith::RemUIOp::create(b, d.thread, d.i32(perRow)), d.i32(chunk));
    Value from = globalPointer(row, channel);
    Value to = d.sharedPointer(op.getDest(), row, channel);
    Value step = arith::MulIOp::create(
        b, source.stride, arith::ConstantIntOp::create(b, rowsAtATime, 64));
    for (int64_t first = 0; first < rows; first += rowsAtATime) {
      if (first > 0)
        from = LLVM::GEPOp::create(b, from.getType(), source.elementType, from,
                                   ValueRange{step});
      Value here = arith::AddIOp::create(b, row, d.i32(first));
      guarded(here, rows, rows - first < rowsAtATime, [&] {
        copyChunk(
            here, channel, columns, from,
            d.advance(to, source.elementType, first * dest.getDimSize(1)));
      });
    }
  }

  void copyChunk(Value row, Value channel, int64_t columns, Value from,
                 Value to) {
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row,
                                         source.rowsLeft);
    if (source.channels < columns)
      exists = arith::AndIOp::create(
          b, exists,
          arith::CmpIOp::create(b, arith::CmpIPredicate::slt, channel,
                                d.i32(source.channels)));
    Value bytes = arith::SelectOp::create(b, exists, d.i32(16), d.i32(0));
    NVVM::CpAsyncOp::create(b, to, from, 16, NVVM::LoadCacheModifierKind::CG,
                            bytes);
  }

  Source describe() {
    auto type = cast<MemRefType>(op.getSource().getType());
    auto metadata = memref::ExtractStridedMetadataOp::create(b, op.getSource());
    Value offset = metadata.getOffset();
    for (auto [position, stride] :
         llvm::zip(op.getOffsets(), metadata.getStrides()))
      offset = arith::AddIOp::create(
          b, offset, arith::MulIOp::create(b, position, stride));
    size_t rowDim = type.getRank() - 2;
    Value left = arith::SubIOp::create(b, metadata.getSizes()[rowDim],
                                       op.getOffsets()[rowDim]);
    left = arith::MinSIOp::create(b, left, d.index(dest.getDimSize(0)));
    Value address = toI64(
        memref::ExtractAlignedPointerAsIndexOp::create(b, op.getSource()));
    auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 1);
    Value base =
        LLVM::GEPOp::create(b, pointer, type.getElementType(),
                            LLVM::IntToPtrOp::create(b, pointer, address),
                            ValueRange{toI64(offset)});
    return {base, toI64(metadata.getStrides()[rowDim]),
            arith::IndexCastOp::create(b, b.getI32Type(), left),
            type.getShape().back(), type.getElementType()};
  }

  Value toI64(Value index) {
    return arith::IndexCastOp::create(b, b.getI64Type(), index);
  }

  void guarded(Value linear, int64_t total, bool needed,
               llvm::function_ref<void()> body) {
    if (!needed)
      return body();
    Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, linear,
                                         d.i32(total));
    auto branch = scf::IfOp::create(b, inside, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenYield());
    body();
  }

  Value globalPointer(Value row, Value channel) {
    Value row64 = arith::ExtUIOp::create(b, b.getI64Type(), row);
    Value offset = arith::AddIOp::create(
        b, arith::MulIOp::create(b, row64, source.stride),
        arith::ExtUIOp::create(b, b.getI64Type(), channel));
    return LLVM::GEPOp::create(b, source.base.getType(), source.elementType,
                               source.base, ValueRange{offset});
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  CopyOp op;
  MemRefType dest;
  Source source;
};

} // namespace

void tile::emitCopy(Distribution &d, CopyOp op) {
  if (op.getTable())
    return emitPagedCopy(d, op);
  CopyEmitter emitter(d, op);
  if (op.getAsync())
    emitter.emitAsync();
  else
    emitter.emitElements();
}
