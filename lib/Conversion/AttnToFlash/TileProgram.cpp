// See TileProgram.h.
#include "TileProgram.h"

#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

using namespace mlir;
using namespace mlir::attn;

Value TileProgram::onTile(Value score, Value firstKey, Element element) {
  if (!readsAtKeys())
    return build(score, firstKey, /*wholeTile=*/false, element);
  int64_t width = cast<RankedTensorType>(score.getType()).getDimSize(1);
  Value end = arith::AddIOp::create(b, firstKey, t.index(width));
  Value whole =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sle, end, at.keys);
  return t.either(
      whole, [&] { return build(score, firstKey, true, element); },
      [&] { return build(score, firstKey, false, element); });
}

Value TileProgram::isKey(Value firstKey) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                               position(1, firstKey), t.toI32(at.lastKey));
}

Value TileProgram::build(Value score, Value firstKey, bool wholeTile,
                         Element element) {
  return t.elementwise({score}, score.getType(), [&](ValueRange in) {
    return element(
        in[0],
        [&](ValueRange leading) {
          return evaluate(leading, firstKey, wholeTile);
        },
        wholeTile);
  });
}

/// Whether a program must not be evaluated outside the tensors, even if its
/// result is thrown away. What it reads does not count: loads see to their
/// indices themselves.
static bool needsPositionsInside(Region &program) {
  return program
      .walk([&](Operation *op) {
        return isa<LoadOp>(op) || canSpeculate(op) ||
                       op->getNumRegions() != 0 ||
                       op->hasTrait<OpTrait::IsTerminator>()
                   ? WalkResult::advance()
                   : WalkResult::interrupt();
      })
      .wasInterrupted();
}

/// The program for one element of the tile.
Value TileProgram::evaluate(ValueRange leading, Value firstKey,
                            bool wholeTile) {
  bool inside = needsPositionsInside(program);
  Value query = position(0, at.firstQuery), key = position(1, firstKey);
  auto clampedQuery = [&] { return clamp(query, at.lastQuery); };
  auto clampedKey = [&] { return wholeTile ? key : clamp(key, at.lastKey); };
  SmallVector<Value> arguments(leading);
  arguments.append({at.batch, at.head, inside ? clampedQuery() : query,
                    inside ? clampedKey() : key});
  auto lowerLoad = [&](OpBuilder &builder, LoadOp load, ValueRange indices,
                       Value table) -> Value {
    if (isReadOnce(load, indices))
      return readOnce(builder, load, indices, table);
    SmallVector<Value> clamped;
    for (Value index : indices)
      clamped.push_back(index == query ? clampedQuery()
                        : index == key ? clampedKey()
                                       : index);
    return loadFromMemory(builder, load, clamped, table);
  };
  return inlineProgram(b, program, captures, arguments, lowerLoad);
}

/// Whether the program reads a table at the key's position, its last argument.
bool TileProgram::readsAtKeys() {
  if (program.empty())
    return false;
  Value key = program.front().getArguments().back();
  return llvm::any_of(key.getUsers(),
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
    builder.setInsertionPointAfterValue(at.head);
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
