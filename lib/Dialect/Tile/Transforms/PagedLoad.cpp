// See PagedLoad.h. A loop over rows, each of which is found in the table by
// itself and copied as one vector.
#include "PagedLoad.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::attn;

using Predicate = arith::CmpIPredicate;

namespace {

class PagedLoad {
public:
  PagedLoad(ImplicitLocOpBuilder &builder, tile::LoadOp load, Value buffer)
      : b(builder), load(load), buffer(buffer),
        tile(cast<MemRefType>(buffer.getType())),
        channels(
            cast<MemRefType>(load.getSource().getType()).getShape().back()) {}

  void emit() {
    Value pages = memref::DimOp::create(b, load.getSource(), 0);
    pageRows = memref::DimOp::create(b, load.getSource(), 2);
    zero = index(0);
    auto rows =
        scf::ForOp::create(b, zero, index(tile.getDimSize(0)), index(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(rows.getBody()->getTerminator());
    Value row = rows.getInductionVar();
    Value position = arith::AddIOp::create(b, load.getOffsets()[2], row);
    Value page = pageOf(position);
    // Below zero is far beyond.
    Value there = arith::CmpIOp::create(b, Predicate::ult, page, pages);
    auto copy = scf::IfOp::create(b, there, /*withElseRegion=*/true);
    b.setInsertionPoint(copy.thenYield());
    copyRow(page, arith::RemUIOp::create(b, position, pageRows), row);
    b.setInsertionPoint(copy.elseYield());
    store(zeros(tile.getDimSize(1)), row, 0);
  }

private:
  /// index: what the table has for a row; -1 at the end and behind it.
  Value pageOf(Value position) {
    Value inside =
        arith::CmpIOp::create(b, Predicate::slt, position, load.getEnd());
    auto found = scf::IfOp::create(b, b.getIndexType(), inside,
                                   /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(found.elseBlock());
    scf::YieldOp::create(b, index(-1));
    b.setInsertionPointToStart(found.thenBlock());
    Value entry = arith::DivUIOp::create(b, position, pageRows);
    Value page = memref::LoadOp::create(
        b, load.getTable(), ValueRange{load.getOffsets()[0], entry});
    Value result = arith::IndexCastOp::create(b, b.getIndexType(), page);
    scf::YieldOp::create(b, result);
    return found.getResult(0);
  }

  void copyRow(Value page, Value rowOfPage, Value row) {
    auto type = VectorType::get(channels, tile.getElementType());
    Value numbers = vector::LoadOp::create(
        b, type, load.getSource(),
        ValueRange{page, load.getOffsets()[1], rowOfPage, zero});
    store(numbers, row, 0);
    if (int64_t padding = tile.getDimSize(1) - channels)
      store(zeros(padding), row, channels);
  }

  void store(Value numbers, Value row, int64_t channel) {
    vector::StoreOp::create(b, numbers, buffer,
                            ValueRange{row, index(channel)});
  }

  Value zeros(int64_t count) {
    auto type = VectorType::get(count, tile.getElementType());
    return arith::ConstantOp::create(b, b.getZeroAttr(type));
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  ImplicitLocOpBuilder &b;
  tile::LoadOp load;
  Value buffer;
  MemRefType tile;
  int64_t channels;
  Value pageRows, zero; ///< index
};

} // namespace

LogicalResult tile::emitPagedLoad(OpBuilder &builder, LoadOp load,
                                  Value buffer) {
  auto memory = cast<MemRefType>(load.getSource().getType());
  if (ShapedType::isDynamic(memory.getShape().back()))
    return load.emitOpError("expects memory with a static channel dimension");
  if (!memory.areTrailingDimsContiguous(1))
    return load.emitOpError("expects memory with channels of stride 1");
  ImplicitLocOpBuilder b(load.getLoc(), builder);
  PagedLoad(b, load, buffer).emit();
  return success();
}
