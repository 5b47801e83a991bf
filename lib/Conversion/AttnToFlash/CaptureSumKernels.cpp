// See CaptureSumKernels.h.
#include "CaptureSumKernels.h"

#include "attn/Analysis/ProgramDependence.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
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

/// The place does not depend on the score, nor on the other position.
static Value placeOfRow(TileBuilder &t, Region &adjoint, const CaptureSum &sum,
                        ValueRange captures, const RowsAt &at, Value row) {
  row = arith::MinSIOp::create(t.b, row, at.last);
  Value first = arith::ConstantIntOp::create(t.b, 0, 32);
  SmallVector<Value> arguments{t.f32(0), t.f32(0), at.batch,
                               at.head,  row,      first};
  if (sum.rows == Axis::Key)
    std::swap(arguments[4], arguments[5]);
  Value place;
  inlineProgram(t.b, adjoint, captures, arguments, loadFromMemory,
                [&](OpBuilder &, AccumulateOp part, ValueRange indices, Value) {
                  if (part == sum.parts[0])
                    place = placeOf(t, part, indices, captures);
                });
  return place;
}

Value mlir::attn::placesOfRows(TileBuilder &t, AttentionBackwardOp op,
                               const CaptureSum &sum, ValueRange captures,
                               Value rows, const RowsAt &at) {
  auto type = cast<RankedTensorType>(rows.getType()).clone(t.b.getI64Type());
  Region &adjoint = op.lookupMod().getAdjoint();
  return t.elementwise({rows}, type, [&](ValueRange) {
    Value row = arith::AddIOp::create(t.b, at.first,
                                      linalg::IndexOp::create(t.b, int64_t(0)));
    return placeOfRow(t, adjoint, sum, captures, at, t.toI32(row));
  });
}

//===--- slots ------------------------------------------------------------===//

/// Tasks of four dimensions.
static std::optional<ArrayAttr> mappingOfSlots(AttentionBackwardOp op) {
  if (!op.getCaptureSchedule())
    return std::nullopt;
  SmallVector<Attribute> mapping;
  for (auto id : {gpu::MappingId::LinearDim0, gpu::MappingId::LinearDim1,
                  gpu::MappingId::LinearDim2, gpu::MappingId::LinearDim3})
    mapping.push_back(gpu::GPUBlockMappingAttr::get(op.getContext(), id));
  return ArrayAttr::get(op.getContext(), mapping);
}

void mlir::attn::forEachSumUnit(
    TileBuilder &t, AttentionBackwardOp op, const CaptureSum &sum, Axis own,
    ArrayRef<Value> sizes, Value memory,
    llvm::function_ref<void(const SumUnit &)> body) {
  ImplicitLocOpBuilder &b = t.b;
  int64_t copies = copiesOfSlot(op, sum);
  Value slots = memref::DimOp::create(b, memory, 0);
  if (copies != 1)
    slots = arith::DivUIOp::create(b, slots, t.index(copies));
  const unsigned positions[] = {BatchPosition, HeadPosition,
                                own == Axis::Query ? QueryPosition
                                                   : KeyPosition};
  SmallVector<Value> tasks{slots};
  // What a task goes over, and how many of it there are.
  Value units = t.index(1);
  for (auto [size, position] : llvm::zip_equal(sizes, positions)) {
    bool isOwned = sum.owned & position;
    tasks.push_back(isOwned ? size : t.index(1));
    if (!isOwned)
      units = arith::MulIOp::create(b, units, size);
  }
  auto forall = scf::ForallOp::create(b, getAsOpFoldResult(tasks), ValueRange{},
                                      mappingOfSlots(op));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(forall.getTerminator());
  auto ids = forall.getInductionVars();
  auto loop = scf::ForOp::create(b, ids[0], units, slots);
  b.setInsertionPointToStart(loop.getBody());
  Value unit = loop.getInductionVar(), slot = ids[0];
  SmallVector<Value> at;
  for (auto [i, size] : llvm::enumerate(sizes)) {
    if (sum.owned & positions[i]) {
      at.push_back(ids[i + 1]);
      continue;
    }
    at.push_back(arith::RemUIOp::create(b, unit, size));
    unit = arith::DivUIOp::create(b, unit, size);
  }
  if (copies != 1)
    slot = arith::MulIOp::create(b, slot, t.index(copies));
  body({at[0], at[1], at[2], slot});
}

void mlir::attn::scatterToSlot(TileBuilder &t, AttentionBackwardOp op,
                               const CaptureSum &sum, Value numbers,
                               Value places, Value slots, Value slot) {
  tile::ScatterAddOp::create(t.b, numbers, places, slots, slot,
                             /*distinct=*/op.getCaptureSchedule() &&
                                 sum.isDistinct(),
                             /*per_warp=*/copiesOfSlot(op, sum) != 1);
}

namespace {
class CaptureRows : TileBuilder {
public:
  CaptureRows(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
              const CaptureSum &sum, ScheduleAttr schedule, ValueRange captures,
              Value rowSums, Value slots)
      : TileBuilder(builder), op(op), sum(sum), captures(captures),
        rowSums(rowSums), slots(slots), rows(schedule.getTiling().getRows()) {}

  void build() {
    auto dim = [&](int64_t i) -> Value {
      return memref::DimOp::create(b, rowSums, i);
    };
    Value length = dim(2);
    lastRow = toI32(arith::SubIOp::create(b, length, index(1)));
    Value tiles = arith::CeilDivSIOp::create(b, length, index(rows));
    forEachSumUnit(*this, op, sum, *sum.rows, {dim(0), dim(1), tiles}, slots,
                   [&](const SumUnit &unit) { add(unit); });
  }

private:
  void add(const SumUnit &unit) {
    Value first = arith::MulIOp::create(b, unit.tile, index(rows));
    Value sums =
        tile::LoadOp::create(b, RankedTensorType::get({rows}, b.getF32Type()),
                             rowSums, ValueRange{unit.batch, unit.head, first});
    Value places =
        placesOfRows(*this, op, sum, captures, sums,
                     {toI32(unit.batch), toI32(unit.head), first, lastRow});
    scatterToSlot(*this, op, sum, sums, places, slots, unit.slot);
  }

  AttentionBackwardOp op;
  const CaptureSum &sum;
  ValueRange captures;
  Value rowSums, slots;
  int64_t rows;  ///< of a tile
  Value lastRow; ///< i32
};
} // namespace

void mlir::attn::buildCaptureRows(ImplicitLocOpBuilder &builder,
                                  AttentionBackwardOp op, const CaptureSum &sum,
                                  ScheduleAttr schedule, ValueRange captures,
                                  Value rowSums, Value slots) {
  CaptureRows(builder, op, sum, schedule, captures, rowSums, slots).build();
}

//===--- elements ---------------------------------------------------------===//

namespace {
/// Rows, or elements of a capture, that are summed at a time.
constexpr int64_t rowTile = 256, elementTile = 1024;

/// Slots that a thread of a GPU reads at a time, as memory takes long.
constexpr int64_t slotsInFlight = 16;

class CaptureSumKernel : TileBuilder {
public:
  CaptureSumKernel(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                   const CaptureSum &sum, ValueRange captures, Value workspace,
                   Value gradient)
      : TileBuilder(builder), op(op), sum(sum), captures(captures),
        workspace(workspace), gradient(gradient) {}

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

  /// A task for each element of the capture, which goes over the slots.
  void buildForElements() {
    Value elements = memref::DimOp::create(b, gradient, 0);
    Value slots = memref::DimOp::create(b, workspace, 0);
    auto thread = gpu::GPUThreadMappingAttr::get(b.getContext(),
                                                 gpu::MappingId::LinearDim0);
    inTasks(
        elements,
        [&](ValueRange tasks) {
          Value rest = arith::RemUIOp::create(b, slots, index(slotsInFlight));
          Value whole = arith::SubIOp::create(b, slots, rest);
          Value sum = memref::LoadOp::create(b, gradient, tasks);
          sum = addSlots(sum, tasks[0], index(0), whole, slotsInFlight);
          sum = addSlots(sum, tasks[0], whole, slots, 1);
          memref::StoreOp::create(b, sum, gradient, tasks);
        },
        b.getArrayAttr(thread));
  }

private:
  /// `sum` with an element of the slots from `low` to before `high`, of which
  /// so many are read before they are added, in their order.
  Value addSlots(Value sum, Value element, Value low, Value high,
                 int64_t together) {
    auto loop = scf::ForOp::create(
        b, low, high, index(together), sum,
        [&](OpBuilder &, Location, Value first, ValueRange before) {
          SmallVector<Value> read;
          for (int64_t i = 0; i < together; ++i) {
            Value slot = arith::AddIOp::create(b, first, index(i));
            read.push_back(memref::LoadOp::create(b, workspace,
                                                  ValueRange{slot, element}));
          }
          Value after = before[0];
          for (Value added : read)
            after = arith::AddFOp::create(b, after, added);
          scf::YieldOp::create(b, after);
        });
    return loop.getResult(0);
  }

  void inTasks(ValueRange sizes, llvm::function_ref<void(ValueRange)> body,
               std::optional<ArrayAttr> mapping = std::nullopt) {
    auto forall = scf::ForallOp::create(b, getAsOpFoldResult(sizes),
                                        ValueRange{}, mapping);
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
    Value places = placesOfRows(*this, op, sum, captures, rows,
                                {toI32(batch), toI32(head), first, lastRow});
    tile::ScatterAddOp::create(b, rows, places, gradient, ValueRange());
  }

  AttentionBackwardOp op;
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
  if (op.getCaptureSchedule())
    kernel.buildForElements();
  else if (sum.isCarried)
    kernel.buildForRows();
  else
    kernel.buildForSlots();
}
