// tile-give-roles: which part of a program is whose.
//
// Each role has the program's loops, and of their bodies what is its own:
// filling rings is the producer's, finding what is said about tiles the
// inspecting warp's, the rest is theirs who compute. The roles meet in rings
// only, where all count in the same way; numbers that two of them need, each
// computes for itself.
#include "Recompute.h"
#include "Rings.h"

#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEGIVEROLESPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

bool isFill(Operation *op) { return isa<FillOp, FillVectorOp>(op); }

bool isInspectors(Operation *op) {
  auto send = dyn_cast<SendOp>(op);
  return send && send.getAbout();
}

bool isStorers(Operation *op) { return isa<AddToMemoryOp>(op); }

bool contains(Operation *op, llvm::function_ref<bool(Operation *)> holds) {
  return op
      ->walk([&](Operation *inner) {
        return holds(inner) ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Copies of a program what one role does.
class RoleCopy {
public:
  /// `isOwn`: what the role is there for, of the region `program`.
  RoleCopy(ImplicitLocOpBuilder &b, Region &program,
           llvm::function_ref<bool(Operation *)> isOwn)
      : b(b), program(program), isOwn(isOwn) {}

  LogicalResult copyBlock(Block &from, IRMapping &mapping) {
    for (Operation &op : from)
      if (failed(copyOwn(op, mapping)))
        return failure();
    return success();
  }

private:
  /// What is the role's of `op`: all of it, a part, or nothing.
  LogicalResult copyOwn(Operation &op, IRMapping &mapping) {
    if (isOwn(&op) || releasesOwn(op, mapping))
      return copy(op, mapping);
    if (!contains(&op, isOwn))
      return success();
    if (auto loop = dyn_cast<scf::ForOp>(op))
      return copyLoop(loop, mapping);
    if (auto tasks = dyn_cast<TasksOp>(op))
      return copyTasks(tasks, mapping);
    return op.emitOpError() << "cannot be dealt to roles, only loops can";
  }

  /// Whether `op` releases a tile that the role has read.
  static bool releasesOwn(Operation &op, IRMapping &mapping) {
    auto release = dyn_cast<ReleaseOp>(op);
    return release &&
           llvm::any_of(op.getBlock()->getOps<ReadOp>(), [&](ReadOp read) {
             return read.getRing() == release.getRing() &&
                    mapping.contains(read.getResult());
           });
  }

  LogicalResult copy(Operation &op, IRMapping &mapping) {
    for (Value operand : op.getOperands())
      if (failed(recomputed(&op, operand, mapping)))
        return failure();
    b.clone(op, mapping);
    return success();
  }

  FailureOr<Value> recomputed(Operation *user, Value value,
                              IRMapping &mapping) {
    Value made = recompute(b, value, program, mapping);
    if (!made)
      return user->emitOpError() << "expects operands that each role can "
                                    "compute, not what a loop carries";
    mapping.map(value, made);
    return made;
  }

  //===--- loops ----------------------------------------------------------===//
  LogicalResult copyLoop(scf::ForOp loop, IRMapping &mapping) {
    FailureOr<Value> low = recomputed(loop, loop.getLowerBound(), mapping);
    FailureOr<Value> high = recomputed(loop, loop.getUpperBound(), mapping);
    FailureOr<Value> step = recomputed(loop, loop.getStep(), mapping);
    if (failed(low) || failed(high) || failed(step))
      return failure();
    bool ahead = llvm::any_of(*loop.getBody(),
                              [&](Operation &op) { return startsAhead(op); });
    if (ahead && failed(copyAhead(loop, *low, *high, mapping)))
      return failure();
    SmallVector<unsigned> numbers = carriedNumbers(loop);
    SmallVector<Value> init;
    for (unsigned i : numbers) {
      FailureOr<Value> value = recomputed(loop, loop.getInitArgs()[i], mapping);
      if (failed(value))
        return failure();
      init.push_back(*value);
    }
    auto copies = scf::ForOp::create(b, *low, *high, *step, init);
    for (auto [k, i] : llvm::enumerate(numbers))
      mapping.map(loop.getResult(i), copies.getResult(k));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(copies.getBody());
    Value j = copies.getInductionVar();
    if (ahead && failed(copyAhead(loop, arith::AddIOp::create(b, j, *step),
                                  *high, mapping)))
      return failure();
    IRMapping inner = mapping;
    for (auto [k, i] : llvm::enumerate(numbers))
      inner.map(loop.getRegionIterArg(i), copies.getRegionIterArg(k));
    return copyStep(loop, j, /*ahead=*/false, numbers, inner);
  }

  /// Which of what a loop carries are numbers: each role counts for itself.
  static SmallVector<unsigned> carriedNumbers(scf::ForOp loop) {
    SmallVector<unsigned> numbers;
    for (auto [i, type] : llvm::enumerate(loop.getResultTypes()))
      if (type.isInteger(32))
        numbers.push_back(i);
    return numbers;
  }

  bool startsAhead(Operation &op) {
    auto fill = dyn_cast<FillOp>(op);
    return fill && fill.getAhead() && isOwn(fill);
  }

  /// What is started ahead of step `j`, if there is one.
  LogicalResult copyAhead(scf::ForOp loop, Value j, Value high,
                          const IRMapping &mapping) {
    Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, j, high);
    auto branch = scf::IfOp::create(b, any, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenYield());
    return copyStep(loop, j, /*ahead=*/true, {}, mapping);
  }

  /// Of step `j` what is started ahead, or all but that, and the next of the
  /// `numbers` that the loop carries.
  LogicalResult copyStep(scf::ForOp loop, Value j, bool ahead,
                         ArrayRef<unsigned> numbers, IRMapping mapping) {
    mapping.map(loop.getInductionVar(), j);
    for (Operation &op : *loop.getBody())
      if (startsAhead(op) == ahead && failed(copyOwn(op, mapping)))
        return failure();
    if (numbers.empty())
      return success();
    SmallVector<Value> next;
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    for (unsigned i : numbers) {
      FailureOr<Value> value = recomputed(yield, yield.getOperand(i), mapping);
      if (failed(value))
        return failure();
      next.push_back(*value);
    }
    scf::YieldOp::create(b, next);
    return success();
  }

  LogicalResult copyTasks(TasksOp tasks, IRMapping mapping) {
    auto own = TasksOp::create(b, tasks.getCount(), tasks.getCounter());
    tasks.getNumbers().cloneInto(&own.getNumbers(), mapping);
    Block &from = tasks.getBody().front();
    OpBuilder::InsertionGuard guard(b);
    Block *to = b.createBlock(
        &own.getBody(), {}, from.getArgumentTypes(),
        SmallVector<Location>(from.getNumArguments(), tasks.getLoc()));
    mapping.map(from.getArguments(), to->getArguments());
    if (failed(copyBlock(from, mapping)))
      return failure();
    return copy(*from.getTerminator(), mapping);
  }

  ImplicitLocOpBuilder &b;
  Region &program;
  llvm::function_ref<bool(Operation *)> isOwn;
};

/// The operation of the kernel's block with which rings are begun to be used.
Operation *firstUser(gpu::GPUFuncOp func) {
  for (Operation &op : func.getBody().front())
    if (isa<TasksOp>(op) || contains(&op, isFill))
      return &op;
  return nullptr;
}

/// Makes a region of what a role does of `program`.
LogicalResult addRole(Region &role, Region &program,
                      llvm::function_ref<bool(Operation *)> isOwn) {
  ImplicitLocOpBuilder b(role.getLoc(), role.getContext());
  b.createBlock(&role);
  IRMapping mapping;
  return RoleCopy(b, program, isOwn).copyBlock(program.front(), mapping);
}

/// What the other roles do, those who compute do not.
void eraseOthers(Region &compute) {
  SmallVector<Operation *> others;
  compute.walk([&](Operation *op) {
    if (isFill(op) || isInspectors(op) || isStorers(op))
      others.push_back(op);
  });
  for (Operation *op : others) {
    SmallVector<Value> operands;
    if (isInspectors(op))
      operands = cast<SendOp>(op).getNumbers();
    op->erase();
    for (Value operand : operands)
      if (Operation *definition = operand.getDefiningOp();
          definition && isOpTriviallyDead(definition))
        definition->erase();
  }
}

struct TileGiveRoles
    : mlir::attn::tile::impl::TileGiveRolesPassBase<TileGiveRoles> {
  using TileGiveRolesPassBase::TileGiveRolesPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    Operation *first = firstUser(func);
    if (!func.getBody().hasOneBlock() || !first) {
      func.emitOpError() << "expects one block that fills rings";
      return signalPassFailure();
    }
    ImplicitLocOpBuilder b(func.getLoc(), first);
    auto roles = RolesOp::create(b);
    Block *head = first->getBlock(), *compute = new Block;
    roles.getCompute().push_back(compute);
    compute->getOperations().splice(compute->begin(), head->getOperations(),
                                    first->getIterator(),
                                    head->getTerminator()->getIterator());
    if (failed(addRole(roles.getProduce(), roles.getCompute(), isFill)))
      return signalPassFailure();
    if (contains(roles, isInspectors) &&
        failed(addRole(roles.getInspect(), roles.getCompute(), isInspectors)))
      return signalPassFailure();
    if (contains(roles, isStorers) &&
        failed(addRole(roles.getStore(), roles.getCompute(), isStorers)))
      return signalPassFailure();
    eraseOthers(roles.getCompute());
  }
};

} // namespace
