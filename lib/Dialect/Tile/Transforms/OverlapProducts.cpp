// tile-overlap-products: the products of one step run while another step's
// softmax does.
//
// A step consists of a score product, what turns scores into weights, and an
// output product. The loop is turned by one step: after the scores of step j
// are started, so is the output product of step j - 1, and the softmax of step
// j runs beside it. Weights and the output that awaits its product are carried,
// and so is whether the next step's tiles have arrived, which a step asks at
// its end.
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEOVERLAPPRODUCTSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

class ProductOverlap {
public:
  ProductOverlap(scf::ForOp loop, bool pingpong)
      : loop(loop), pingpong(pingpong), b(loop.getLoc(), loop) {}

  LogicalResult run() {
    if (failed(findParts()))
      return failure();
    if (pingpong)
      passFirstTurn();
    Value any =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                              loop.getLowerBound(), loop.getUpperBound());
    auto guard =
        scf::IfOp::create(b, loop.getResultTypes(), any,
                          /*addThenBlock=*/true, /*addElseBlock=*/true);
    b.setInsertionPointToStart(guard.elseBlock());
    scf::YieldOp::create(b, loop.getInitArgs());
    b.setInsertionPointToStart(guard.thenBlock());
    scf::YieldOp::create(b, buildSteps());
    loop.replaceAllUsesWith(guard.getResults());
    loop.erase();
    return success();
  }

private:
  /// The last turn of a task's loop is taken in the next one's: the first one
  /// is passed once.
  void passFirstTurn() {
    OpBuilder::InsertionGuard guard(b);
    if (auto tasks = loop->getParentOfType<scf::WhileOp>())
      b.setInsertionPoint(tasks);
    PassTurnOp::create(b, /*first=*/true);
  }

  //===--- the parts of a step --------------------------------------------===//
  LogicalResult findParts() {
    SmallVector<linalg::ContractOp> products(loop.getOps<linalg::ContractOp>());
    if (products.size() != 2)
      return loop.emitOpError()
             << "expects two products in a step, got " << products.size();
    score = products[0], output = products[1];
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    auto found = llvm::find(yield.getOperands(), output->getResult(0));
    keys = readOf(score), values = readOf(output);
    auto isOfStep = [&](ReadOp read) {
      return read && read->getBlock() == body();
    };
    if (found == yield.getOperands().end() || !isOfStep(keys) ||
        !isOfStep(values) || keys == values)
      return output.emitOpError()
             << "expects a product of tiles in rings that the loop carries";
    outputIndex = found - yield.getOperands().begin();

    for (Operation &op : body()->without_terminator())
      if (&op == values.getOperation() || isReleaseOf(op, values) ||
          readsLate(op))
        late.push_back(&op);
      else if (&op != keys.getOperation() && &op != score.getOperation() &&
               !isReleaseOf(op, keys))
        middle.push_back(&op);
    for (Operation *op : late)
      collectCarried(op);
    return checkParts();
  }

  /// The output's product comes a step later, when the scores and keys of its
  /// own are gone; and what it is added to is carried until then.
  LogicalResult checkParts() {
    for (Operation *op : late) {
      WalkResult early = op->walk([&](Operation *nested) {
        bool found = llvm::any_of(nested->getOperands(), [&](Value operand) {
          Operation *definition = operand.getDefiningOp();
          return definition && (definition == score || definition == keys);
        });
        return found ? WalkResult::interrupt() : WalkResult::advance();
      });
      if (early.wasInterrupted())
        return op->emitOpError() << "expects scores and keys to be read before "
                                    "the product of the step";
    }
    Operation *start = base().getDefiningOp();
    if (start && start->getBlock() == body() &&
        !llvm::is_contained(middle, start))
      return output.emitOpError()
             << "expects to add to what the step makes before it";
    return success();
  }

  /// Whether `op` uses, itself or in a region, what depends on the values.
  bool readsLate(Operation &op) {
    return op
        .walk([&](Operation *nested) {
          return llvm::any_of(nested->getOperands(),
                              [&](Value operand) {
                                return llvm::is_contained(
                                    late, operand.getDefiningOp());
                              })
                     ? WalkResult::interrupt()
                     : WalkResult::advance();
        })
        .wasInterrupted();
  }

  /// Tiles of the middle of a step that `op`, of its end, reads.
  void collectCarried(Operation *op) {
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (isa<RankedTensorType>(operand.getType()) &&
            operand.getDefiningOp() &&
            llvm::is_contained(middle, operand.getDefiningOp()))
          carried.insert(operand);
    });
  }

  static ReadOp readOf(linalg::ContractOp product) {
    return product.getDpsInputs()[1].getDefiningOp<ReadOp>();
  }

  static bool isReleaseOf(Operation &op, ReadOp read) {
    auto release = dyn_cast<ReleaseOp>(op);
    return release && release.getRing() == read.getRing();
  }

  Block *body() { return loop.getBody(); }

  //===--- the turned loop ------------------------------------------------===//
  SmallVector<Value> buildSteps() {
    Value low = loop.getLowerBound(), step = loop.getStep();
    IRMapping first;
    first.map(loop.getInductionVar(), low);
    first.map(loop.getRegionIterArgs(), loop.getInitArgs());
    clone(keys, first);
    takeTurn();
    await(start(score, first), 0, first, score);
    passTurn();
    release(keys, first);
    for (Operation *op : middle)
      clone(op, first);

    peekNext(first, low);
    SmallVector<Value> init = state(first);
    Value second = arith::AddIOp::create(b, low, step);
    auto turned =
        scf::ForOp::create(b, second, loop.getUpperBound(), step, init);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(turned.getBody());
      scf::YieldOp::create(b, buildStep(turned));
    }

    valuesArrived = turned.getResults().back();
    IRMapping last;
    last.map(loop.getInductionVar(),
             arith::SubIOp::create(b, loop.getUpperBound(), step));
    SmallVector<Value> results = mapState(turned.getResults(), last);
    for (Operation *op : late)
      if (!isReleaseOf(*op, values) && op != output.getOperation())
        clone(op, last);
    takeTurn();
    results[outputIndex] = await(start(output, last), 0);
    passTurn();
    release(values, last);
    return results;
  }

  /// Step j of the loop, with the output product of step j - 1.
  SmallVector<Value> buildStep(scf::ForOp turned) {
    Value j = turned.getInductionVar();
    valuesArrived = turned.getRegionIterArgs().back();
    keysArrived = turned.getRegionIterArgs().drop_back().back();
    IRMapping before, now;
    before.map(loop.getInductionVar(),
               arith::SubIOp::create(b, j, turned.getStep()));
    now.map(loop.getInductionVar(), j);
    SmallVector<Value> results = mapState(turned.getRegionIterArgs(), before);
    for (Operation *op : late)
      if (!isReleaseOf(*op, values) && op != output.getOperation())
        clone(op, before);
    clone(keys, now);
    keysArrived = valuesArrived = Value();
    takeTurn();
    Value started = start(score, now);
    Value product = start(output, before);
    await(started, 1, now, score);
    passTurn();
    release(keys, now);

    for (auto [argument, result] : llvm::zip(loop.getRegionIterArgs(), results))
      now.map(argument, result);
    bool awaited = false;
    for (Operation *op : middle) {
      if (!awaited && (reads(op, outputArgument()) || roundsWeights(op))) {
        now.map(outputArgument(), await(product, 0, lastRowVector(now)));
        release(values, before);
        peekNext(now, j);
        awaited = true;
      }
      clone(op, now);
    }
    return state(now);
  }

  Value outputArgument() { return loop.getRegionIterArgs()[outputIndex]; }

  /// Of what has been cloned and is carried, the row vector that was made last;
  /// null if there is none. It is the sum of the weights, which needs all of
  /// the softmax.
  Value lastRowVector(IRMapping &mapping) {
    Operation *last = nullptr;
    for (Value operand : body()->getTerminator()->getOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand.getType());
      Operation *definition = operand.getDefiningOp();
      if (type && type.getRank() == 1 && mapping.contains(operand) &&
          llvm::is_contained(middle, definition) &&
          (!last || last->isBeforeInBlock(definition)))
        last = definition;
    }
    return last ? mapping.lookup(last->getResult(0)) : Value();
  }

  /// Whether `op` uses `value`, itself or in a region.
  static bool reads(Operation *op, Value value) {
    return llvm::any_of(value.getUsers(),
                        [&](Operation *user) { return op->isAncestor(user); });
  }

  /// The weights of the step before are in use until its product has ended.
  bool roundsWeights(Operation *op) {
    return output.getDpsInputs()[0].getDefiningOp() == op;
  }

  //===--- turns ----------------------------------------------------------===//
  /// A group has its turn until its scores are there, and so starts its softmax
  /// a score product ahead of the other one: were the turn passed when products
  /// are only started, the exponentials of both groups would meet. The products
  /// before and after the loop take turns too, or a task would end with the
  /// groups in step.
  void takeTurn() {
    if (pingpong)
      TakeTurnOp::create(b);
  }

  void passTurn() {
    if (pingpong)
      PassTurnOp::create(b, /*first=*/false);
  }

  //===--- cloning --------------------------------------------------------===//
  Value clone(Operation *op, IRMapping &mapping) {
    if (op->getNumResults() == 1 && mapping.contains(op->getResult(0)))
      return mapping.lookup(op->getResult(0));
    materializeOperands(op, mapping);
    Operation *copy = b.clone(*op, mapping);
    if (auto read = dyn_cast<ReadOp>(copy))
      if (Value arrived = op == keys ? keysArrived : valuesArrived)
        read.getArrivedMutable().assign(arrived);
    return copy->getNumResults() ? Value(copy->getResult(0)) : Value();
  }

  /// What takes the place of `product` where `mapping` is.
  Value start(linalg::ContractOp product, IRMapping &mapping) {
    materializeOperands(product, mapping);
    auto started = StartOp::create(b, product);
    for (OpOperand &operand : started->getOpOperands())
      operand.set(mapping.lookupOrDefault(operand.get()));
    return started;
  }

  void materializeOperands(Operation *op, IRMapping &mapping) {
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        materialize(operand, mapping);
    });
  }

  /// Numbers that the step computes (positions, conditions) are computed again
  /// wherever a part of it needs them.
  void materialize(Value value, IRMapping &mapping) {
    Operation *definition = value.getDefiningOp();
    if (!definition || definition->getBlock() != body() ||
        mapping.contains(value))
      return;
    clone(definition, mapping);
  }

  Value await(Value product, int64_t pending, Value after = Value()) {
    auto started = cast<StartedType>(product.getType());
    return AwaitOp::create(b, started.getTile(), product, pending, after);
  }

  void await(Value product, int64_t pending, IRMapping &mapping,
             linalg::ContractOp original) {
    mapping.map(original->getResult(0), await(product, pending));
  }

  /// Asks whether the keys of the step after `j`, which `mapping` is of, and
  /// the values of `j` are there. Behind the last step nobody uses the first
  /// answer.
  void peekNext(IRMapping &mapping, Value j) {
    IRMapping next;
    next.map(loop.getInductionVar(),
             arith::AddIOp::create(b, j, loop.getStep()));
    keysArrived = peek(keys, next);
    valuesArrived = peek(values, mapping);
  }

  Value peek(ReadOp read, IRMapping &mapping) {
    materialize(read.getPosition(), mapping);
    return PeekOp::create(b, b.getI1Type(), read.getRing(),
                          mapping.lookupOrDefault(read.getPosition()));
  }

  void release(ReadOp read, IRMapping &mapping) {
    materialize(read.getPosition(), mapping);
    ReleaseOp::create(b, read.getRing(),
                      mapping.lookupOrDefault(read.getPosition()));
  }

  //===--- what the loop carries ------------------------------------------===//
  // The old results in their order, though the output is carried as what its
  // product is added to; then the other tiles that the product reads; then
  // whether the next keys and values have arrived.
  SmallVector<Value> state(IRMapping &mapping) {
    auto yield = cast<scf::YieldOp>(body()->getTerminator());
    SmallVector<Value> values;
    for (auto [i, operand] : llvm::enumerate(yield.getOperands()))
      values.push_back(
          mapping.lookupOrDefault(i == outputIndex ? base() : operand));
    for (Value tile : carried)
      if (tile != base())
        values.push_back(mapping.lookup(tile));
    values.append({keysArrived, valuesArrived});
    return values;
  }

  /// Maps what `values`, as state() gave them, stand for. Returns the old
  /// results; that of the output product is null.
  SmallVector<Value> mapState(ValueRange values, IRMapping &mapping) {
    size_t results = loop.getNumResults();
    SmallVector<Value> old(values.take_front(results));
    mapping.map(base(), old[outputIndex]);
    values = values.drop_front(results);
    for (Value tile : carried)
      if (tile != base()) {
        mapping.map(tile, values.front());
        values = values.drop_front();
      }
    old[outputIndex] = Value();
    return old;
  }

  /// The tile of the middle of a step that the output product is added to,
  /// maybe after a branch.
  Value base() {
    Value init = output.getDpsInits()[0];
    for (auto branch = init.getDefiningOp<scf::IfOp>();
         branch && llvm::is_contained(late, branch.getOperation());
         branch = init.getDefiningOp<scf::IfOp>())
      init =
          branch.elseYield().getOperand(cast<OpResult>(init).getResultNumber());
    return init;
  }

  scf::ForOp loop;
  bool pingpong;
  ImplicitLocOpBuilder b;
  linalg::ContractOp score, output;
  ReadOp keys, values;
  unsigned outputIndex = 0;
  SmallVector<Operation *> middle, late;
  llvm::SetVector<Value> carried;
  /// What the last peek said; null where a read has to wait in any case.
  Value keysArrived, valuesArrived;
};

struct TileOverlapProducts
    : tile::impl::TileOverlapProductsPassBase<TileOverlapProducts> {
  using TileOverlapProductsPassBase::TileOverlapProductsPassBase;

  void runOnOperation() override {
    auto schedule = getOperation()->getAttrOfType<mlir::attn::ScheduleAttr>(
        "attn.schedule");
    if (!schedule)
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      // Steps of more products are tile-start-products's.
      auto products = loop.getOps<linalg::ContractOp>();
      if (!products.empty() && llvm::range_size(products) <= 2)
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      if (failed(ProductOverlap(loop, schedule.getRoles().pingpong).run()))
        return signalPassFailure();
  }
};

} // namespace
