// tile-retry-nonfinite: see its description in Passes.td.
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILERETRYNONFINITEPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// The buffer that a copy writes, all of it or a stage: what tile-place-shared
/// gave a place.
static Value bufferOf(CopyOp copy) {
  Value buffer = copy.getDest();
  while (auto view = buffer.getDefiningOp<memref::ViewOp>()) {
    if (view.getSource().getDefiningOp<gpu::DynamicSharedMemoryOp>())
      break;
    buffer = view.getSource();
  }
  return buffer;
}

/// Whether `op` copies, itself or in a branch, into memory that the loop copies
/// into again.
static bool copiesForLoop(Operation &op, scf::ForOp loop) {
  DenseSet<Value> buffers;
  loop.walk([&](CopyOp copy) { buffers.insert(bufferOf(copy)); });
  return op
      .walk([&](CopyOp copy) {
        return buffers.contains(bufferOf(copy)) ? WalkResult::interrupt()
                                                : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The operations from the first copy of a tile of the loop up to and with the
/// loop: what an attempt repeats. Tensors without elements are nobody's.
static SmallVector<Operation *> attemptOf(scf::ForOp loop) {
  SmallVector<Operation *> attempt;
  for (Operation &op : *loop->getBlock()) {
    if (isa<tensor::EmptyOp>(op))
      continue;
    if (!attempt.empty() || copiesForLoop(op, loop) || &op == loop)
      attempt.push_back(&op);
    if (&op == loop)
      break;
  }
  return attempt;
}

/// Whether `tile`, a result of the loop, collects what products make.
static bool isMatrix(Value tile) {
  auto type = dyn_cast<RankedTensorType>(tile.getType());
  return type && type.getRank() == 2;
}

/// The outermost loop over tiles around `op`; loops over tasks are around that.
static scf::ForOp outermostLoop(Operation *op) {
  scf::ForOp outermost;
  for (auto loop = op->getParentOfType<scf::ForOp>(); loop;
       loop = loop->getParentOfType<scf::ForOp>())
    outermost = loop;
  return outermost;
}

/// Looks at values only where the attempt is careful.
static void askOnlyIf(Value careful, HasNonfiniteOp question) {
  ImplicitLocOpBuilder b(question.getLoc(), question);
  auto branch = scf::IfOp::create(b, b.getI1Type(), careful,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  question.replaceAllUsesWith(branch.getResult(0));
  b.setInsertionPointToEnd(branch.elseBlock());
  scf::YieldOp::create(b,
                       ValueRange(arith::ConstantIntOp::create(b, false, 1)));
  b.setInsertionPointToEnd(branch.thenBlock());
  auto yield = scf::YieldOp::create(b, ValueRange(question.getResult()));
  question->moveBefore(yield);
}

/// A loop over attempts around `loop`: until one is finite, or was careful.
static LogicalResult retry(scf::ForOp loop,
                           ArrayRef<HasNonfiniteOp> questions) {
  SmallVector<Operation *> attempt = attemptOf(loop);
  DenseSet<Operation *> inside(attempt.begin(), attempt.end());
  for (Operation *op : attempt)
    for (Operation *user : op->getUsers())
      if (op != loop &&
          !inside.count(loop->getBlock()->findAncestorOpInBlock(*user)))
        return user->emitOpError()
               << "uses what is loaded with the tiles of the loop";

  ImplicitLocOpBuilder b(loop.getLoc(), attempt.front());
  Value no = arith::ConstantIntOp::create(b, false, 1);
  auto attempts =
      scf::WhileOp::create(b, loop.getResultTypes(), ValueRange(no));
  Block *before =
      b.createBlock(&attempts.getBefore(), {}, b.getI1Type(), b.getLoc());
  Value careful = before->getArgument(0);
  for (Operation *op : attempt)
    op->moveBefore(before, before->end());
  for (auto empty : llvm::make_early_inc_range(
           attempts->getBlock()->getOps<tensor::EmptyOp>()))
    if (attempts->isBeforeInBlock(empty))
      empty->moveBefore(attempts);
  for (HasNonfiniteOp question : questions)
    askOnlyIf(careful, question);

  loop->replaceAllUsesWith(attempts->getResults());
  b.setInsertionPointToEnd(before);
  Value carefree = arith::XOrIOp::create(
      b, careful, arith::ConstantIntOp::create(b, true, 1));
  Value dirty;
  for (Value result : loop.getResults()) {
    if (!isMatrix(result))
      continue;
    Value found = HasNonfiniteOp::create(b, b.getI1Type(), result);
    dirty = dirty ? Value(arith::OrIOp::create(b, dirty, found)) : found;
  }
  Value again = arith::AndIOp::create(b, carefree, dirty);
  scf::ConditionOp::create(b, again, loop.getResults());

  SmallVector<Location> locations(loop.getNumResults(), b.getLoc());
  b.createBlock(&attempts.getAfter(), {}, loop.getResultTypes(), locations);
  scf::YieldOp::create(b, ValueRange(arith::ConstantIntOp::create(b, true, 1)));
  return success();
}

namespace {
struct TileRetryNonfinite
    : tile::impl::TileRetryNonfinitePassBase<TileRetryNonfinite> {
  using TileRetryNonfinitePassBase::TileRetryNonfinitePassBase;

  void runOnOperation() override {
    SmallVector<HasNonfiniteOp> questions;
    scf::ForOp loop;
    WalkResult oneLoop = getOperation().walk([&](HasNonfiniteOp op) {
      scf::ForOp around = outermostLoop(op);
      if (!around || (loop && around != loop)) {
        op.emitOpError() << "expects to be in the kernel's one loop over tiles";
        return WalkResult::interrupt();
      }
      loop = around;
      questions.push_back(op);
      return WalkResult::advance();
    });
    if (oneLoop.wasInterrupted())
      return signalPassFailure();
    if (!loop)
      return;
    if (llvm::none_of(loop.getResults(), isMatrix)) {
      loop.emitOpError() << "expects a matrix among the loop's results";
      return signalPassFailure();
    }
    if (failed(retry(loop, questions)))
      signalPassFailure();
  }
};
} // namespace
