// tile-keep-maximum: see its description in Passes.td.
#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEKEEPMAXIMUMPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

class KeptMaximum {
public:
  KeptMaximum(linalg::GenericOp lazy, linalg::ReduceOp reduce)
      : lazy(lazy), reduce(reduce), old(lazy.getInputs()[1]),
        b(lazy.getLoc(), reduce) {}

  void run() {
    collectRowWork();
    carryWhatStays();
    b.setInsertionPoint(lazy);
    Value grows = AnyAboveOp::create(b, b.getI1Type(), reduce.getInputs()[0],
                                     mostThatKeeps());
    SmallVector<Value> results = usedElsewhere();
    auto branch = scf::IfOp::create(b, ValueRange(results).getTypes(), grows,
                                    /*addThenBlock=*/true,
                                    /*addElseBlock=*/true);
    IRMapping grown, kept;
    b.setInsertionPointToStart(branch.thenBlock());
    b.clone(*reduce, grown);
    for (Operation *op : rowWork)
      b.clone(*op, grown);
    yield(results, grown);
    b.setInsertionPointToStart(branch.elseBlock());
    kept.map(lazy.getResult(0), old);
    for (Operation *op : rowWork.getArrayRef().drop_front())
      if (op == far)
        kept.map(op->getResult(0),
                 arith::ConstantIntOp::create(b, 0, 1).getResult());
      else if (branchesOnFar(op) && !isRowVector(op->getResult(0)))
        kept.map(op->getResult(0),
                 cast<scf::IfOp>(op).elseYield().getOperand(0));
      else if (op->hasAttr(oneIfKeptMark))
        kept.map(op->getResult(0), ones(op->getResult(0).getType()));
      else if (Value before = carried.lookup(op))
        kept.map(op->getResult(0), before);
      else
        b.clone(*op, kept);
    yield(results, kept);

    skipMultiplications(grows);
    for (auto [result, value] : llvm::zip(results, branch.getResults()))
      result.replaceUsesWithIf(value, [&](OpOperand &use) {
        return !rowWork.contains(use.getOwner());
      });
    for (Operation *op : llvm::reverse(rowWork))
      op->erase();
    reduce.erase();
  }

private:
  /// The slack, and what depends on it and on nothing else but row vectors and
  /// conditions that are there before it.
  void collectRowWork() {
    rowWork.insert(lazy);
    for (Operation *op = lazy->getNextNode(), *next; op; op = next) {
      next = op->getNextNode();
      if (isa<tensor::EmptyOp, arith::ConstantOp>(op))
        op->moveBefore(lazy);
      else if (isRowWork(op)) {
        rowWork.insert(op);
        if (auto beyond = dyn_cast<AnyBeyondOp>(op))
          far = beyond;
      }
    }
  }

  /// What follows from the maximum alone stays while it does: the loop carries
  /// it, which is cheaper than to compute it again.
  void carryWhatStays() {
    auto loop = dyn_cast<scf::ForOp>(lazy->getParentOp());
    auto maximum = dyn_cast<BlockArgument>(old);
    if (!loop || !maximum || maximum.getOwner() != loop.getBody())
      return;
    IRMapping first;
    b.setInsertionPoint(loop);
    first.map(lazy.getResult(0), loop.getTiedLoopInit(maximum)->get());
    if (far)
      first.map(far.getResult(), loopInitOf(loop, far.getBefore()));
    SmallVector<Operation *> stays;
    SmallVector<Value> init;
    for (Operation *op : rowWork)
      if (followsFromMaximum(op)) {
        stays.push_back(op);
        for (Value empty : cast<linalg::GenericOp>(op).getOutputs())
          first.map(empty, b.clone(*empty.getDefiningOp())->getResult(0));
        init.push_back(b.clone(*op, first)->getResult(0));
      }
    if (stays.empty())
      return;
    IRRewriter rewriter(b.getContext());
    rewriter.setInsertionPoint(loop);
    auto turned = cast<scf::ForOp>(**loop.replaceWithAdditionalYields(
        rewriter, init, /*replaceInitOperandUsesInLoop=*/false,
        [&](OpBuilder &, Location, ArrayRef<BlockArgument>) {
          SmallVector<Value> next;
          for (Operation *op : stays)
            next.push_back(op->getResult(0));
          return next;
        }));
    for (auto [op, argument] :
         llvm::zip(stays, turned.getRegionIterArgs().take_back(stays.size())))
      carried[op] = argument;
    old = lazy.getInputs()[1];
  }

  static Value loopInitOf(scf::ForOp loop, Value carriedFlag) {
    auto argument = dyn_cast<BlockArgument>(carriedFlag);
    return argument && argument.getOwner() == loop.getBody()
               ? loop.getTiedLoopInit(argument)->get()
               : carriedFlag;
  }

  /// Whether `op` is made of the maximum, of rows being far, and of nothing
  /// else that changes.
  bool followsFromMaximum(Operation *op) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || op == lazy || op->hasAttr(oneIfKeptMark))
      return false;
    llvm::SetVector<Value> inputs;
    inputs.insert_range(generic.getInputs());
    getUsedValuesDefinedAbove(op->getRegions(), inputs);
    return llvm::all_of(generic.getOutputs(),
                        [](Value out) {
                          return out.getDefiningOp<tensor::EmptyOp>();
                        }) &&
           llvm::all_of(inputs, [&](Value input) {
             return input == lazy.getResult(0) ||
                    (far && input == far.getResult()) ||
                    (input.getDefiningOp() &&
                     input.getDefiningOp()->hasTrait<OpTrait::ConstantLike>());
           });
  }

  bool isRowWork(Operation *op) {
    if (op->getNumResults() != 1 || !isMemoryEffectFree(op) ||
        !(isRowVector(op->getResult(0)) || isa<AnyBeyondOp>(op) ||
          branchesOnFar(op)))
      return false;
    llvm::SetVector<Value> inputs(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), inputs);
    auto dependsOnSlack = [&](Value value) {
      return rowWork.contains(value.getDefiningOp());
    };
    return llvm::any_of(inputs, dependsOnSlack) &&
           llvm::all_of(inputs, [&](Value input) {
             return dependsOnSlack(input) || isThereBefore(input);
           });
  }

  /// Whether `op` is a branch on rows being far from zero.
  bool branchesOnFar(Operation *op) {
    auto branch = dyn_cast<scf::IfOp>(op);
    return branch && far && branch.getCondition() == far.getResult();
  }

  static bool isRowVector(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() == 1;
  }

  bool isThereBefore(Value value) {
    Operation *definition = value.getDefiningOp();
    return !definition || definition->getBlock() != lazy->getBlock() ||
           definition->isBeforeInBlock(lazy);
  }

  /// The old maximum and the slack: what a row's greatest score may be. Nothing
  /// that counts (tile.any_above) while rows are far from zero.
  Value mostThatKeeps() {
    auto slack = lazy->getAttrOfType<FloatAttr>(slackMark);
    auto type = cast<RankedTensorType>(old.getType());
    Value empty =
        tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
    AffineMap rows = b.getMultiDimIdentityMap(1);
    return linalg::GenericOp::create(
               b, type, old, empty, ArrayRef<AffineMap>{rows, rows},
               utils::IteratorType::parallel,
               [&](OpBuilder &nested, Location loc, ValueRange in) {
                 Value constant = arith::ConstantOp::create(nested, loc, slack);
                 Value most =
                     arith::AddFOp::create(nested, loc, in[0], constant);
                 if (far)
                   most = arith::SelectOp::create(
                       nested, loc, far.getBefore(),
                       arith::ConstantOp::create(nested, loc,
                                                 nested.getF32FloatAttr(-1)),
                       most);
                 linalg::YieldOp::create(nested, loc, most);
               })
        .getResult(0);
  }

  SmallVector<Value> usedElsewhere() {
    SmallVector<Value> results;
    for (Operation *op : rowWork)
      if (llvm::any_of(op->getUsers(), [&](Operation *user) {
            return !rowWork.contains(user);
          }))
        results.push_back(op->getResult(0));
    return results;
  }

  void yield(ValueRange results, IRMapping &mapping) {
    SmallVector<Value> values;
    for (Value result : results)
      values.push_back(mapping.lookup(result));
    scf::YieldOp::create(b, values);
  }

  Value ones(Type type) {
    auto tile = cast<RankedTensorType>(type);
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(tile, b.getF32FloatAttr(1)));
  }

  void skipMultiplications(Value grows) {
    SmallVector<linalg::GenericOp> products;
    for (Operation *op : rowWork)
      for (Operation *user : op->getUsers())
        if (auto product = dyn_cast<linalg::GenericOp>(user);
            product && product->hasAttr(skipOnesMark) &&
            product.getNumDpsInputs() && product.getNumResults() == 1 &&
            product.getInputs()[0].getType() == product.getResult(0).getType())
          products.push_back(product);
    for (linalg::GenericOp product : products) {
      b.setInsertionPoint(product);
      Value plain = product.getInputs()[0];
      auto branch =
          scf::IfOp::create(b, product.getResultTypes(), grows,
                            /*addThenBlock=*/true, /*addElseBlock=*/true);
      product->getResult(0).replaceAllUsesWith(branch.getResult(0));
      b.setInsertionPointToStart(branch.elseBlock());
      scf::YieldOp::create(b, plain);
      b.setInsertionPointToStart(branch.thenBlock());
      auto yield = scf::YieldOp::create(b, product->getResults());
      product->moveBefore(yield);
    }
  }

  linalg::GenericOp lazy;
  linalg::ReduceOp reduce;
  Value old;
  AnyBeyondOp far;                            ///< null: nobody asks
  llvm::DenseMap<Operation *, Value> carried; ///< what the loop carries of it
  ImplicitLocOpBuilder b;
  llvm::SetVector<Operation *> rowWork;
};

/// Whether the greatest score of each row and its slack are vectors of f32, by
/// a slack of f32.
bool isOfRows(linalg::GenericOp lazy, linalg::ReduceOp reduce) {
  auto isF32 = [](Type type, int64_t rank) {
    auto tile = dyn_cast<RankedTensorType>(type);
    return tile && tile.getRank() == rank && tile.getElementType().isF32();
  };
  auto slack = lazy->getAttrOfType<FloatAttr>(slackMark);
  return slack && slack.getType().isF32() && lazy.getNumResults() == 1 &&
         isF32(lazy.getResult(0).getType(), 1) &&
         isF32(reduce->getResult(0).getType(), 1) &&
         isF32(reduce.getInputs()[0].getType(), 2);
}

struct TileKeepMaximum : tile::impl::TileKeepMaximumPassBase<TileKeepMaximum> {
  using TileKeepMaximumPassBase::TileKeepMaximumPassBase;

  void runOnOperation() override {
    SmallVector<linalg::GenericOp> marked;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op->hasAttr(slackMark))
        marked.push_back(op);
    });
    for (linalg::GenericOp lazy : marked) {
      auto reduce = lazy.getNumDpsInputs() == 2
                        ? lazy.getInputs()[0].getDefiningOp<linalg::ReduceOp>()
                        : nullptr;
      if (!reduce || !reduce->hasOneUse() || reduce->getNumResults() != 1 ||
          reduce.getInits()[0] != lazy.getInputs()[1] ||
          reduce->getBlock() != lazy->getBlock() || !isOfRows(lazy, reduce)) {
        lazy.emitOpError() << "expects a maximum that nothing else uses, which "
                              "starts at the old one, and the old one";
        return signalPassFailure();
      }
      KeptMaximum(lazy, reduce).run();
    }
  }
};

} // namespace
