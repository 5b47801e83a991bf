// See Product.h.
#include "Product.h"

#include "attn/Dialect/Tile/IR/Marks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::attn;

/// Whether the body is acc + x * y of its three arguments.
static bool isMultiplyAdd(linalg::GenericOp op) {
  Block *body = op.getBlock();
  if (body->getOperations().size() != 3)
    return false;
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add)
    return false;
  Value x = body->getArgument(0), y = body->getArgument(1),
        acc = body->getArgument(2);
  Value term = add.getLhs() == acc   ? add.getRhs()
               : add.getRhs() == acc ? add.getLhs()
                                     : Value();
  auto mul = term ? term.getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  return mul && ((mul.getLhs() == x && mul.getRhs() == y) ||
                 (mul.getLhs() == y && mul.getRhs() == x));
}

static bool isPlainF32(Value value) {
  auto type = dyn_cast<MemRefType>(value.getType());
  return type && type.getElementType().isF32() && type.hasStaticShape() &&
         type.getRank() == 2 && type.getLayout().isIdentity();
}

std::optional<Product> mlir::attn::matchProduct(linalg::GenericOp op) {
  if (op.getNumLoops() != 3 || op.getNumReductionLoops() != 1 ||
      op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      !llvm::all_of(op->getOperands(), isPlainF32) || !isMultiplyAdd(op))
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!llvm::all_of(maps, [](AffineMap map) {
        return map.isProjectedPermutation() && map.getNumResults() == 2;
      }))
    return std::nullopt;
  unsigned dimM = maps[2].getDimPosition(0), dimN = maps[2].getDimPosition(1);
  unsigned dimK = 3 - dimM - dimN;
  auto isB = [&](AffineMap map) {
    return map.getDimPosition(0) == dimK && map.getDimPosition(1) == dimN;
  };
  unsigned b = isB(maps[1]) ? 1 : 0;
  AffineMap mapA = maps[1 - b];
  if (!isB(maps[b]) || mapA.isFunctionOfDim(dimN))
    return std::nullopt;
  Product product;
  product.a = op.getDpsInputs()[1 - b];
  product.b = op.getDpsInputs()[b];
  product.c = op.getDpsInits()[0];
  product.aTransposed = mapA.getDimPosition(0) == dimK;
  auto shape = cast<MemRefType>(product.c.getType()).getShape();
  product.m = shape[0];
  product.n = shape[1];
  product.k = cast<MemRefType>(product.b.getType()).getDimSize(0);
  // The weights are the first input.
  if (op->hasAttr(tile::zeroSafeMark))
    product.zeroSafe = b == 0 ? Product::B : Product::A;
  return product;
}

/// The fill of `op`'s result with zero that comes just before it: nothing in
/// between touches that buffer. Null if there is none.
static linalg::GenericOp findZeroFill(linalg::GenericOp op) {
  Value c = op.getDpsInits()[0];
  if (!c.getDefiningOp<memref::AllocaOp>())
    return nullptr;
  Operation *last = nullptr;
  for (Operation *user : c.getUsers()) {
    Operation *place = op->getBlock()->findAncestorOpInBlock(*user);
    if (!place || place == op || !place->isBeforeInBlock(op))
      continue;
    if (!last || last->isBeforeInBlock(place))
      last = place;
  }
  auto fill = dyn_cast_or_null<linalg::GenericOp>(last);
  if (!fill || fill.getNumDpsInputs() != 1 ||
      !matchPattern(fill.getDpsInputs()[0], m_AnyZeroFloat()))
    return nullptr;
  auto yielded =
      dyn_cast<BlockArgument>(fill.getBlock()->getTerminator()->getOperand(0));
  return yielded && yielded.getArgNumber() == 0 ? fill : nullptr;
}

void mlir::attn::foldZeroFill(linalg::GenericOp op, Product &product) {
  linalg::GenericOp fill = findZeroFill(op);
  if (!fill)
    return;
  product.fromZero = true;
  fill.erase();
}
