// tile.store: registers to global memory, each thread its own elements.
#include "Distribution.h"
#include "QuadPieces.h"

#include "attn/Dialect/Tile/IR/MemoryRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// Runs `body` inside `if (condition)`.
static void emitIf(ImplicitLocOpBuilder &b, Value condition,
                   llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  body();
}

static Value below(ImplicitLocOpBuilder &b, Value x, Value limit) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, limit);
}

static MemoryRows rowsOf(StoreOp op) {
  return {op.getDest(), op.getOffsets(), op.getPacked()};
}

/// The number of `row` (within the tile) in memory.
static Value rowNumber(Distribution &d, StoreOp op, Value row) {
  return arith::AddIOp::create(d.b, op.getOffsets().back(), row);
}

/// Of a row vector, which the four threads of a quad hold alike.
static void storeRows(Distribution &d, StoreOp op) {
  ImplicitLocOpBuilder &b = d.b;
  MemoryRows rows = rowsOf(op);
  Value size = rows.count(b, b.getLoc());
  Value first = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, d.quadColumn,
                                      d.i32(0));
  for (auto [i, value] : llvm::enumerate(d.parts.lookup(op.getTile()))) {
    Value row = rowNumber(d, op, d.row(i));
    Value inside = arith::AndIOp::create(b, first, below(b, row, size));
    emitIf(b, inside, [&, value = value] {
      memref::StoreOp::create(b, value, op.getDest(),
                              rows.indicesOf(b, b.getLoc(), row));
    });
  }
}

namespace {

/// A matrix. What a thread holds of a row is two neighbouring elements in each
/// 8 columns. Where rows are aligned it stores both at once, if they are even
/// in number; of 16-bit elements the lanes of a quad first deal pieces of 16
/// bytes among them, since a line of memory takes as many stores as it is
/// written in.
class MatrixStore {
public:
  MatrixStore(Distribution &d, StoreOp op)
      : d(d), b(d.b), op(op), memory(cast<MemRefType>(op.getDest().getType())),
        columns(cast<RankedTensorType>(op.getTile().getType()).getDimSize(1)),
        channels(memory.getShape().back()),
        elements(d.parts.lookup(op.getTile())), rows(rowsOf(op)),
        inPieces(blocksInPieces(
            d, cast<RankedTensorType>(op.getTile().getType()), memory)) {}

  void emit() {
    Value size = rows.count(b, b.getLoc());
    if (inPieces > 0)
      inQuad = arith::AndIOp::create(b, d.anew(d.thread), d.i32(3));
    for (int64_t row = 0; row < 2 * d.blocks; ++row) {
      Value number = rowNumber(d, op, d.row(row));
      Fragment pieces = piecesOf(row);
      emitIf(b, below(b, number, size), [&] {
        SmallVector<Value> position = rows.indicesOf(b, b.getLoc(), number);
        storePieces(position, pieces);
        for (int64_t block = inPieces; 8 * block < std::min(columns, channels);
             ++block)
          storeBlock(position, row, block);
      });
    }
  }

private:
  int64_t elementOf(int64_t row, int64_t block) {
    return d.elementIndex(columns, row / 2, block, row % 2 * 2);
  }

  /// The words of the row's pieces, which all lanes of the quad deal.
  Fragment piecesOf(int64_t row) {
    Fragment pieces;
    for (int64_t first = 0; first < inPieces; first += 4) {
      Fragment words;
      for (int64_t block = first; block < first + 4; ++block)
        words.push_back(d.wordOf(op.getTile(), elementOf(row, block) / 2));
      llvm::append_range(pieces, dealToQuad(d, inQuad, words));
    }
    return pieces;
  }

  void storePieces(SmallVector<Value> position, ArrayRef<Value> pieces) {
    if (pieces.empty())
      return;
    position.push_back(arith::IndexCastOp::create(
        b, b.getIndexType(), arith::MulIOp::create(b, inQuad, d.i32(8))));
    Value first = d.globalPointer(op.getDest(), position);
    auto type = VectorType::get({4}, b.getI32Type());
    for (int64_t block = 0; block < inPieces; block += 4)
      LLVM::StoreOp::create(
          b, vector::FromElementsOp::create(b, type, pieces.slice(block, 4)),
          d.advance(first, memory.getElementType(), 8 * block), pieceBytes);
  }

  /// The thread's two elements of 8 columns.
  void storeBlock(SmallVector<Value> &position, int64_t row, int64_t block) {
    int64_t i = elementOf(row, block);
    if (!d.isAligned || channels % 2 != 0)
      return storeElements(position, block, {elements[i], elements[i + 1]});
    auto store = [&] {
      Value pair = vector::FromElementsOp::create(
          b, VectorType::get({2}, memory.getElementType()),
          ValueRange{elements[i], elements[i + 1]});
      position.push_back(d.column(block, 0));
      vector::StoreOp::create(b, pair, op.getDest(), position,
                              /*nontemporal=*/false,
                              llvm::Align(memory.getElementTypeBitWidth() / 4));
      position.pop_back();
    };
    if (8 * block + 8 <= channels)
      store();
    else
      emitIf(b, below(b, d.column(block, 0), d.index(channels)), store);
  }

  void storeElements(SmallVector<Value> &position, int64_t block,
                     std::array<Value, 2> pair) {
    for (auto [c, value] : llvm::enumerate(pair)) {
      Value column = d.column(block, c);
      auto store = [&, value = value] {
        position.push_back(column);
        memref::StoreOp::create(b, value, op.getDest(), position);
        position.pop_back();
      };
      if (8 * block + 8 <= channels)
        store();
      else
        emitIf(b, below(b, column, d.index(channels)), store);
    }
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  StoreOp op;
  MemRefType memory;
  int64_t columns, channels; ///< of the tile, of rows in memory
  Fragment elements;
  MemoryRows rows;
  int64_t inPieces; ///< blocks of 8 columns that are stored in pieces
  Value inQuad;     ///< i32: which lane of its quad this is
};

} // namespace

void tile::emitStore(Distribution &d, StoreOp op) {
  if (cast<RankedTensorType>(op.getTile().getType()).getRank() == 1)
    storeRows(d, op);
  else
    MatrixStore(d, op).emit();
}
