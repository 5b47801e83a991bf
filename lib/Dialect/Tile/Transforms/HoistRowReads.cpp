// tile-hoist-row-reads: see its description in Passes.td.
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEHOISTROWREADSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// What a load in the body of an operation on a tile is computed from.
struct RowSlice {
  llvm::SetVector<Operation *> ops;     ///< of the body, in its order
  llvm::SetVector<OpOperand *> vectors; ///< row vectors among the inputs
  bool hasRow = false;                  ///< whether the row matters
};

class RowReads {
public:
  explicit RowReads(scf::ForOp loop) : loop(loop), b(loop) {}

  /// Takes what can be read before the loop out of the body of `tile`.
  void hoistFrom(linalg::GenericOp tile) {
    SmallVector<memref::LoadOp> loads(tile.getBody()->getOps<memref::LoadOp>());
    for (memref::LoadOp load : loads) {
      RowSlice slice;
      if (!collect(load, tile, slice) || !slice.hasRow)
        continue;
      Value row = readRows(load, tile, slice);
      load.getResult().replaceAllUsesWith(addInput(tile, row));
      load.erase();
    }
  }

private:
  /// Adds what `op`, of the body of `tile`, needs to `slice`; false if that
  /// is not the same for all columns and all rounds of the loop, or must not be
  /// executed where the loop does not.
  bool collect(Operation *op, linalg::GenericOp tile, RowSlice &slice) {
    if (op->getNumRegions() != 0)
      return false;
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      slice.hasRow = true;
      slice.ops.insert(op);
      return index.getDim() == 0;
    }
    // The size of a table is asked for where an index is clamped to it.
    if (isa<memref::DimOp>(op) || (!isa<memref::LoadOp>(op) && !isPure(op)))
      return false;
    for (Value operand : op->getOperands()) {
      Operation *definition = operand.getDefiningOp();
      if (definition && definition->getBlock() == tile.getBody()) {
        if (!slice.ops.contains(definition) &&
            !collect(definition, tile, slice))
          return false;
      } else if (auto argument = dyn_cast<BlockArgument>(operand);
                 argument && argument.getOwner() == tile.getBody()) {
        OpOperand *input = tile.getMatchingOpOperand(argument);
        if (!isRowVector(tile, input))
          return false;
        slice.hasRow = true;
        slice.vectors.insert(input);
      } else if (!loop.isDefinedOutsideOfLoop(operand)) {
        return false;
      }
    }
    slice.ops.insert(op);
    return true;
  }

  bool isRowVector(linalg::GenericOp tile, OpOperand *input) {
    return tile.isDpsInput(input) &&
           isRows(tile.getMatchingIndexingMap(input)) &&
           loop.isDefinedOutsideOfLoop(input->get());
  }

  AffineMap rowsOfTile() { return AffineMap::get(2, 0, b.getAffineDimExpr(0)); }
  bool isRows(AffineMap map) { return map == rowsOfTile(); }

  /// The row vector of what `load` reads, before the loop.
  Value readRows(memref::LoadOp load, linalg::GenericOp tile,
                 const RowSlice &slice) {
    int64_t rows =
        cast<RankedTensorType>(tile.getResult(0).getType()).getDimSize(0);
    auto type = RankedTensorType::get({rows}, load.getType());
    SmallVector<Value> inputs;
    for (OpOperand *input : slice.vectors)
      inputs.push_back(input->get());
    SmallVector<AffineMap> maps(inputs.size() + 1, b.getMultiDimIdentityMap(1));
    Location loc = load.getLoc();
    Value empty =
        tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    auto reads = linalg::GenericOp::create(
        b, loc, type, inputs, empty, maps, utils::IteratorType::parallel,
        [&](OpBuilder &nested, Location, ValueRange in) {
          IRMapping mapping;
          for (auto [input, value] : llvm::zip(slice.vectors, in))
            mapping.map(tile.getMatchingBlockArgument(input), value);
          for (Operation *op : slice.ops)
            nested.clone(*op, mapping);
          linalg::YieldOp::create(nested, loc,
                                  mapping.lookup(load.getResult()));
        });
    for (linalg::GenericOp earlier : known)
      if (earlier.getInputs() == reads.getInputs() &&
          earlier.getResultTypes() == reads.getResultTypes() &&
          OperationEquivalence::isRegionEquivalentTo(
              &earlier.getRegion(), &reads.getRegion(),
              OperationEquivalence::IgnoreLocations)) {
        reads.erase();
        empty.getDefiningOp()->erase();
        return earlier.getResult(0);
      }
    known.push_back(reads);
    return reads.getResult(0);
  }

  /// The element of `row`, a new input of `tile`, in its body.
  Value addInput(linalg::GenericOp tile, Value row) {
    int64_t number = tile.getNumDpsInputs();
    tile.getInputsMutable().append(row);
    SmallVector<AffineMap> maps = tile.getIndexingMapsArray();
    maps.insert(maps.begin() + number, rowsOfTile());
    tile.setIndexingMapsAttr(b.getAffineMapArrayAttr(maps));
    return tile.getBody()->insertArgument(
        number, cast<RankedTensorType>(row.getType()).getElementType(),
        row.getLoc());
  }

  scf::ForOp loop;
  OpBuilder b;
  SmallVector<linalg::GenericOp> known;
};

/// Whether `op` computes each element of a tile on its own.
bool isElementwiseOnTile(linalg::GenericOp op) {
  return op.hasPureTensorSemantics() && op.getNumResults() == 1 &&
         op.getNumLoops() == 2 && op.getNumParallelLoops() == 2 &&
         op.getIndexingMapsArray().back().isIdentity() &&
         cast<RankedTensorType>(op.getResult(0).getType()).hasStaticShape();
}

/// Whether something in `loop` may write to memory that it reads.
bool writes(scf::ForOp loop) {
  return loop
      ->walk([&](Operation *op) {
        return op != loop && !isa<memref::LoadOp>(op) &&
                       !op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() &&
                       mightHaveEffect<MemoryEffects::Write>(op)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

struct TileHoistRowReads
    : tile::impl::TileHoistRowReadsPassBase<TileHoistRowReads> {
  using TileHoistRowReadsPassBase::TileHoistRowReadsPassBase;

  void runOnOperation() override {
    if (packed && !isPacked())
      return;
    getOperation().walk<WalkOrder::PreOrder>([](scf::ForOp loop) {
      if (writes(loop))
        return;
      RowReads reads(loop);
      SmallVector<linalg::GenericOp> tiles;
      loop.walk([&](linalg::GenericOp op) {
        if (isElementwiseOnTile(op))
          tiles.push_back(op);
      });
      for (linalg::GenericOp tile : tiles)
        reads.hoistFrom(tile);
    });
  }

private:
  bool isPacked() {
    auto schedule =
        getOperation()->getAttrOfType<ScheduleAttr>("attn.schedule");
    return schedule && schedule.getTiling().pack;
  }
};

} // namespace
