// What one thread knows: its place in the block and where its elements lie.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::tile;

Distribution::Distribution(gpu::GPUFuncOp func, attn::ScheduleAttr schedule)
    : b(func.getLoc(), &func.getBody().front(), func.getBody().front().begin()),
      threads(32 * schedule.getWarps()),
      blocks(schedule.getQ() / (16 * schedule.getWarps())) {
  thread = arith::IndexCastOp::create(
      b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
  lane = arith::AndIOp::create(b, thread, i32(31));
  Value warp = arith::ShRUIOp::create(b, thread, i32(5));
  quadRow = arith::ShRUIOp::create(b, lane, i32(2));
  quadColumn = arith::AndIOp::create(b, lane, i32(3));
  warpRow = arith::MulIOp::create(b, warp, i32(16 * blocks));

  Value firstRow = arith::AddIOp::create(b, warpRow, quadRow);
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t half = 0; half < 2; ++half)
      rows[rowIndex(block, half)] = arith::IndexCastOp::create(
          b, b.getIndexType(),
          arith::AddIOp::create(b, firstRow, i32(16 * block + 8 * half)));
  // Columns up to the widest tile are made here, where they dominate all uses;
  // those that nothing reads disappear.
  Value firstColumn = arith::ShLIOp::create(b, quadColumn, i32(1));
  for (int64_t c = 0; c < 2; ++c)
    for (int64_t columnBlock = 0; columnBlock < 256 / 8; ++columnBlock)
      columns[2 * columnBlock + c] = arith::IndexCastOp::create(
          b, b.getIndexType(),
          arith::AddIOp::create(b, firstColumn, i32(8 * columnBlock + c)));
}

int64_t Distribution::fragmentSize(RankedTensorType tile) const {
  return tile.getRank() == 1 ? 2 * blocks
                             : blocks * (tile.getDimSize(1) / 8) * 4;
}

Value Distribution::row(int64_t rowIndex) { return rows.lookup(rowIndex); }

Value Distribution::column(int64_t columnBlock, int64_t c) {
  return columns.lookup(2 * columnBlock + c);
}

Value Distribution::i32(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

Value Distribution::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value Distribution::f32(float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

Value Distribution::shuffleXor(Value value, int64_t mask) {
  return NVVM::ShflOp::create(b, value.getType(), i32(-1), value, i32(mask),
                              i32(31), NVVM::ShflKind::bfly, UnitAttr());
}

Value Distribution::sharedPointer(Value memref, Value row, Value column) {
  auto type = cast<MemRefType>(memref.getType());
  Value address = arith::IndexCastOp::create(
      b, b.getI64Type(),
      memref::ExtractAlignedPointerAsIndexOp::create(b, memref));
  auto pointerType = LLVM::LLVMPointerType::get(b.getContext(), 3);
  Value base = LLVM::IntToPtrOp::create(b, pointerType, address);
  Value offset = arith::AddIOp::create(
      b, arith::MulIOp::create(b, row, i32(type.getDimSize(1))), column);
  return LLVM::GEPOp::create(b, pointerType, type.getElementType(), base,
                             ValueRange{offset});
}

Value Distribution::advance(Value pointer, Type elementType, int64_t elements) {
  if (elements == 0)
    return pointer;
  return LLVM::GEPOp::create(
      b, pointer.getType(), elementType, pointer,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(elements)});
}
