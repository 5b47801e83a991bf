// tile-share-diagonals: see its description in Passes.td.
#include "Distances.h"
#include "Earlier.h"
#include "Recompute.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILESHAREDIAGONALSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

class DiagonalSharer {
public:
  DiagonalSharer(gpu::GPUFuncOp func, ScheduleAttr schedule)
      : func(func), roles(schedule.getRoles()),
        rows(schedule.getTiling().getRows()), bytes(sharedBytesOf(func)),
        most(mostBytes(bytes, roles.getThreads())) {}

  void run() {
    SmallVector<ScatterAddOp> sums;
    func.walk([&](ScatterAddOp op) { sums.push_back(op); });
    for (ScatterAddOp op : sums)
      sumBefore(op);
    func.walk([&](linalg::GenericOp op) {
      auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
      if (type && type.getRank() == 2 && isOfRows(type) &&
          type.getDimSize(0) == rows)
        shareIn(op);
    });
    if (bytes != sharedBytesOf(func))
      setSharedBytes(func, bytes);
  }

private:
  /// So that no fewer blocks fit a multiprocessor: of 228 KB, of which the
  /// system takes one for each, and of threads with a tile each. And not past
  /// what the smallest GPUs give a block.
  static int64_t mostBytes(int64_t bytes, int64_t threads) {
    constexpr int64_t all = 228 * 1024, ofSystem = 1024, smallest = 99 * 1024,
                      mostThreads = 512;
    int64_t blocks = std::max<int64_t>(
        1, std::min(all / (bytes + ofSystem), mostThreads / threads));
    int64_t most = all / blocks - ofSystem;
    return bytes <= smallest ? std::min(most, smallest) : most;
  }

  void shareIn(linalg::GenericOp op) {
    while (Value value = Distances(op).findLast()) {
      int64_t columns =
          cast<RankedTensorType>(op.getResult(0).getType()).getDimSize(1);
      int64_t ofWarp = shared::diagonalsOfWarp(rows / roles.warps, columns);
      op =
          replaceByInput(op, value, share(op, value, columns, placeFor(ofWarp)),
                         diagonalsOf(op.getContext(), columns));
    }
  }

  /// Where the distance decides to which element a number is added, those of a
  /// diagonal are summed before, if there is room.
  void sumBefore(ScatterAddOp op) {
    auto places = op.getPlaces().getDefiningOp<linalg::GenericOp>();
    auto tile = cast<RankedTensorType>(op.getTile().getType());
    if (!places || op.getDistinct() || tile.getRank() != 2)
      return;
    Value place = Distances(places).findResult();
    int64_t columns = tile.getDimSize(1);
    IntegerAttr offset;
    if (place)
      offset =
          placeFor(shared::diagonalSumsOfWarp(rows / roles.warps, columns));
    if (!offset)
      return;
    Value diagonals = share(places, place, columns, /*offset=*/{});
    OpBuilder b(op);
    auto type = RankedTensorType::get(
        {rows + columns - 1}, tile.getElementType(),
        DiagonalsAttr::get(b.getContext(), /*lanes=*/true));
    Value sums =
        SumDiagonalsOp::create(b, op.getLoc(), type, op.getTile(), offset);
    op.getTileMutable().assign(sums);
    op.getPlacesMutable().assign(diagonals);
    if (places->use_empty())
      places.erase();
  }

  /// Each has a place of its own: what is read of one stays while others are
  /// made. Null if there is no room.
  IntegerAttr placeFor(int64_t ofWarp) {
    int64_t offset = llvm::alignTo(bytes, 16);
    int64_t end = offset + roles.warps * roles.keyWarps * ofWarp;
    if (end > most)
      return IntegerAttr();
    bytes = end;
    return Builder(func.getContext()).getI64IntegerAttr(offset);
  }

  /// Without an offset lanes keep what they make.
  Value share(linalg::GenericOp op, Value value, int64_t columns,
              IntegerAttr offset) {
    ImplicitLocOpBuilder b(value.getLoc(), func);
    setInsertionPoint(b, op);
    auto type =
        RankedTensorType::get({rows + columns - 1}, value.getType(),
                              DiagonalsAttr::get(b.getContext(), !offset));
    auto diagonals = DiagonalsOp::create(b, type, offset);
    Block &block = diagonals.getBody().emplaceBlock();
    Value row = block.addArgument(b.getIndexType(), b.getLoc());
    b.setInsertionPointToStart(&block);
    Value column = arith::ConstantIndexOp::create(b, 0);
    IRMapping mapping;
    for (auto position : op.getBody()->getOps<linalg::IndexOp>())
      mapping.map(position.getResult(), position.getDim() == 0 ? row : column);
    for (OpOperand *input : op.getDpsInputOperands())
      if (!isa<RankedTensorType>(input->get().getType()))
        mapping.map(op.getMatchingBlockArgument(input), input->get());
    Value made = recompute(b, value, op.getRegion(), mapping);
    tile::YieldOp::create(b, ValueRange{made});
    return diagonals.getResult();
  }

  /// Before the wait for the product that the tile is made of, if what the body
  /// needs can be there by then; else before `op`.
  void setInsertionPoint(OpBuilder &b, linalg::GenericOp op) {
    b.setInsertionPoint(op);
    for (Value input : op.getDpsInputs())
      if (auto await = input.getDefiningOp<AwaitOp>();
          await && await->getBlock() == op->getBlock() &&
          moveNeededBefore(await, op, op.getDpsInputs()))
        return b.setInsertionPoint(await);
  }

  gpu::GPUFuncOp func;
  WarpRoles roles;
  int64_t rows, bytes, most;
};

struct TileShareDiagonals
    : tile::impl::TileShareDiagonalsPassBase<TileShareDiagonals> {
  using TileShareDiagonalsPassBase::TileShareDiagonalsPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (auto schedule = func->getAttrOfType<ScheduleAttr>("attn.schedule"))
      DiagonalSharer(func, schedule).run();
  }
};

} // namespace
