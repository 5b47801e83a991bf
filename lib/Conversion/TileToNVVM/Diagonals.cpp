// tile.diagonals: the lanes of a warp make what its rows have, one element
// after the other, and find it in shared memory, or ask the lane that has it.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

constexpr int64_t lanes = Distribution::lanes;

class WarpDiagonals {
public:
  WarpDiagonals(Distribution &d, DiagonalsOp op)
      : d(d), b(d.b), op(op), type(op.getResult().getType()),
        columns(d.columnsOf(type)) {}

  /// Of the lane: numbers lane, lane + 32 and so on. Behind the last there are
  /// as many as make up a number for each lane, which are like the last.
  Fragment make() {
    Fragment elements;
    int64_t count = d.diagonalsOfWarp(type);
    for (int64_t i = 0; i < count; i += lanes) {
      Value number = arith::AddIOp::create(b, d.lane, d.i32(i));
      if (i + lanes > count)
        number = arith::MinSIOp::create(b, number, d.i32(count - 1));
      Value first = arith::AddIOp::create(b, d.warpRow, d.i32(1 - columns));
      elements.push_back(bodyAt(arith::AddIOp::create(b, first, number)));
    }
    return elements;
  }

  /// The address of that of the thread's first row and first column.
  Value putInShared(const Fragment &elements) {
    Value part = d.partOfWarp(static_cast<int64_t>(*op.getOffset()),
                              shared::diagonalsOfWarp(d.rowsOfWarp(), columns));
    Value own = d.wordsBehind(part, d.lane);
    sync(); // who still reads what was here before
    for (auto [i, element] : llvm::enumerate(elements))
      LLVM::StoreOp::create(b, element,
                            d.advance(d.pointerTo(own), element.getType(),
                                      lanes * static_cast<int64_t>(i)));
    sync();
    return d.wordsBehind(
        part, arith::AddIOp::create(b, d.ownDiagonal(), d.i32(columns - 1)));
  }

private:
  Value bodyAt(Value distance) {
    IRMapping mapping;
    Block &body = op.getBody().front();
    mapping.map(
        body.getArgument(0),
        arith::IndexCastOp::create(b, b.getIndexType(), distance).getResult());
    for (Operation &inner : body.without_terminator())
      b.clone(inner, mapping);
    return mapping.lookupOrDefault(body.getTerminator()->getOperand(0));
  }

  void sync() { NVVM::SyncWarpOp::create(b, d.i32(-1)); }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  DiagonalsOp op;
  RankedTensorType type;
  int64_t columns;
};

} // namespace

Value Distribution::ownDiagonal() {
  return arith::SubIOp::create(b, quadRow,
                               arith::ShLIOp::create(b, quadColumn, i32(1)));
}

Value Distribution::diagonal(Value diagonals, int64_t rowIndex,
                             int64_t columnBlock, int64_t c) {
  auto type = cast<RankedTensorType>(diagonals.getType());
  int64_t distance = firstRowDistance(rowIndex) - (8 * columnBlock + c);
  const Fragment &held = parts[diagonals];
  if (!isInLanes(type))
    return LLVM::LoadOp::create(
        b, type.getElementType(),
        advance(pointerTo(held.front()), type.getElementType(), distance));
  // Its number is this for the lane whose first row and column are 0; for
  // others up to 6 less or 7 more.
  int64_t number = distance + columnsOf(type) - 1;
  Value own = arith::AddIOp::create(b, ownDiagonal(), i32(number));
  int64_t low = (number - 6) / lanes, high = (number + 7) / lanes;
  auto ask = [&](int64_t i) -> Value {
    return NVVM::ShflOp::create(b, type.getElementType(), i32(-1), held[i], own,
                                i32(lanes - 1), NVVM::ShflKind::idx,
                                UnitAttr());
  };
  Value element = ask(low);
  if (low == high)
    return element;
  Value isLow = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, own,
                                      i32(lanes * high));
  return arith::SelectOp::create(b, isLow, element, ask(high));
}

void tile::emitDiagonals(Distribution &d, DiagonalsOp op) {
  WarpDiagonals diagonals(d, op);
  Fragment elements = diagonals.make();
  d.parts[op.getResult()] =
      op.getOffset() ? Fragment{diagonals.putInShared(elements)} : elements;
}
