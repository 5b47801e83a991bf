// See TileProgram.h.
#include "TileProgram.h"

#include "attn/Dialect/Attn/IR/Captures.h"

using namespace mlir;
using namespace mlir::attn;

Value TileProgram::onTiles(ValueRange tiles, Value firstColumn, Element element,
                           Type elementType) {
  auto buildFor = [&](bool wholeTile) {
    return build(tiles, firstColumn, wholeTile, element, elementType);
  };
  if (!readsAtColumns())
    return buildFor(false);
  int64_t width = cast<RankedTensorType>(tiles[0].getType()).getDimSize(1);
  Value end = arith::AddIOp::create(b, firstColumn, t.index(width));
  Value whole = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, end,
                                      at.visited.length);
  return t.either(
      whole, [&] { return buildFor(true); }, [&] { return buildFor(false); });
}

bool mlir::attn::readsRows(ModOp mod) {
  auto reads = [](Region &program) {
    if (program.empty())
      return false;
    auto positions = program.front().getArguments().take_back(4);
    return !positions[1].use_empty() || !positions[2].use_empty();
  };
  return mod && (reads(mod.getScore()) || reads(mod.getMask()));
}

Value TileProgram::argument(unsigned i) const {
  unsigned captured = cast<ModOp>(program.getParentOp()).getNumCaptures();
  return program.getArgument(captured + i);
}

Value TileProgram::result() const {
  return program.front().getTerminator()->getOperand(0);
}

Value TileProgram::isInside(Value firstColumn) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                               position(1, firstColumn),
                               t.toI32(at.visited.last));
}

Value TileProgram::isRowInside() {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                               position(0, at.firstRow), t.toI32(at.own.last));
}

Value TileProgram::build(ValueRange tiles, Value firstColumn, bool wholeTile,
                         Element element, Type elementType) {
  auto type = cast<RankedTensorType>(tiles[0].getType());
  if (elementType)
    type = type.clone(elementType);
  SmallVector<Value> inputs(tiles);
  if (at.pairs)
    inputs.append({at.pairs.queries, at.pairs.heads});
  return t.elementwise(inputs, type, [&](ValueRange in) {
    ValueRange pair = in.drop_front(tiles.size());
    auto evaluate = [&](ValueRange leading, LowerAccumulateFn accumulate) {
      return this->evaluate(leading, pair, firstColumn, wholeTile, accumulate);
    };
    return element(in.take_front(tiles.size()), Evaluate(evaluate), wholeTile);
  });
}

/// Whether a program must not be evaluated outside the tensors, even if its
/// result is thrown away. What it reads or adds to does not count: loads and
/// accumulations see to their indices themselves.
static bool needsPositionsInside(Region &program) {
  return program
      .walk([&](Operation *op) {
        return isa<LoadOp, AccumulateOp>(op) || canSpeculate(op) ||
                       op->getNumRegions() != 0 ||
                       op->hasTrait<OpTrait::IsTerminator>()
                   ? WalkResult::advance()
                   : WalkResult::interrupt();
      })
      .wasInterrupted();
}

/// The program for one element of the tile.
Value TileProgram::evaluate(ValueRange leading, ValueRange pair,
                            Value firstColumn, bool wholeTile,
                            LowerAccumulateFn accumulate) {
  bool inside = needsPositionsInside(program);
  // The query and the head of a pair are inside.
  bool isPair = !pair.empty();
  Value row = isPair ? pair[0] : position(0, at.firstRow);
  Value head = isPair ? pair[1] : at.head;
  Value column = position(1, firstColumn);
  auto clampedRow = [&] { return isPair ? row : clamp(row, at.own.last); };
  auto clampedColumn = [&] {
    return wholeTile ? column : clamp(column, at.visited.last);
  };
  SmallVector<Value> positions{inside ? clampedRow() : row,
                               inside ? clampedColumn() : column};
  if (at.own.axis == Axis::Key)
    std::swap(positions[0], positions[1]);
  SmallVector<Value> arguments(leading);
  arguments.append({at.batch, head, positions[0], positions[1]});
  auto lowerLoad = [&](OpBuilder &builder, LoadOp load, ValueRange indices,
                       Value table) -> Value {
    if (isReadOnce(load, indices))
      return readOnce(builder, load, indices, table);
    SmallVector<Value> clamped;
    for (Value index : indices)
      clamped.push_back(index == row      ? clampedRow()
                        : index == column ? clampedColumn()
                                          : index);
    return loadFromMemory(builder, load, clamped, table);
  };
  return inlineProgram(b, program, captures, arguments, lowerLoad, accumulate);
}

/// Whether the program reads a table at the column's position.
bool TileProgram::readsAtColumns() {
  if (program.empty())
    return false;
  auto positions = program.front().getArguments().take_back(2);
  Value column = at.visited.axis == Axis::Key ? positions[1] : positions[0];
  return llvm::any_of(column.getUsers(),
                      [](Operation *user) { return isa<LoadOp>(user); });
}

/// What is read at the batch or the head is read once, before the loop, unless
/// a branch guards it.
bool TileProgram::isReadOnce(LoadOp load, ValueRange indices) {
  return isa<ModOp>(load->getParentOp()) &&
         llvm::all_of(indices, [&](Value index) {
           return index == at.batch || index == at.head;
         });
}

Value TileProgram::readOnce(OpBuilder &builder, LoadOp load, ValueRange indices,
                            Value table) {
  Value &value = uniformLoads[load];
  if (!value) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfterValue(at.head ? at.head : at.batch);
    value = loadFromMemory(builder, load, indices, table);
  }
  return value;
}

/// Row i or column i of the tile as a position, i32.
Value TileProgram::position(int64_t dim, Value first) {
  Value i = arith::IndexCastOp::create(b, b.getI32Type(),
                                       linalg::IndexOp::create(b, dim));
  return arith::AddIOp::create(b, t.toI32(first), i);
}

Value TileProgram::clamp(Value position, Value last) {
  return arith::MinSIOp::create(b, position, t.toI32(last));
}
