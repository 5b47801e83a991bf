// tile-hand-on-tasks: each role's loop over the tasks of a block.
//
// The producer draws their numbers, finds what follows from them and hands that
// on through a ring, while the others compute the task before; so it is ahead
// of them across the end of a task.
#include "Rings.h"

#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEHANDONTASKSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

using Build = llvm::function_ref<void(ArrayRef<Value>)>;

Value constant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

/// See Distribution on what that is for.
Value sameInAllLanes(ImplicitLocOpBuilder &b, Value value) {
  return NVVM::ReduxOp::create(b, b.getI32Type(), value, NVVM::ReduxKind::OR,
                               constant(b, -1), /*abs=*/false, /*nan=*/false);
}

/// A new block of the region, and in it what `build` makes of its arguments.
void addBlock(ImplicitLocOpBuilder &b, Region &region, TypeRange types,
              Build build) {
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&region, {}, types,
                               SmallVector<Location>(types.size(), b.getLoc()));
  build(SmallVector<Value>(block->getArguments()));
}

/// A loop that does `tile.tasks` in a role. It carries how far the role has
/// come: how many tasks it has done, and what was counted in them.
class TaskLoop {
public:
  TaskLoop(TasksOp tasks, Value ring)
      : tasks(tasks), ring(ring), b(tasks.getLoc(), tasks),
        progress(1 + tasks.getSums().size(), b.getI32Type()) {}

  /// The producer's: it draws, and sends the number behind the last task as
  /// well.
  void draw() {
    Value first = arith::IndexCastOp::create(
        b, b.getI32Type(), gpu::BlockIdOp::create(b, gpu::Dimension::x));
    SmallVector<Value> init{first};
    init.append(progress.size(), constant(b, 0));
    auto all = scf::WhileOp::create(b, ValueRange(init).getTypes(), init);
    addBlock(b, all.getBefore(), all.getResultTypes(),
             [&](ArrayRef<Value> state) {
               scf::ConditionOp::create(b, isTask(state[0]), state);
             });
    addBlock(b, all.getAfter(), all.getResultTypes(),
             [&](ArrayRef<Value> state) { drawOne(state); });
    b.setInsertionPointAfter(all);
    SendOp::create(b, all.getResult(0), /*about=*/Value(), ring,
                   all.getResult(1));
    tasks.erase();
  }

  /// Everybody else's. `computes`: by groups of warps, whose products want to
  /// know that all lanes count alike.
  void receive(bool computes) {
    SmallVector<Type> types{b.getI32Type()};
    llvm::append_range(types, progress);
    SmallVector<Value> init(progress.size(), constant(b, 0));
    auto all = scf::WhileOp::create(b, types, init);
    addBlock(b, all.getBefore(), progress, [&](ArrayRef<Value> before) {
      SmallVector<Value> state{
          receive({0}, b.getI32Type(), before[0], /*again=*/false)[0]};
      llvm::append_range(state, before);
      scf::ConditionOp::create(b, isTask(state[0]), state);
    });
    addBlock(b, all.getAfter(), types,
             [&](ArrayRef<Value> state) { receiveOne(state, computes); });
    tasks.erase();
  }

private:
  Value isTask(Value number) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number,
                                 tasks.getCount());
  }

  /// `state`: the task's number, and how far the role has come.
  void drawOne(ArrayRef<Value> state) {
    SmallVector<Value> sent{state[0]};
    llvm::append_range(sent, computeNumbers(state[0]));
    SendOp::create(b, sent, /*about=*/Value(), ring, state[1]);
    SmallVector<Value> counts =
        moveBody(state, ArrayRef<Value>(sent).drop_front());
    SmallVector<Value> next{DrawTaskOp::create(
        b, b.getI32Type(), tasks.getCount(), tasks.getCounter())};
    yield(next, state.drop_front(), counts);
  }

  void receiveOne(ArrayRef<Value> state, bool computes) {
    SmallVector<Value> known(state), numbers;
    if (computes)
      for (Value &sum : MutableArrayRef<Value>(known).drop_front(2))
        sum = sameInAllLanes(b, sum);
    SmallVector<Type> types(ValueRange(tasks.getNumberArguments()).getTypes());
    if (!types.empty())
      numbers =
          receive(llvm::to_vector(llvm::seq<int64_t>(1, types.size() + 1)),
                  types, state[1], /*again=*/true);
    SmallVector<Value> counts = moveBody(known, numbers);
    ReleaseOp::create(b, ring, state[1]);
    yield({}, state.drop_front(), counts);
  }

  SmallVector<Value> receive(ArrayRef<int64_t> places, TypeRange types,
                             Value position, bool again) {
    return ReceiveOp::create(b, types, places, ring, position, again,
                             /*about=*/Value())
        .getNumbers();
  }

  /// What follows from the task, where it is not yet known.
  SmallVector<Value> computeNumbers(Value task) {
    if (tasks.getNumbers().empty())
      return {};
    Block &from = tasks.getNumbers().front();
    IRMapping mapping;
    mapping.map(from.getArgument(0), task);
    for (Operation &op : from.without_terminator())
      b.clone(op, mapping);
    return llvm::map_to_vector(
        from.getTerminator()->getOperands(),
        [&](Value number) { return mapping.lookupOrDefault(number); });
  }

  /// Moves here what is done for a task. Returns what that counts.
  SmallVector<Value> moveBody(ArrayRef<Value> state, ArrayRef<Value> numbers) {
    Block &body = tasks.getBody().front(), *here = b.getInsertionBlock();
    SmallVector<Value> known{state[0]};
    llvm::append_range(known, numbers);
    llvm::append_range(known, state.drop_front());
    for (auto [argument, value] : llvm::zip_equal(body.getArguments(), known))
      argument.replaceAllUsesWith(value);
    SmallVector<Value> counts(body.getTerminator()->getOperands());
    body.getTerminator()->erase();
    here->getOperations().splice(here->end(), body.getOperations());
    return counts;
  }

  /// The next state: `first`, and `before` with one more task and its counts.
  void yield(SmallVector<Value> first, ArrayRef<Value> before,
             ArrayRef<Value> counts) {
    first.push_back(arith::AddIOp::create(b, before[0], constant(b, 1)));
    for (auto [sum, count] : llvm::zip_equal(before.drop_front(), counts))
      first.push_back(arith::AddIOp::create(b, sum, count));
    scf::YieldOp::create(b, first);
  }

  TasksOp tasks;
  Value ring;
  ImplicitLocOpBuilder b;
  SmallVector<Type> progress; ///< in tasks, and in what each of them counts
};

/// The tasks of a role; null if it has one task.
TasksOp tasksOf(Region &role) {
  if (role.empty())
    return TasksOp();
  auto tasks = role.getOps<TasksOp>();
  return tasks.empty() ? TasksOp() : *tasks.begin();
}

struct TileHandOnTasks : tile::impl::TileHandOnTasksPassBase<TileHandOnTasks> {
  using TileHandOnTasksPassBase::TileHandOnTasksPassBase;

  void runOnOperation() override {
    WalkResult result = getOperation().walk([&](RolesOp roles) {
      TasksOp drawn = tasksOf(roles.getProduce());
      if (!drawn)
        return WalkResult::advance();
      if (!drawn.isCounted()) {
        drawn.emitOpError() << "expects a body that is told how many tasks "
                               "came before: run tile-make-rings first";
        return WalkResult::interrupt();
      }
      Value ring = addRingOfNumbers(getOperation(), shared::taskStages,
                                    1 + drawn.getNumberArguments().size());
      if (TasksOp tasks = tasksOf(roles.getCompute()))
        TaskLoop(tasks, ring).receive(/*computes=*/true);
      for (Region *role : {&roles.getInspect(), &roles.getStore()})
        if (TasksOp tasks = tasksOf(*role))
          TaskLoop(tasks, ring).receive(/*computes=*/false);
      TaskLoop(drawn, ring).draw();
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
