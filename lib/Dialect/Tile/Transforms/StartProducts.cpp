// tile-start-products: see its description in Passes.td.
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILESTARTPRODUCTSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

class StepProducts {
public:
  StepProducts(scf::ForOp loop, bool pingpong)
      : loop(loop), body(*loop.getBody()), pingpong(pingpong) {}

  void run() {
    startReady();
    finishLate();
    awaitLate();
    handOnLate();
    if (pingpong)
      takeTurns();
  }

private:
  struct Started {
    linalg::ContractOp product; ///< whose place `start` takes
    StartOp start;
  };

  //===--- starting -------------------------------------------------------===//
  /// Moves to the begin of the step the products that need nothing but tiles in
  /// rings. What some start with is made before all of them: between products
  /// that run, ptxas lets nobody write what is an accumulator (C7517).
  void startReady() {
    SmallVector<llvm::SetVector<Operation *>> ready;
    bool makeFirst = false;
    for (auto product : body.getOps<linalg::ContractOp>()) {
      llvm::SetVector<Operation *> needed;
      if (!collect(product, needed))
        continue;
      makeFirst |= llvm::any_of(needed, llvm::IsaPred<linalg::GenericOp>);
      needed.insert(product);
      ready.push_back(std::move(needed));
    }
    llvm::SetVector<Operation *> order;
    if (makeFirst)
      for (llvm::SetVector<Operation *> &needed : ready)
        order.insert(needed.begin(), std::prev(needed.end()));
    for (llvm::SetVector<Operation *> &needed : ready)
      order.insert(needed.begin(), needed.end());
    Operation *last = nullptr;
    for (Operation *op : order) {
      if (last)
        op->moveAfter(last);
      else
        op->moveBefore(&body, body.begin());
      last = op;
    }
  }

  /// What the operands of `op` come from in this step, in order; false if that
  /// is more than reads, numbers, and elementwise work on them.
  bool collect(Operation *op, llvm::SetVector<Operation *> &needed) {
    for (Value operand : op->getOperands()) {
      Operation *definition = operand.getDefiningOp();
      if (!definition || definition->getBlock() != &body ||
          needed.contains(definition))
        continue;
      bool isNumber = isPure(definition) && definition->getNumRegions() == 0 &&
                      !isa<linalg::LinalgOp>(definition);
      if (!(isNumber || isa<ReadOp, linalg::GenericOp>(definition)) ||
          !collect(definition, needed))
        return false;
      needed.insert(definition);
    }
    return true;
  }

  //===--- finishing ------------------------------------------------------===//
  /// Moves what only ends with a product to the end of the step, in the order
  /// in which products end.
  void finishLate() {
    SmallVector<linalg::ContractOp> products(body.getOps<linalg::ContractOp>());
    SmallVector<std::pair<size_t, Operation *>> last;
    for (Operation &op : body) {
      if (!isa<ReleaseOp, PutOp>(op))
        continue;
      size_t count = 0;
      for (auto [i, product] : llvm::enumerate(products))
        if (needs(op, product))
          count = i + 1;
      if (count > 0)
        last.push_back({count, &op});
    }
    llvm::stable_sort(last, llvm::less_first());
    for (auto [count, op] : last)
      op->moveBefore(body.getTerminator());
    // What is put late cannot be handed on before.
    for (auto put : body.getOps<PutOp>())
      for (auto handOn : llvm::make_early_inc_range(body.getOps<HandOnOp>()))
        if (handOn.getRing() == put.getRing())
          handOn->moveAfter(put);
  }

  //===--- awaiting -------------------------------------------------------===//
  /// Starts all products, and awaits each where it has to be there.
  void awaitLate() {
    for (Operation &op : llvm::make_early_inc_range(body)) {
      awaitFor(op);
      ImplicitLocOpBuilder b(op.getLoc(), &op);
      if (auto product = dyn_cast<linalg::ContractOp>(op))
        started.push_back({product, StartOp::create(b, product)});
    }
    for (Operation &op : llvm::make_early_inc_range(body))
      if (isa<linalg::ContractOp>(op))
        op.erase();
  }

  /// Before `op`, awaits what it needs, and with it all that was started
  /// before: products end in their order.
  void awaitFor(Operation &op) {
    size_t count = 0;
    for (auto [i, running] : llvm::enumerate(started))
      if (needs(op, running.product))
        count = i + 1;
    ImplicitLocOpBuilder b(op.getLoc(), &op);
    int64_t pending = static_cast<int64_t>(started.size() - count);
    for (auto [product, start] : ArrayRef<Started>(started).take_front(count)) {
      Value result = product->getResult(0);
      auto await =
          AwaitOp::create(b, result.getType(), start, pending, lastMade(op));
      result.replaceAllUsesWith(await.getResult());
      if (!first)
        first = await;
    }
    started.erase(started.begin(), started.begin() + count);
  }

  /// What runs beside a product that is awaited for `op`: the last matrix of
  /// f32 that was made by elementwise work since the last wait; null if none
  /// was.
  Value lastMade(Operation &op) {
    for (Operation *before = op.getPrevNode(); before;
         before = before->getPrevNode()) {
      if (isa<AwaitOp, StartOp>(before))
        return Value();
      if (before->getNumResults() != 1)
        continue;
      auto type = dyn_cast<RankedTensorType>(before->getResult(0).getType());
      if (type && type.getRank() == 2 && type.getElementType().isF32() &&
          isa<scf::IfOp, linalg::GenericOp>(before))
        return before->getResult(0);
    }
    return Value();
  }

  //===--- handing on -----------------------------------------------------===//
  /// What is put at the end of a step is handed on behind the first products of
  /// the next one, beside which the writes of the last become visible; of the
  /// last step behind the loop.
  void handOnLate() {
    StartOp last;
    for (Operation &op : body) {
      if (isa<AwaitOp>(op))
        break;
      if (auto start = dyn_cast<StartOp>(op))
        last = start;
    }
    for (HandOnOp op : llvm::make_early_inc_range(body.getOps<HandOnOp>())) {
      llvm::SetVector<Operation *> needed;
      if (!last || !followsFromStep(op, needed))
        continue;
      ImplicitLocOpBuilder b(op.getLoc(), loop.getContext());
      Value low = loop.getLowerBound(), high = loop.getUpperBound();
      auto ofStepBefore = [&](Value step) {
        IRMapping mapping;
        mapping.map(loop.getInductionVar(),
                    arith::SubIOp::create(b, step, loop.getStep()));
        for (Operation *number : needed)
          b.clone(*number, mapping);
        b.clone(*op, mapping);
      };
      auto onlyIf = [&](Value before, Value step) {
        Value any =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, before, step);
        auto branch = scf::IfOp::create(b, any, /*withElseRegion=*/false);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(branch.thenYield());
        ofStepBefore(step);
      };
      b.setInsertionPointAfter(last);
      onlyIf(low, loop.getInductionVar());
      b.setInsertionPointAfter(loop);
      onlyIf(low, high);
      op.erase();
    }
  }

  /// Whether which place `op` means is a number that the step's own says, and
  /// not one that steps carry, or make; what it is computed by, in order.
  bool followsFromStep(HandOnOp op, llvm::SetVector<Operation *> &needed) {
    auto isCarried = [&](Value value) {
      return llvm::is_contained(loop.getRegionIterArgs(), value);
    };
    return collect(op, needed) && !isCarried(op.getPosition()) &&
           llvm::all_of(needed, [&](Operation *number) {
             return isPure(number) &&
                    llvm::none_of(number->getOperands(), isCarried);
           });
  }

  //===--- turns ----------------------------------------------------------===//
  /// A group has its turn from the start of its first products until it goes on
  /// with their results.
  void takeTurns() {
    StartOp start = *body.getOps<StartOp>().begin();
    ImplicitLocOpBuilder b(start.getLoc(), start);
    TakeTurnOp::create(b);
    b.setInsertionPointAfter(first);
    PassTurnOp::create(b, /*first=*/false);
    // The last turn of a task's loop is taken in the next one's.
    Operation *outermost = loop;
    while (isa<scf::ForOp, scf::WhileOp>(outermost->getParentOp()))
      outermost = outermost->getParentOp();
    b.setInsertionPoint(outermost);
    PassTurnOp::create(b, /*first=*/true);
  }

  /// Whether `op`, itself or in a region, uses the result of the product,
  /// releases a tile that it reads, or writes to one.
  static bool needs(Operation &op, linalg::ContractOp product) {
    auto readsFrom = [&](Value tile, Value ring) {
      auto read = tile.getDefiningOp<ReadOp>();
      return read && read.getRing() == ring;
    };
    return op
        .walk([&](Operation *inner) {
          bool needed =
              llvm::is_contained(inner->getOperands(), product->getResult(0));
          for (Value tile : product.getDpsInputs()) {
            if (auto release = dyn_cast<ReleaseOp>(inner))
              needed |= readsFrom(tile, release.getRing());
            if (auto clear = dyn_cast<ClearNonfiniteOp>(inner))
              needed |= clear.getTile() == tile;
          }
          return needed ? WalkResult::interrupt() : WalkResult::advance();
        })
        .wasInterrupted();
  }

  scf::ForOp loop;
  Block &body;
  bool pingpong;
  SmallVector<Started> started; ///< and not yet awaited
  AwaitOp first;                ///< in the step
};

struct TileStartProducts
    : tile::impl::TileStartProductsPassBase<TileStartProducts> {
  using TileStartProductsPassBase::TileStartProductsPassBase;

  void runOnOperation() override {
    auto schedule = getOperation()->getAttrOfType<mlir::attn::ScheduleAttr>(
        "attn.schedule");
    bool pingpong = schedule && schedule.getRoles().pingpong;
    getOperation().walk([&](scf::ForOp loop) {
      auto products = loop.getOps<linalg::ContractOp>();
      if (llvm::range_size(products) > 2 &&
          llvm::all_of(products, [](linalg::ContractOp product) {
            return product.getDpsInputs()[1].getDefiningOp<ReadOp>();
          }))
        StepProducts(loop, pingpong).run();
    });
  }
};

} // namespace
