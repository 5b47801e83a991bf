// tile.has_nonfinite: each warp looks at the whole tile, 16 bytes a lane, so that
// no barrier is needed.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::tile;

ExponentBits tile::exponentBits(Type elementType) {
  if (elementType.isF32())
    return {0x7f800000, 0x00800000, 0x80000000, 0x3f800000};
  if (elementType.isF16())
    return {0x7c007c00, 0x04000400, 0x80008000, 0x3c003c00};
  return {0x7f807f80, 0x00800080, 0x80008000, 0x3f803f80};
}

void tile::emitHasNonfinite(Distribution &d, HasNonfiniteOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Value memory = d.shared.lookup(op.getTile());
  auto tile = cast<RankedTensorType>(op.getTile().getType());
  ExponentBits e = exponentBits(tile.getElementType());
  auto bits = [&](uint32_t value) { return d.i32(static_cast<int32_t>(value)); };
  int64_t chunk = 128 / tile.getElementTypeBitWidth();
  int64_t perRow = tile.getDimSize(1) / chunk;
  Value first = arith::IndexCastOp::create(b, b.getIndexType(), d.lane);
  auto words = VectorType::get({4}, b.getI32Type());
  auto loop = scf::ForOp::create(
      b, first, d.index(tile.getDimSize(0) * perRow), d.index(32),
      ValueRange{d.i32(0)},
      [&](OpBuilder &nested, Location, Value i, ValueRange found) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(nested.getInsertionBlock());
        Value linear = arith::IndexCastOp::create(b, b.getI32Type(), i);
        Value row = arith::DivUIOp::create(b, linear, d.i32(perRow));
        Value column = arith::MulIOp::create(
            b, arith::RemUIOp::create(b, linear, d.i32(perRow)),
            d.i32(chunk));
        Value loaded = LLVM::LoadOp::create(
            b, words, d.sharedPointer(memory, row, column), /*alignment=*/16);
        // A full exponent carries into the sign bit.
        Value any = found[0];
        for (int64_t word = 0; word < 4; ++word) {
          Value element = LLVM::ExtractElementOp::create(b, loaded, d.i32(word));
          Value exponent = arith::AndIOp::create(b, element, bits(e.mask));
          any = arith::OrIOp::create(
              b, any, arith::AddIOp::create(b, exponent, bits(e.carry)));
        }
        scf::YieldOp::create(b, any);
      });
  Value signs =
      arith::AndIOp::create(b, loop.getResult(0), bits(e.sign));
  Value found = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, signs,
                                      d.i32(0));
  Value any = NVVM::VoteSyncOp::create(b, b.getI1Type(), d.i32(-1), found,
                                       NVVM::VoteSyncKind::any);
  op.getResult().replaceAllUsesWith(any);
}
