// Bufferization of tile.load, tile.store, tile.has_nonfinite and
// tile.any_beyond for a CPU: loops over rows, in which a row is one vector that
// LLVM splits as the machine likes; and of tile.scatter_add, a loop over
// elements.
#include "TileBufferization.h"

#include "attn/Dialect/Tile/IR/MemoryRows.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::bufferization;

/// A tile's place in memory: the rows from the last offset on, of which
/// `validRows` (an index, at most the tile's) are inside.
namespace {
struct Placement {
  Value memory;
  tile::MemoryRows rows;
  Value validRows, tileRows;
  int64_t width;    ///< elements of a row of the tile
  int64_t channels; ///< of which the memory has this many; 0: no channels
};
} // namespace

static FailureOr<Placement> placeTile(OpBuilder &b, Operation *op,
                                      const tile::MemoryRows &rows,
                                      RankedTensorType tile) {
  Location loc = op->getLoc();
  auto type = cast<MemRefType>(rows.memory.getType());
  Placement place{rows.memory, rows, {}, {}, 1, 0};
  if (tile.getRank() == 2) {
    place.width = tile.getDimSize(1);
    place.channels = type.getShape().back();
    if (ShapedType::isDynamic(place.channels))
      return op->emitOpError("expects memory with a static channel dimension");
    if (!type.areTrailingDimsContiguous(1))
      return op->emitOpError("expects memory with channels of stride 1");
  }
  Value size = rows.count(b, loc);
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  place.tileRows = arith::ConstantIndexOp::create(b, loc, tile.getDimSize(0));
  Value left = arith::SubIOp::create(b, loc, size, rows.offsets.back());
  left = arith::MaxSIOp::create(b, loc, left, zero);
  place.validRows = arith::MinSIOp::create(b, loc, left, place.tileRows);
  return place;
}

/// for (row = from; row < to) body(row)
static void forRows(OpBuilder &b, Location loc, Value from, Value to,
                    function_ref<void(OpBuilder &, Value row)> body) {
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  scf::ForOp::create(b, loc, from, to, one, ValueRange{},
                     [&](OpBuilder &b, Location loc, Value row, ValueRange) {
                       body(b, row);
                       scf::YieldOp::create(b, loc);
                     });
}

static Value zeroVector(OpBuilder &b, Location loc, int64_t size,
                        Type element) {
  auto type = VectorType::get(size, element);
  return arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
}

/// The indices in memory of row `row` of the tile.
static SmallVector<Value> memoryIndices(OpBuilder &b, Location loc,
                                        const Placement &place, Value row,
                                        Value zero) {
  Value at = arith::AddIOp::create(b, loc, place.rows.offsets.back(), row);
  SmallVector<Value> indices = place.rows.indicesOf(b, loc, at);
  if (place.channels)
    indices.push_back(zero);
  return indices;
}

static void emitLoad(OpBuilder &b, Location loc, const Placement &place,
                     Value buffer) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  forRows(b, loc, zero, place.validRows, [&](OpBuilder &b, Value row) {
    SmallVector<Value> from = memoryIndices(b, loc, place, row, zero);
    if (!place.channels) {
      Value value = memref::LoadOp::create(b, loc, place.memory, from);
      memref::StoreOp::create(b, loc, value, buffer, row);
      return;
    }
    auto type = VectorType::get(place.channels, element);
    Value value = vector::LoadOp::create(b, loc, type, place.memory, from);
    vector::StoreOp::create(b, loc, value, buffer, ValueRange{row, zero});
    if (int64_t padding = place.width - place.channels) {
      Value start = arith::ConstantIndexOp::create(b, loc, place.channels);
      vector::StoreOp::create(b, loc, zeroVector(b, loc, padding, element),
                              buffer, ValueRange{row, start});
    }
  });
  forRows(b, loc, place.validRows, place.tileRows,
          [&](OpBuilder &b, Value row) {
            if (!place.channels) {
              Value value =
                  arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
              memref::StoreOp::create(b, loc, value, buffer, row);
              return;
            }
            vector::StoreOp::create(b, loc,
                                    zeroVector(b, loc, place.width, element),
                                    buffer, ValueRange{row, zero});
          });
}

static void emitStore(OpBuilder &b, Location loc, const Placement &place,
                      Value buffer) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  forRows(b, loc, zero, place.validRows, [&](OpBuilder &b, Value row) {
    SmallVector<Value> to = memoryIndices(b, loc, place, row, zero);
    if (!place.channels) {
      Value value = memref::LoadOp::create(b, loc, buffer, row);
      memref::StoreOp::create(b, loc, value, place.memory, to);
      return;
    }
    auto type = VectorType::get(place.channels, element);
    Value value =
        vector::LoadOp::create(b, loc, type, buffer, ValueRange{row, zero});
    vector::StoreOp::create(b, loc, value, place.memory, to);
  });
}

/// dest[offsets, place] += number, if there is a place.
static void emitAdd(OpBuilder &b, tile::ScatterAddOp op, Value place,
                    Value number) {
  Location loc = op.getLoc();
  Value zero = arith::ConstantIntOp::create(b, loc, 0, 64);
  Value any =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, place, zero);
  auto branch = scf::IfOp::create(b, loc, any);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  SmallVector<Value> at(op.getOffsets());
  at.push_back(arith::IndexCastOp::create(b, loc, b.getIndexType(), place));
  Value sum = memref::LoadOp::create(b, loc, op.getDest(), at);
  sum = arith::AddFOp::create(b, loc, sum, number);
  memref::StoreOp::create(b, loc, sum, op.getDest(), at);
}

/// Carries the place of the numbers before, and their sum, which goes to memory
/// when the place changes: neighbours often have the same.
static void emitScatterAdd(OpBuilder &b, tile::ScatterAddOp op, Value numbers,
                           Value places) {
  Location loc = op.getLoc();
  auto type = cast<MemRefType>(numbers.getType());
  auto constant = [&](TypedAttr value) -> Value {
    return arith::ConstantOp::create(b, loc, value);
  };
  Value noPlace = constant(b.getI64IntegerAttr(-1));
  Value nothing = constant(b.getF32FloatAttr(0));
  Value first = arith::ConstantIndexOp::create(b, loc, 0);
  Value step = arith::ConstantIndexOp::create(b, loc, 1);
  SmallVector<Value> carried{noPlace, nothing}, indices;
  SmallVector<scf::ForOp> loops;
  OpBuilder::InsertionGuard guard(b);
  for (int64_t size : type.getShape()) {
    Value end = arith::ConstantIndexOp::create(b, loc, size);
    loops.push_back(scf::ForOp::create(b, loc, first, end, step, carried));
    indices.push_back(loops.back().getInductionVar());
    carried = llvm::to_vector_of<Value>(loops.back().getRegionIterArgs());
    b.setInsertionPointToStart(loops.back().getBody());
  }
  Value number = memref::LoadOp::create(b, loc, numbers, indices);
  Value place = memref::LoadOp::create(b, loc, places, indices);
  // Zero and NaN differ.
  Value counts =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, number, nothing);
  Value moves = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, place,
                                      carried[0]);
  moves = arith::AndIOp::create(b, loc, counts, moves);
  auto branch = scf::IfOp::create(
      b, loc, moves,
      [&](OpBuilder &nested, Location) {
        emitAdd(nested, op, carried[0], carried[1]);
        scf::YieldOp::create(nested, loc, ValueRange{place, number});
      },
      [&](OpBuilder &nested, Location) {
        Value sum = arith::AddFOp::create(nested, loc, carried[1], number);
        scf::YieldOp::create(nested, loc, ValueRange{carried[0], sum});
      });
  carried = llvm::to_vector_of<Value>(branch.getResults());
  for (scf::ForOp loop : llvm::reverse(loops)) {
    b.setInsertionPointToEnd(loop.getBody());
    scf::YieldOp::create(b, loc, carried);
    b.setInsertionPointAfter(loop);
    carried = llvm::to_vector_of<Value>(loop.getResults());
  }
  emitAdd(b, op, carried[0], carried[1]);
}

/// x * 0 is NaN for an infinite or NaN x, and NaN survives a sum.
static Value emitHasNonfinite(OpBuilder &b, Location loc, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t width = type.getShape().back();
  auto wide = VectorType::get(width, b.getF32Type());
  Value zeros = zeroVector(b, loc, width, b.getF32Type());
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value rows = arith::ConstantIndexOp::create(
      b, loc, type.getRank() == 1 ? 1 : type.getDimSize(0));
  auto loop = scf::ForOp::create(
      b, loc, zero, rows, one, zeros,
      [&](OpBuilder &b, Location loc, Value row, ValueRange sums) {
        SmallVector<Value> indices(type.getRank(), zero);
        if (type.getRank() == 2)
          indices[0] = row;
        Value x = vector::LoadOp::create(
            b, loc, VectorType::get(width, type.getElementType()), buffer,
            indices);
        if (!type.getElementType().isF32())
          x = arith::ExtFOp::create(b, loc, wide, x);
        x = arith::MulFOp::create(b, loc, x, zeros);
        Value sum = arith::AddFOp::create(b, loc, sums[0], x);
        scf::YieldOp::create(b, loc, sum);
      });
  Value sum = vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD,
                                          loop.getResult(0));
  return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, sum, sum);
}

/// The absolute values of f32 are in the order of their bits.
static Value emitAnyBeyond(OpBuilder &b, Location loc, Value buffer,
                           tile::AnyBeyondOp op) {
  int64_t size = cast<MemRefType>(buffer.getType()).getDimSize(0);
  auto floats = VectorType::get(size, b.getF32Type());
  auto integers = VectorType::get(size, b.getI32Type());
  auto splat = [&](TypedAttr value, VectorType type) -> Value {
    return arith::ConstantOp::create(
        b, loc, SplatElementsAttr::get(type, Attribute(value)));
  };
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value x = vector::LoadOp::create(b, loc, floats, buffer, ValueRange{zero});
  Value empty = arith::CmpFOp::create(
      b, loc, arith::CmpFPredicate::OEQ, x,
      splat(b.getF32FloatAttr(-std::numeric_limits<float>::infinity()),
            floats));
  Value bits = arith::BitcastOp::create(b, loc, integers, x);
  Value sizes = arith::AndIOp::create(
      b, loc, bits, splat(b.getI32IntegerAttr(0x7fffffff), integers));
  sizes = arith::SelectOp::create(
      b, loc, empty, splat(b.getI32IntegerAttr(0), integers), sizes);
  Value greatest =
      vector::ReductionOp::create(b, loc, vector::CombiningKind::MAXUI, sizes);
  Value bound = arith::ConstantIntOp::create(
      b, loc, op.getBound().bitcastToAPInt().getZExtValue(), 32);
  Value beyond =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ugt, greatest, bound);
  return arith::OrIOp::create(b, loc, op.getBefore(), beyond);
}

namespace {
struct LoadModel
    : public BufferizableOpInterface::ExternalModel<LoadModel, tile::LoadOp> {
  bool bufferizesToAllocation(Operation *, Value) const { return true; }

  FailureOr<BufferLikeType> getBufferType(Operation *op, Value value,
                                          const BufferizationOptions &,
                                          const BufferizationState &,
                                          SmallVector<Value> &) const {
    auto type = cast<RankedTensorType>(value.getType());
    return cast<BufferLikeType>(
        MemRefType::get(type.getShape(), type.getElementType()));
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &) const {
    auto load = cast<tile::LoadOp>(op);
    auto tile = cast<RankedTensorType>(load.getResult().getType());
    FailureOr<Placement> place = placeTile(
        rewriter, op, {load.getSource(), load.getOffsets(), load.getPacked()},
        tile);
    if (failed(place))
      return failure();
    FailureOr<Value> buffer = options.createAlloc(
        rewriter, op->getLoc(),
        MemRefType::get(tile.getShape(), tile.getElementType()), {});
    if (failed(buffer))
      return failure();
    emitLoad(rewriter, op->getLoc(), *place, *buffer);
    replaceOpWithBufferizedValues(rewriter, op, *buffer);
    return success();
  }
};

/// What only reads its tile.
template <typename Self, typename OpTy>
struct ReadModel : public BufferizableOpInterface::ExternalModel<Self, OpTy> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &operand,
                              const AnalysisState &) const {
    return isa<TensorType>(operand.get().getType());
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
};

struct StoreModel : public ReadModel<StoreModel, tile::StoreOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto store = cast<tile::StoreOp>(op);
    FailureOr<Value> buffer =
        getBuffer(rewriter, store.getTile(), options, state);
    FailureOr<Placement> place = placeTile(
        rewriter, op, {store.getDest(), store.getOffsets(), store.getPacked()},
        cast<RankedTensorType>(store.getTile().getType()));
    if (failed(buffer) || failed(place))
      return failure();
    emitStore(rewriter, op->getLoc(), *place, *buffer);
    rewriter.eraseOp(op);
    return success();
  }
};

struct ScatterAddModel : public ReadModel<ScatterAddModel, tile::ScatterAddOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto scatter = cast<tile::ScatterAddOp>(op);
    FailureOr<Value> numbers =
        getBuffer(rewriter, scatter.getTile(), options, state);
    FailureOr<Value> places =
        getBuffer(rewriter, scatter.getPlaces(), options, state);
    if (failed(numbers) || failed(places))
      return failure();
    emitScatterAdd(rewriter, scatter, *numbers, *places);
    rewriter.eraseOp(op);
    return success();
  }
};

struct HasNonfiniteModel
    : public ReadModel<HasNonfiniteModel, tile::HasNonfiniteOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    FailureOr<Value> buffer = getBuffer(
        rewriter, cast<tile::HasNonfiniteOp>(op).getTile(), options, state);
    if (failed(buffer))
      return failure();
    rewriter.replaceOp(op, emitHasNonfinite(rewriter, op->getLoc(), *buffer));
    return success();
  }
};

struct AnyBeyondModel : public ReadModel<AnyBeyondModel, tile::AnyBeyondOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto any = cast<tile::AnyBeyondOp>(op);
    FailureOr<Value> buffer =
        getBuffer(rewriter, any.getRows(), options, state);
    if (failed(buffer))
      return failure();
    rewriter.replaceOp(op, emitAnyBeyond(rewriter, op->getLoc(), *buffer, any));
    return success();
  }
};
} // namespace

void mlir::attn::tile::registerBufferizationModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TileDialect *) {
    LoadOp::attachInterface<LoadModel>(*context);
    StoreOp::attachInterface<StoreModel>(*context);
    ScatterAddOp::attachInterface<ScatterAddModel>(*context);
    HasNonfiniteOp::attachInterface<HasNonfiniteModel>(*context);
    AnyBeyondOp::attachInterface<AnyBeyondModel>(*context);
  });
}
