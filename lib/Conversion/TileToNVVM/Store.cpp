// tile.store: registers to global memory, each thread its own elements.
#include "Distribution.h"

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

/// Of a matrix: pairs of neighbouring channels where rows are aligned and the
/// channel count is even, else single elements.
static void storeMatrix(Distribution &d, StoreOp op) {
  ImplicitLocOpBuilder &b = d.b;
  auto memory = cast<MemRefType>(op.getDest().getType());
  int64_t channels = memory.getShape().back();
  int64_t columns =
      cast<RankedTensorType>(op.getTile().getType()).getDimSize(1);
  auto schedule =
      op->getParentOfType<gpu::GPUFuncOp>()
          ->getAttrOfType<mlir::attn::ScheduleAttr>("attn.schedule");
  bool pairs = !schedule.getPipeline().unaligned && channels % 2 == 0;
  Fragment elements = d.parts.lookup(op.getTile());
  MemoryRows rows = rowsOf(op);
  Value size = rows.count(b, b.getLoc());

  auto storeElements = [&](SmallVector<Value> position, int64_t columnBlock,
                           Value low, Value high) {
    auto store = [&](Value value, int64_t c) {
      position.push_back(d.column(columnBlock, c));
      memref::StoreOp::create(b, value, op.getDest(), position);
      position.pop_back();
    };
    if (pairs) {
      Value pair = vector::FromElementsOp::create(
          b, VectorType::get({2}, memory.getElementType()),
          ValueRange{low, high});
      position.push_back(d.column(columnBlock, 0));
      vector::StoreOp::create(b, pair, op.getDest(), position,
                              /*nontemporal=*/false,
                              llvm::Align(memory.getElementTypeBitWidth() / 4));
      return;
    }
    for (auto [c, value] : llvm::enumerate(ValueRange{low, high})) {
      Value inside = below(b, d.column(columnBlock, c), d.index(channels));
      if (8 * columnBlock + 8 <= channels)
        store(value, c);
      else
        emitIf(b, inside, [&, c = c, value = value] { store(value, c); });
    }
  };

  for (int64_t row = 0; row < 2 * d.blocks; ++row) {
    Value number = rowNumber(d, op, d.row(row));
    emitIf(b, below(b, number, size), [&] {
      SmallVector<Value> position = rows.indicesOf(b, b.getLoc(), number);
      for (int64_t block = 0; block < columns / 8 && 8 * block < channels;
           ++block) {
        int64_t i = d.elementIndex(columns, row / 2, block, row % 2 * 2);
        auto store = [&] {
          storeElements(position, block, elements[i], elements[i + 1]);
        };
        if (!pairs || 8 * block + 8 <= channels)
          store();
        else
          emitIf(b, below(b, d.column(block, 0), d.index(channels)), store);
      }
    });
  }
}

void tile::emitStore(Distribution &d, StoreOp op) {
  if (cast<RankedTensorType>(op.getTile().getType()).getRank() == 1)
    storeRows(d, op);
  else
    storeMatrix(d, op);
}
