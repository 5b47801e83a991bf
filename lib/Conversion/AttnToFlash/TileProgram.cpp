// See TileProgram.h.
#include "TileProgram.h"

#include "attn/Analysis/PairReads.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Tile/IR/Marks.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::attn;

Value TileProgram::onTiles(ValueRange tiles, Value firstColumn, Element element,
                           Type elementType, PairRead read) {
  auto buildFor = [&](bool wholeTile) {
    return build(tiles, firstColumn, wholeTile, element, elementType, read);
  };
  if (!readsAtColumns(read))
    return buildFor(false);
  return t.either(
      isWhole(cast<RankedTensorType>(tiles[0].getType()), firstColumn),
      [&] { return buildFor(true); }, [&] { return buildFor(false); });
}

Value TileProgram::isWhole(RankedTensorType tile, Value firstColumn) {
  Value end =
      arith::AddIOp::create(b, firstColumn, t.index(tile.getDimSize(1)));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::sle, end,
                               at.visited.length);
}

Value TileProgram::areNeighboursAligned(LoadOp load, Value firstColumn) {
  Value table = captures[cast<BlockArgument>(load.getTable()).getArgNumber()];
  auto type = cast<MemRefType>(table.getType());
  Value column = program.front().getArguments().take_back(
      2)[at.visited.axis == Axis::Key ? 1 : 0];
  unsigned width = type.getElementTypeBitWidth();
  if (load.getIndices().back() != column || !type.isLastDimUnitStride() ||
      (width != 16 && width != 32))
    return Value();
  auto metadata = memref::ExtractStridedMetadataOp::create(b, table);
  Value odd = firstColumn;
  for (Value stride : metadata.getStrides().drop_back())
    odd = arith::OrIOp::create(b, odd, stride);
  int64_t bytes = width / 4;
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, table);
  Value beside = arith::OrIOp::create(
      b, arith::AndIOp::create(b, odd, t.index(1)),
      arith::AndIOp::create(b, address, t.index(bytes - 1)));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, beside, t.index(0));
}

/// Marks the load that `value` is, or is made of.
static void markNeighbours(Value value) {
  Operation *definition = value.getDefiningOp();
  while (!isa<memref::LoadOp>(definition))
    definition = definition->getOperand(0).getDefiningOp();
  definition->setAttr(tile::neighboursMark,
                      UnitAttr::get(definition->getContext()));
}

TileProgram::PairRead TileProgram::readPairs(RankedTensorType shape,
                                             Value firstColumn) {
  SmallVector<LoadOp> loads = findPairReads(program);
  if (loads.empty() || at.pairs)
    return {};
  LoadOp load = loads.front();
  unsigned captured = cast<ModOp>(program.getParentOp()).getNumCaptures();
  // Only what does not need them is taken of it.
  SmallVector<Value> leading;
  for (Value argument :
       program.front().getArguments().drop_back(4).drop_front(captured))
    leading.push_back(arith::ConstantOp::create(
        b, cast<TypedAttr>(b.getZeroAttr(argument.getType()))));
  Value fast = isWhole(shape, firstColumn);
  Value aligned = areNeighboursAligned(load, firstColumn);
  if (aligned)
    fast = arith::AndIOp::create(b, fast, aligned);
  auto build = [&](bool isFast) {
    return t.elementwise({}, shape.clone(load.getType()), [&](ValueRange) {
      Value read;
      auto find = [&](LoadOp other, Value value) {
        if (other == load)
          read = value;
      };
      evaluate(leading, {{}, firstColumn, isFast}, nullptr, nullptr, find);
      if (isFast && aligned)
        markNeighbours(read);
      return read;
    });
  };
  return {load,
          t.either(
              fast, [&] { return build(true); }, [&] { return build(false); })};
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
                         Element element, Type elementType, PairRead read) {
  auto type = cast<RankedTensorType>(tiles[0].getType());
  if (elementType)
    type = type.clone(elementType);
  SmallVector<Value> inputs(tiles);
  if (at.pairs)
    inputs.append({at.pairs.queries, at.pairs.heads});
  size_t firstRead = inputs.size();
  if (read)
    inputs.push_back(read.tile);
  return t.elementwise(inputs, type, [&](ValueRange in) {
    ValueRange pair = in.slice(tiles.size(), firstRead - tiles.size());
    auto known = [&](LoadOp load) {
      return read && read.load == load ? in.back() : Value();
    };
    auto evaluate = [&](ValueRange leading, LowerAccumulateFn accumulate) {
      return this->evaluate(leading, {pair, firstColumn, wholeTile}, accumulate,
                            known);
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
Value TileProgram::evaluate(ValueRange leading, const Place &place,
                            LowerAccumulateFn accumulate, KnownRead known,
                            llvm::function_ref<void(LoadOp, Value)> onRead) {
  const auto &[pair, firstColumn, wholeTile] = place;
  bool inside = needsPositionsInside(program);
  // The query and the head of a pair are inside.
  bool isPair = !pair.empty();
  Value row = isPair ? pair[0] : position(0, at.firstRow);
  Value head = isPair ? pair[1] : at.head;
  Value column = position(1, firstColumn);
  auto clampedRow = [&] { return isPair ? row : clamp(row, at.own.last); };
  auto clampedColumn = [&] {
    return place.wholeTile ? column : clamp(column, at.visited.last);
  };
  SmallVector<Value> positions{inside ? clampedRow() : row,
                               inside ? clampedColumn() : column};
  if (at.own.axis == Axis::Key)
    std::swap(positions[0], positions[1]);
  SmallVector<Value> arguments(leading);
  arguments.append({at.batch, head, positions[0], positions[1]});
  auto lowerLoad = [&](OpBuilder &builder, LoadOp load, ValueRange indices,
                       Value table) -> Value {
    if (Value read = known ? known(load) : Value())
      return read;
    if (isReadOnce(load, indices))
      return readOnce(builder, load, indices, table);
    SmallVector<Value> clamped;
    for (Value index : indices)
      clamped.push_back(index == row      ? clampedRow()
                        : index == column ? clampedColumn()
                                          : index);
    Value read = loadFromMemory(builder, load, clamped, table);
    if (onRead)
      onRead(load, read);
    return read;
  };
  return inlineProgram(b, program, captures, arguments, lowerLoad, accumulate);
}

/// Whether the program reads a table at the column's position that is not
/// `known`.
bool TileProgram::readsAtColumns(PairRead known) {
  if (program.empty())
    return false;
  auto positions = program.front().getArguments().take_back(2);
  Value column = at.visited.axis == Axis::Key ? positions[1] : positions[0];
  return llvm::any_of(column.getUsers(), [&](Operation *user) {
    auto load = dyn_cast<LoadOp>(user);
    return load && load != known.load;
  });
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
