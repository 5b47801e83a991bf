// tile.copy: global to shared memory, by all threads of the block.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <numeric>

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// Where the copy's rows lie in global memory.
struct Source {
  Value base;   ///< !llvm.ptr<1>: row 0, channel 0 of the tile; packed: of all
  Value stride; ///< i64: elements from row to row; packed: to that inside
  Value rowsLeft; ///< i32: rows of the tile that exist, at most 2^31-1
  int64_t channels;
  Type elementType;
  // Packed.
  Value first;       ///< i32: the tile's first row
  Value inner;       ///< i32: rows inside of one outside
  Value outerStride; ///< i64: elements from row to row outside
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
    int64_t perRow = columns / chunk, rows = dest.getDimSize(0);
    int64_t passes = perRow / std::gcd(d.threads, perRow);
    int64_t rowsAtATime = passes * d.threads / perRow;
    if (passes > 1 && rows <= 4 * rowsAtATime)
      return emitOneByOne(chunk, columns);
    for (int64_t pass = 0; pass < passes; ++pass)
      emitColumn(chunk, columns, pass * d.threads, rowsAtATime);
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
  /// The block copies whole rows at a time, `rowsAtATime`, in as few passes as
  /// these take, so that in each a thread walks down one column of chunks; its
  /// first is number `offset` behind its own. Pointers advance from chunk to
  /// chunk: computed one by one they would all be hoisted out of the key loop,
  /// into registers it needs.
  void emitColumn(int64_t chunk, int64_t columns, int64_t offset,
                  int64_t rowsAtATime) {
    int64_t perRow = columns / chunk, rows = dest.getDimSize(0);
    Value number = d.thread;
    if (offset)
      number = arith::AddIOp::create(b, number, d.i32(offset));
    Value row = arith::DivUIOp::create(b, number, d.i32(perRow));
    Value channel = arith::MulIOp::create(
        b, arith::RemUIOp::create(b, number, d.i32(perRow)), d.i32(chunk));
    Value from = globalPointer(row, channel);
    Value to = d.sharedPointer(op.getDest(), row, channel);
    Value step = arith::MulIOp::create(
        b, source.stride, arith::ConstantIntOp::create(b, rowsAtATime, 64));
    for (int64_t first = 0; first < rows; first += rowsAtATime) {
      if (first > 0 && op.getPacked())
        from =
            globalPointer(arith::AddIOp::create(b, row, d.i32(first)), channel);
      else if (first > 0)
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

  /// Few chunks of a thread, each in a column of its own.
  void emitOneByOne(int64_t chunk, int64_t columns) {
    int64_t perRow = columns / chunk, total = dest.getDimSize(0) * perRow;
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
    copyAsync(d, op, to, from, bytes);
  }

  Source describe() {
    auto type = cast<MemRefType>(op.getSource().getType());
    auto metadata = memref::ExtractStridedMetadataOp::create(b, op.getSource());
    Value offset = metadata.getOffset();
    size_t rowDim = op.getOffsets().size() - 1;
    for (auto [position, stride] : llvm::zip(
             op.getOffsets().drop_back(op.getPacked()), metadata.getStrides()))
      offset = arith::AddIOp::create(
          b, offset, arith::MulIOp::create(b, position, stride));
    Value rows = metadata.getSizes()[rowDim];
    if (op.getPacked())
      rows = arith::MulIOp::create(b, rows, metadata.getSizes()[rowDim + 1]);
    Value left = arith::SubIOp::create(b, rows, op.getOffsets()[rowDim]);
    left = arith::MinSIOp::create(b, left, d.index(dest.getDimSize(0)));
    Value address = toI64(
        memref::ExtractAlignedPointerAsIndexOp::create(b, op.getSource()));
    auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 1);
    Value base =
        LLVM::GEPOp::create(b, pointer, type.getElementType(),
                            LLVM::IntToPtrOp::create(b, pointer, address),
                            ValueRange{toI64(offset)});
    Source described{base,
                     toI64(metadata.getStrides()[rowDim + op.getPacked()]),
                     toI32(left),
                     type.getShape().back(),
                     type.getElementType(),
                     {},
                     {},
                     {}};
    if (op.getPacked()) {
      described.first = toI32(op.getOffsets()[rowDim]);
      described.inner = toI32(metadata.getSizes()[rowDim + 1]);
      described.outerStride = toI64(metadata.getStrides()[rowDim]);
    }
    return described;
  }

  Value toI32(Value index) {
    return arith::IndexCastOp::create(b, b.getI32Type(), index);
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
    auto steps = [&](Value count, Value stride) -> Value {
      return arith::MulIOp::create(
          b, arith::ExtUIOp::create(b, b.getI64Type(), count), stride);
    };
    Value outer;
    if (op.getPacked()) {
      Value number = arith::AddIOp::create(b, source.first, row);
      outer = steps(arith::DivUIOp::create(b, number, source.inner),
                    source.outerStride);
      row = arith::RemUIOp::create(b, number, source.inner);
    }
    Value offset = arith::AddIOp::create(
        b, steps(row, source.stride),
        arith::ExtUIOp::create(b, b.getI64Type(), channel));
    if (outer)
      offset = arith::AddIOp::create(b, outer, offset);
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

/// nvvm.cp.async has no operand for a policy of the cache.
void tile::copyAsync(Distribution &d, CopyOp op, Value to, Value from,
                     Value bytes) {
  ImplicitLocOpBuilder &b = d.b;
  if (!op.getReadOnce()) {
    NVVM::CpAsyncOp::create(b, to, from, 16, NVVM::LoadCacheModifierKind::CG,
                            bytes);
    return;
  }
  Value place = LLVM::PtrToIntOp::create(b, b.getI32Type(), to);
  LLVM::InlineAsmOp::create(
      b, TypeRange(), ValueRange{place, from, bytes, d.readOnce},
      "cp.async.cg.shared.global.L2::cache_hint.L2::128B [$0], [$1], 16, $2, "
      "$3;",
      "r,l,r,l,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
}

void tile::emitCopy(Distribution &d, CopyOp op) {
  if (op.getTable())
    return emitPagedCopy(d, op);
  CopyEmitter emitter(d, op);
  if (op.getAsync())
    emitter.emitAsync();
  else
    emitter.emitElements();
}
