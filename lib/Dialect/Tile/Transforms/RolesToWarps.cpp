// tile-roles-to-warps: which warps have which role, and registers for it.
//
// The first warps compute. Of the others, which copy and inspect, one thread is
// the producer, and the warp behind its own inspects.
#include "Rings.h"

#include "attn/Analysis/ScheduleCost.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEROLESTOWARPSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// What a thread holds of tiles in a step: what its loop carries, and two of
/// the size of scores.
int64_t tileRegistersOf(RolesOp roles, mlir::attn::ScheduleAttr schedule) {
  int64_t carried = 0, threads = schedule.getRoles().getComputingThreads();
  roles.getCompute().walk([&](scf::ForOp loop) {
    int64_t elements = 0;
    for (Type type : loop.getResultTypes())
      if (auto tile = dyn_cast<RankedTensorType>(type))
        elements += tile.getNumElements();
    carried = std::max(carried, elements / threads);
  });
  Tiling tiling = schedule.getTiling();
  return carried + 2 * tiling.getRows() * tiling.getColumns() / threads;
}

/// Whether the role takes elements from the ring.
bool reads(Region &role, RingOp ring) {
  return llvm::any_of(ring.getResult().getUsers(), [&](Operation *user) {
    return isa<ReadOp, ReceiveOp>(user) &&
           role.isAncestor(user->getParentRegion());
  });
}

/// Says how many warps read each ring, and has its barriers ready before warps
/// part.
void finishRings(gpu::GPUFuncOp func, RolesOp roles, int64_t warps) {
  ImplicitLocOpBuilder b(roles.getLoc(), roles);
  for (auto ring : func.getOps<RingOp>()) {
    int64_t readers = (reads(roles.getCompute(), ring) ? warps : 0) +
                      (reads(roles.getInspect(), ring) ? 1 : 0) +
                      (reads(roles.getStore(), ring) ? 1 : 0);
    ring.setReaders(std::max<int64_t>(readers, 1));
    b.setInsertionPointAfter(ring);
  }
  NVVM::FenceMbarrierInitOp::create(b);
  gpu::BarrierOp::create(b);
}

/// Replaces the roles by branches of the block's threads.
class WarpBranches {
public:
  WarpBranches(RolesOp roles, mlir::attn::ScheduleAttr schedule)
      : roles(roles), schedule(schedule), b(roles.getLoc(), roles) {}

  void run() {
    thread = arith::IndexCastOp::create(
        b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
    Value computing = arith::CmpIOp::create(
        b, arith::CmpIPredicate::ult, thread,
        constant(schedule.getRoles().getComputingThreads()));
    auto branch = scf::IfOp::create(b, computing, /*withElseRegion=*/true);
    std::optional<RegisterShares> shares =
        registerShares(schedule.getParts(), tileRegistersOf(roles, schedule));
    b.setInsertionPointToStart(branch.elseBlock());
    if (shares)
      NVVM::SetMaxRegisterOp::create(b, shares->producer,
                                     NVVM::SetMaxRegisterAction::decrease);
    moveOthers();
    b.setInsertionPointToStart(branch.thenBlock());
    if (shares)
      NVVM::SetMaxRegisterOp::create(b, shares->consumer,
                                     NVVM::SetMaxRegisterAction::increase);
    moveHere(roles.getCompute());
    roles.erase();
  }

private:
  /// Behind the warps that compute: one thread produces, the next warp
  /// inspects, the one behind stores.
  void moveOthers() {
    Value produces =
        isEqual(thread, constant(schedule.getRoles().getComputingThreads()));
    bool inspects = !roles.getInspect().empty(),
         stores = !roles.getStore().empty();
    Block *others = moveInto(roles.getProduce(), produces, inspects || stores);
    if (!others)
      return;
    b.setInsertionPointToStart(others);
    Value warp = arith::ShRUIOp::create(b, thread, constant(5));
    auto isBehind = [&](int64_t distance) {
      return isEqual(warp, constant(schedule.getRoles().warps + distance));
    };
    if (inspects) {
      others = moveInto(roles.getInspect(), isBehind(1), stores);
      if (!others)
        return;
      b.setInsertionPointToStart(others);
    }
    moveInto(roles.getStore(), isBehind(2), /*hasElse=*/false);
  }

  Value isEqual(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
  }

  /// Moves what `role` does into a branch where `condition` holds. Returns the
  /// other branch, if there is to be one.
  Block *moveInto(Region &role, Value condition, bool hasElse) {
    auto branch = scf::IfOp::create(b, condition, hasElse);
    b.setInsertionPointToStart(branch.thenBlock());
    moveHere(role);
    return hasElse ? branch.elseBlock() : nullptr;
  }

  void moveHere(Region &role) {
    b.getInsertionBlock()->getOperations().splice(b.getInsertionPoint(),
                                                  role.front().getOperations());
  }

  Value constant(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 32);
  }

  RolesOp roles;
  mlir::attn::ScheduleAttr schedule;
  ImplicitLocOpBuilder b;
  Value thread;
};

struct TileRolesToWarps
    : tile::impl::TileRolesToWarpsPassBase<TileRolesToWarps> {
  using TileRolesToWarpsPassBase::TileRolesToWarpsPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    auto schedule = scheduleWithProducers(func);
    if (failed(schedule))
      return signalPassFailure();
    SmallVector<RolesOp> all(func.getOps<RolesOp>());
    if (all.size() != 1) {
      func.emitOpError() << "expects roles that part once, got " << all.size();
      return signalPassFailure();
    }
    finishRings(func, all.front(), schedule->getRoles().warps);
    func->setAttr(
        NVVM::NVVMDialect::getMinctasmAttrName(),
        Builder(func).getI32IntegerAttr(schedule->getRoles().minBlocks));
    WarpBranches(all.front(), *schedule).run();
  }
};

} // namespace
