// See CaptureSumKernels.h.
#include "CaptureSumKernels.h"

#include "attn/Analysis/ProgramDependence.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;

Value mlir::attn::placeOf(TileBuilder &t, AccumulateOp part, ValueRange indices,
                          ValueRange captures) {
  ImplicitLocOpBuilder &b = t.b;
  Value table = captures[cast<BlockArgument>(part.getTable()).getArgNumber()];
  auto sizeOf = [&](int64_t i) -> Value {
    return memref::DimOp::create(b, table, i);
  };
  Value place = t.index(0);
  for (auto [i, position] : llvm::enumerate(
           placesInTable(b, b.getLoc(), part.getIndices(), indices, sizeOf)))
    place = arith::AddIOp::create(b, arith::MulIOp::create(b, place, sizeOf(i)),
                                  position);
  return arith::IndexCastOp::create(b, b.getI64Type(), place);
}

namespace {
/// Rows, or elements of a capture, that are summed at a time.
constexpr int64_t rowTile = 256, elementTile = 1024;

class CaptureSumKernel : TileBuilder {
public:
  CaptureSumKernel(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                   const CaptureSum &sum, ValueRange captures, Value workspace,
                   Value gradient)
      : TileBuilder(builder), adjoint(op.lookupMod().getAdjoint()), sum(sum),
        captures(captures), workspace(workspace), gradient(gradient) {}

  /// A task for each value of the owned positions, which goes over the others.
  void buildForRows() {
    auto dim = [&](int64_t i) -> Value {
      return memref::DimOp::create(b, workspace, i);
    };
    Value length = dim(2);
    lastRow = toI32(arith::SubIOp::create(b, length, index(1)));
    unsigned rowPosition =
        sum.rows == Axis::Query ? QueryPosition : KeyPosition;
    SmallVector<Value> sizes{
        dim(0), dim(1), arith::CeilDivSIOp::create(b, length, index(rowTile))};
    const unsigned positions[] = {BatchPosition, HeadPosition, rowPosition};
    SmallVector<Value> owned, ids;
    for (auto [size, position] : llvm::zip(sizes, positions))
      owned.push_back(sum.owned & position ? size : index(1));
    inTasks(owned, [&](ValueRange tasks) {
      for (auto [i, size] : llvm::enumerate(sizes)) {
        if (sum.owned & positions[i]) {
          ids.push_back(tasks[i]);
          continue;
        }
        auto loop = scf::ForOp::create(b, index(0), size, index(1));
        b.setInsertionPointToStart(loop.getBody());
        ids.push_back(loop.getInductionVar());
      }
      addRows(ids[0], ids[1], arith::MulIOp::create(b, ids[2], index(rowTile)));
    });
  }

  /// A task for each part of the capture, which goes over the slots.
  void buildForSlots() {
    Value elements = memref::DimOp::create(b, gradient, 0);
    Value slots = memref::DimOp::create(b, workspace, 0);
    Value tiles = arith::CeilDivSIOp::create(b, elements, index(elementTile));
    inTasks(tiles, [&](ValueRange tasks) {
      Value first = arith::MulIOp::create(b, tasks[0], index(elementTile));
      auto loop = scf::ForOp::create(
          b, index(0), slots, index(1), load(gradient, first, elementTile),
          [&](OpBuilder &, Location, Value slot, ValueRange before) {
            Value added = load(workspace, {slot, first}, elementTile);
            Value after =
                elementwise({before[0], added}, added.getType(),
                            [&](ValueRange in) -> Value {
                              return arith::AddFOp::create(b, in[0], in[1]);
                            });
            scf::YieldOp::create(b, after);
          });
      tile::StoreOp::create(b, loop.getResult(0), gradient, first);
    });
  }

private:
  void inTasks(ValueRange sizes, llvm::function_ref<void(ValueRange)> body) {
    auto forall = scf::ForallOp::create(b, getAsOpFoldResult(sizes),
                                        ValueRange{}, std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    body(forall.getInductionVars());
  }

  Value load(Value memory, ValueRange offsets, int64_t rows) {
    return tile::LoadOp::create(
        b, RankedTensorType::get({rows}, b.getF32Type()), memory, offsets);
  }

  void addRows(Value batch, Value head, Value first) {
    Value rows = load(workspace, {batch, head, first}, rowTile);
    auto type = RankedTensorType::get({rowTile}, b.getI64Type());
    Value places = elementwise({rows}, type, [&](ValueRange) {
      Value row = arith::AddIOp::create(b, first,
                                        linalg::IndexOp::create(b, int64_t(0)));
      return placeOfRow(toI32(batch), toI32(head), toI32(row));
    });
    tile::ScatterAddOp::create(b, rows, places, gradient, ValueRange());
  }

  /// The place does not depend on the score, nor on the other position.
  Value placeOfRow(Value batch, Value head, Value row) {
    row = arith::MinSIOp::create(b, row, lastRow);
    Value first = arith::ConstantIntOp::create(b, 0, 32);
    SmallVector<Value> arguments{f32(0), f32(0), batch, head, row, first};
    if (sum.rows == Axis::Key)
      std::swap(arguments[4], arguments[5]);
    Value place;
    inlineProgram(
        b, adjoint, captures, arguments, loadFromMemory,
        [&](OpBuilder &, AccumulateOp part, ValueRange indices, Value) {
          if (part == sum.parts[0])
            place = placeOf(*this, part, indices, captures);
        });
    return place;
  }

  Region &adjoint;
  const CaptureSum &sum;
  ValueRange captures;
  Value workspace, gradient;
  Value lastRow; ///< i32
};
} // namespace

void mlir::attn::buildCaptureSum(ImplicitLocOpBuilder &builder,
                                 AttentionBackwardOp op, const CaptureSum &sum,
                                 ValueRange captures, Value workspace,
                                 Value gradient) {
  CaptureSumKernel kernel(builder, op, sum, captures, workspace, gradient);
  if (sum.rows)
    kernel.buildForRows();
  else
    kernel.buildForSlots();
}
