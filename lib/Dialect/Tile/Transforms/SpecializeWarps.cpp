// tile-specialize-warps: which warps copy and which compute, and the rings of
// shared memory between them. The sibling of tile-stage-loads, in which all
// warps do both.
//
// The kernel from its first load on becomes the computing warps' branch. The
// producer's branch holds the same loop over key tiles, but of it only what
// says which tiles are loaded: both count the tiles, and meet at the ring's
// barriers. Where a block does many tasks (tile.tasks) each role has a loop
// over them; the producer draws their numbers, finds what follows from them
// and hands that on through a ring. It is ahead of the others across the end of
// a task.
#include "TaskNumbers.h"

#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::tile {
#define GEN_PASS_DEF_TILESPECIALIZEWARPSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::tile

using namespace mlir;
using namespace mlir::tile;

namespace {

/// Tasks on their way to those who compute, and how many numbers each may have.
constexpr int64_t taskStages = 2,
                  taskNumbers = shared::mostNumbers(shared::numbers, taskStages);
/// Rows that a warp stores at once.
constexpr int64_t drainRows = 16;

/// Registers of one thread that copies or inspects, and of one that computes.
struct RegisterShares {
  int32_t producer, consumer;
};

/// All threads of a multiprocessor start with equal shares of its registers;
/// what some give up, the others may take, and no more: they would wait for it
/// forever. With one group everybody has enough from the start.
std::optional<RegisterShares>
registerShares(mlir::attn::ScheduleAttr schedule) {
  constexpr int64_t all = 65536, granularity = 8, producers = 128;
  const int64_t computing = 32 * schedule.getWarps();
  if (schedule.getWarps() == 4 && schedule.getBlocks() == 1)
    return std::nullopt;
  int64_t threads = computing + producers;
  int64_t share =
      llvm::alignDown(all / (schedule.getBlocks() * threads), granularity);
  int64_t producer = schedule.getWarps() == 12 ? 32 : 40;
  int64_t left = share * threads - producer * producers;
  return RegisterShares{
      static_cast<int32_t>(producer),
      static_cast<int32_t>(llvm::alignDown(left / computing, granularity))};
}

class WarpSpecializer {
public:
  WarpSpecializer(gpu::GPUFuncOp func, mlir::attn::ScheduleAttr schedule)
      : func(func), schedule(schedule), b(func.getLoc(), func.getContext()) {}

  LogicalResult run() {
    if (failed(findLoads()))
      return failure();
    b.setInsertionPointToStart(&func.getBody().front());
    Value thread = arith::IndexCastOp::create(
        b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
    createRings(before, schedule.getQueries());
    findQuestion();
    ArrayRef<LoadOp> keys = ArrayRef<LoadOp>(inLoop).take_front(),
                     values = ArrayRef<LoadOp>(inLoop).drop_front();
    createRings(keys, schedule.getStages());
    createRings(values, schedule.getStages() + (schedule.getEager() ? 1 : 0));
    auto ringOfNumbers = [&](int64_t stages, int64_t numbers) {
      return RingType::get(b.getContext(), stages,
                           RankedTensorType::get({numbers}, b.getI64Type()));
    };
    if (tasks) {
      // Beside three groups the producer has too few registers to compute for
      // others.
      numbers =
          numbersOfTask(*body, schedule.getWarps() == 12 ? 0 : taskNumbers - 1);
      taskRing =
          createRing(ringOfNumbers(taskStages, numbers.size() + 1),
                     schedule.getWarps() + (question ? 1 : 0));
    }
    if (question) {
      auto inspected = cast<RingType>(rings[inspectedLoad()].getType());
      answers = createRing(ringOfNumbers(inspected.getStages(), 1),
                           schedule.getWarps());
    }
    if (schedule.getDrain() && failed(drainOutput()))
      return failure();
    NVVM::FenceMbarrierInitOp::create(b);
    gpu::BarrierOp::create(b);
    func->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                  b.getI32IntegerAttr(schedule.getBlocks()));
    splitRoles(thread);
    return success();
  }

private:
  LogicalResult findLoads() {
    if (!func.getBody().hasOneBlock())
      return func.emitOpError() << "expects one block";
    body = &func.getBody().front();
    for (auto op : func.getOps<TasksOp>()) {
      if (tasks)
        return op.emitOpError() << "expects one loop over tasks";
      tasks = op, body = &op.getBody().front();
    }
    for (Operation &op : *body) {
      if (auto load = dyn_cast<LoadOp>(op)) {
        if (loop)
          return load.emitOpError() << "expects tile loads before the loop";
        before.push_back(load);
      }
      if (auto candidate = dyn_cast<scf::ForOp>(op);
          candidate && !candidate.getOps<LoadOp>().empty()) {
        if (loop)
          return candidate.emitOpError() << "expects one loop with tile loads";
        loop = candidate;
      }
    }
    if (!loop)
      return func.emitOpError() << "expects a loop with tile loads";
    if (!matchPattern(loop.getStep(), m_One()))
      return loop.emitOpError() << "expects a step of 1";
    llvm::append_range(inLoop, loop.getOps<LoadOp>());
    for (LoadOp load : llvm::concat<LoadOp>(before, inLoop))
      if (failed(checkLoad(load)))
        return failure();
    return success();
  }

  /// What the copy engine brings, and a ring holds.
  LogicalResult checkLoad(LoadOp load) {
    if (!isArgument(load.getSource()))
      return load.emitOpError() << "expects memory that is an argument "
                                   "with a role";
    if (load.getOffsets().size() > 4)
      return load.emitOpError()
             << "expects memory of at most 5 dimensions, got "
             << load.getSource().getType();
    return RingType::verify([&] { return load.emitOpError(); }, /*stages=*/1,
                            cast<RankedTensorType>(load.getType()));
  }

  /// Whether values are finite is a question that a warp without other work can
  /// answer, for all who compute.
  void findQuestion() {
    loop.walk([&](HasNonfiniteOp op) {
      auto load = op.getTile().getDefiningOp<LoadOp>();
      if (load &&
          llvm::is_contained(ArrayRef<LoadOp>(inLoop).drop_front(), load))
        question = op;
    });
  }

  LoadOp inspectedLoad() { return question.getTile().getDefiningOp<LoadOp>(); }

  bool isArgument(Value memory) {
    auto argument = dyn_cast<BlockArgument>(memory);
    return argument && argument.getOwner() == &func.getBody().front() &&
           mlir::attn::roleOf(argument);
  }

  //===--- rings and tensor maps ------------------------------------------===//
  void createRings(ArrayRef<LoadOp> loads, int64_t stages) {
    for (LoadOp load : loads) {
      auto tile = cast<RankedTensorType>(load.getType());
      bool inspects = question && load == inspectedLoad();
      rings[load] = createRing(RingType::get(b.getContext(), stages, tile),
                               schedule.getWarps() + (inspects ? 1 : 0));
      maps[load] = mapOf(load.getSource(), tile.getDimSize(0));
    }
  }

  Value createRing(RingType type, int64_t readers) {
    return RingOp::create(b, type, IntegerAttr(), IntegerAttr(),
                          b.getI64IntegerAttr(readers));
  }

  /// A tensor map of `memory` with boxes of `rows`: a parameter that the launch
  /// fills.
  Value mapOf(Value memory, int64_t rows) {
    auto of = mlir::attn::roleOf(cast<BlockArgument>(memory));
    Value &map = mapOfBox[{of, rows}];
    if (!map)
      map = mlir::attn::addParameter(
          func,
          mlir::attn::RoleAttr::get(b.getContext(), ::attn::Role::TensorMap,
                                    /*number=*/int64_t(0), of, rows),
          LLVM::LLVMPointerType::get(b.getContext()));
    return map;
  }

  /// The output goes where the first of the tiles before the loop was.
  LogicalResult drainOutput() {
    for (auto store : body->getOps<StoreOp>())
      if (cast<RankedTensorType>(store.getTile().getType()).getRank() == 2)
        output = store;
    if (!output || before.empty() || !isArgument(output.getDest()))
      return func.emitOpError()
             << "expects a query tile and an output that is an argument with "
                "a role, to 'drain' the one through the other";
    auto width = [](Value tile) {
      return llvm::alignTo(cast<RankedTensorType>(tile.getType()).getDimSize(1),
                           64);
    };
    if (width(output.getTile()) > width(before.front()))
      return output.emitOpError() << "expects a query tile at least as wide as "
                                     "the output to 'drain' "
                                     "it, got "
                                  << before.front().getType();
    outputMap = mapOf(output.getDest(), drainRows);
    return success();
  }

  //===--- roles ----------------------------------------------------------===//
  void splitRoles(Value thread) {
    Operation *first = tasks            ? tasks.getOperation()
                       : before.empty() ? loop.getOperation()
                                        : before.front();
    Block *entry = first->getBlock();
    b.setInsertionPoint(first);
    Value computing =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, thread,
                              constant(32 * schedule.getWarps()));
    auto roles = scf::IfOp::create(b, computing, /*withElseRegion=*/true);
    auto terminator = entry->getTerminator()->getIterator();
    Block *consumer = roles.thenBlock();
    consumer->getOperations().splice(consumer->begin(), entry->getOperations(),
                                     first->getIterator(), terminator);
    moved = &roles.getThenRegion();
    std::optional<RegisterShares> shares = registerShares(schedule);

    b.setInsertionPointToStart(roles.elseBlock());
    if (shares)
      setRegisters(shares->producer, NVVM::SetMaxRegisterAction::decrease);
    Value elected = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, thread,
                                          constant(32 * schedule.getWarps()));
    auto one = scf::IfOp::create(b, elected, /*withElseRegion=*/!!question);
    b.setInsertionPointToStart(one.thenBlock());
    produce();
    if (question) {
      b.setInsertionPointToStart(one.elseBlock());
      inspect(thread);
    }

    b.setInsertionPointToStart(consumer);
    if (shares)
      setRegisters(shares->consumer, NVVM::SetMaxRegisterAction::increase);
    consume();
  }

  void setRegisters(int32_t count, NVVM::SetMaxRegisterAction action) {
    NVVM::SetMaxRegisterOp::create(b, count, action);
  }

  /// How far a role has come when a task starts: i32 numbers.
  struct Progress {
    Value task;  ///< its number
    Value tasks; ///< done before it: the position of its tile of queries
    Value steps; ///< key tiles before it
  };

  Value isTask(Value number) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number,
                                 tasks.getCount());
  }

  /// Draws the block's tasks and hands them on, the number behind the last one
  /// as well.
  void produce() {
    if (!tasks)
      return (void)produceTask({Value(), constant(0), Value()});
    Type i32 = b.getI32Type();
    Value first = arith::IndexCastOp::create(
        b, i32, gpu::BlockIdOp::create(b, gpu::Dimension::x));
    auto all =
        scf::WhileOp::create(b, TypeRange{i32, i32, i32},
                             ValueRange{first, constant(0), constant(0)});
    inBlock(b.createBlock(&all.getBefore(), {}, {i32, i32, i32}, locations(3)),
            [&](ValueRange state) {
              scf::ConditionOp::create(b, isTask(state[0]), state);
            });
    inBlock(
        b.createBlock(&all.getAfter(), {}, {i32, i32, i32}, locations(3)),
        [&](ValueRange state) {
          Value steps = produceTask({state[0], state[1], state[2]});
          Value next =
              DrawTaskOp::create(b, i32, tasks.getCount(), tasks.getCounter());
          scf::YieldOp::create(b, ValueRange{next, add(state[1], constant(1)),
                                             add(state[2], steps)});
        });
    b.setInsertionPointAfter(all);
    SendOp::create(b, all.getResult(0), Value(), taskRing, all.getResult(1));
  }

  /// A loop over the block's tasks as the producer hands them on; `doTask` does
  /// one, and returns how many key tiles it has.
  void forEachTask(llvm::function_ref<Value(Progress)> doTask) {
    Type i32 = b.getI32Type();
    auto all = scf::WhileOp::create(b, TypeRange{i32, i32, i32},
                                    ValueRange{constant(0), constant(0)});
    inBlock(b.createBlock(&all.getBefore(), {}, {i32, i32}, locations(2)),
            [&](ValueRange state) {
              Value task = ReceiveOp::create(b, i32, ArrayRef<int64_t>{0},
                                             taskRing, state[0],
                                             /*again=*/false, /*about=*/Value())
                               .getResult(0);
              scf::ConditionOp::create(b, isTask(task),
                                       ValueRange{task, state[0], state[1]});
            });
    Block *one =
        b.createBlock(&all.getAfter(), {}, {i32, i32, i32}, locations(3));
    inBlock(one, [&](ValueRange state) {
      Value steps = doTask({state[0], state[1], state[2]});
      b.setInsertionPointToEnd(one);
      ReleaseOp::create(b, taskRing, state[1]);
      scf::YieldOp::create(
          b, ValueRange{add(state[1], constant(1)), add(state[2], steps)});
    });
    b.setInsertionPointAfter(all);
  }

  /// Reads what follows from the task that was received as the position'th.
  void readNumbers(Value position, IRMapping &mapping) {
    for (auto [i, number] : llvm::enumerate(numbers))
      mapping.map(number, ReceiveOp::create(b, number.getType(),
                                            ArrayRef<int64_t>(i + 1), taskRing,
                                            position, /*again=*/true, /*about=*/Value())
                              .getResult(0));
  }

  SmallVector<Location> locations(size_t count) {
    return SmallVector<Location>(count, b.getLoc());
  }

  void inBlock(Block *block, llvm::function_ref<void(ValueRange)> build) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(block);
    SmallVector<Value> arguments(block->getArguments());
    build(arguments);
  }

  /// Starts the copies of one task; returns how many key tiles it has.
  Value produceTask(Progress progress) {
    IRMapping mapping;
    if (tasks) {
      mapping.map(body->getArgument(0), progress.task);
      SmallVector<Value> found{progress.task};
      for (Value number : numbers)
        found.push_back(materialize(number, mapping));
      SendOp::create(b, found, Value(), taskRing, progress.tasks);
    }
    for (LoadOp load : before)
      fill(load, progress.tasks, mapping);
    Value low = materialize(loop.getLowerBound(), mapping);
    Value high = materialize(loop.getUpperBound(), mapping);
    Value step = materialize(loop.getStep(), mapping);
    auto fillAt = [&](ArrayRef<LoadOp> loads, Value j, IRMapping mapping) {
      mapping.map(loop.getInductionVar(), j);
      for (LoadOp load : loads)
        fill(load, positionOf(j, low, progress.steps), mapping);
    };
    // The keys of a step are needed before the values of the step before.
    auto fillIfAny = [&](ArrayRef<LoadOp> loads, Value j) {
      if (loads.empty())
        return;
      Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, j, high);
      auto branch = scf::IfOp::create(b, any, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(branch.thenYield());
      fillAt(loads, j, mapping);
    };
    ArrayRef<LoadOp> all(inLoop);
    ArrayRef<LoadOp> early = all.take_front(schedule.getEager() ? 1 : 0);
    fillIfAny(early, low);
    auto copies = scf::ForOp::create(b, low, high, step);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(copies.getBody());
      Value j = copies.getInductionVar();
      fillIfAny(early, arith::AddIOp::create(b, j, step));
      fillAt(all.drop_front(early.size()), j, mapping);
    }
    return positionOf(high, low, Value());
  }

  /// In the warp behind the producer's: answers the question for each tile, and
  /// reads it so like those who compute.
  void inspect(Value thread) {
    Value warp = arith::ShRUIOp::create(b, thread, constant(5));
    Value inspects = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, warp,
                                           constant(schedule.getWarps() + 1));
    auto branch = scf::IfOp::create(b, inspects, /*withElseRegion=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
    if (!tasks)
      return (void)inspectTask({Value(), constant(0), Value()});
    forEachTask([&](Progress progress) { return inspectTask(progress); });
  }

  /// Returns how many key tiles the task has.
  Value inspectTask(Progress progress) {
    IRMapping mapping;
    if (tasks) {
      mapping.map(body->getArgument(0), progress.task);
      readNumbers(progress.tasks, mapping);
    }
    Value low = materialize(loop.getLowerBound(), mapping);
    Value high = materialize(loop.getUpperBound(), mapping);
    auto visits =
        scf::ForOp::create(b, low, high, materialize(loop.getStep(), mapping));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(visits.getBody());
      Value j = visits.getInductionVar();
      mapping.map(loop.getInductionVar(), j);
      Value position = positionOf(j, low, progress.steps);
      Value ring = rings[inspectedLoad()];
      auto tile =
          ReadOp::create(b, question.getTile().getType(), ring, position,
                         /*arrived=*/Value());
      auto branch = dyn_cast<scf::IfOp>(question->getParentOp());
      Value asked = branch ? materialize(branch.getCondition(), mapping)
                           : Value(arith::ConstantIntOp::create(b, 1, 1));
      auto look = scf::IfOp::create(
          b, asked,
          [&](OpBuilder &nested, Location loc) {
            Value found = HasNonfiniteOp::create(nested, loc, b.getI1Type(), tile);
            scf::YieldOp::create(nested, loc, found);
          },
          [&](OpBuilder &nested, Location loc) {
            Value no = arith::ConstantIntOp::create(nested, loc, 0, 1);
            scf::YieldOp::create(nested, loc, no);
          });
      SendOp::create(b, look.getResult(0), tile, answers, position);
      ReleaseOp::create(b, ring, position);
    }
    return positionOf(high, low, Value());
  }

  void fill(LoadOp load, Value position, IRMapping &mapping) {
    SmallVector<Value> offsets;
    for (Value offset : load.getOffsets())
      offsets.push_back(materialize(offset, mapping));
    FillOp::create(b, rings[load], position, maps[load], offsets);
  }

  /// `value` in the producer's branch: what the computing branch makes for
  /// itself is made again.
  Value materialize(Value value, IRMapping &mapping) {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    Operation *definition = value.getDefiningOp();
    if (!definition || !moved->isAncestor(definition->getParentRegion()))
      return value;
    definition->walk([&](Operation *op) {
      for (Value operand : op->getOperands())
        if (!definition->isAncestor(operand.getParentBlock()->getParentOp()))
          (void)mapping.map(operand, materialize(operand, mapping));
    });
    b.clone(*definition, mapping);
    return mapping.lookup(value);
  }

  void consume() {
    if (!tasks)
      return (void)consumeTask({Value(), constant(0), Value()});
    forEachTask([&](Progress progress) {
      Block *one = b.getInsertionBlock();
      body->getArgument(0).replaceAllUsesWith(progress.task);
      useReceivedNumbers(progress.tasks);
      // All lanes agree; see Distribution on what that is for.
      progress.steps = NVVM::ReduxOp::create(b, b.getI32Type(), progress.steps,
                                             NVVM::ReduxKind::OR, constant(-1),
                                             /*abs=*/false, /*nan=*/false);
      one->getOperations().splice(one->end(), body->getOperations());
      Value steps = consumeTask(progress);
      tasks.erase();
      return steps;
    });
    if (drainsLate())
      AwaitDrainOp::create(b);
  }

  /// What follows from the task is read where it begins and, so as not to
  /// occupy registers meanwhile, again behind its loop.
  void useReceivedNumbers(Value position) {
    OpBuilder::InsertionGuard guard(b);
    IRMapping first, again;
    b.setInsertionPointAfter(loop);
    Operation *behind = loop->getNextNode();
    readNumbers(position, again);
    for (Operation *op = behind; op; op = op->getNextNode())
      op->walk([&](Operation *nested) {
        for (OpOperand &operand : nested->getOpOperands())
          operand.set(readAgain(operand.get(), again));
      });
    b.setInsertionPointToStart(body);
    readNumbers(position, first);
    for (Value number : numbers)
      number.replaceAllUsesWith(first.lookup(number));
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*body)))
      // What is loaded arrives, whether somebody reads it or not.
      if (&op != loop && !isa<LoadOp>(op) && isOpTriviallyDead(&op))
        op.erase();
  }

  /// `value`, if it is one of the numbers but for casts, from what was read.
  Value readAgain(Value value, IRMapping &read) {
    if (Value known = read.lookupOrNull(value))
      return known;
    auto cast = value.getDefiningOp<arith::IndexCastOp>();
    if (!cast || cast->getBlock() != body || !cast->isBeforeInBlock(loop))
      return value;
    Value from = readAgain(cast.getIn(), read);
    if (from == cast.getIn())
      return value;
    Value again = arith::IndexCastOp::create(b, cast.getType(), from);
    read.map(value, again);
    return again;
  }

  /// Whether a tile's output leaves while the next tile is begun, which has
  /// another place.
  bool drainsLate() { return output && schedule.getEager(); }

  /// Makes the body of a task, which lies in its place, the computing warps'.
  Value consumeTask(Progress progress) {
    for (LoadOp load : before) {
      Operation *last = lastReader(load);
      Value ring = rings[load];
      bool isFirst = load == before.front(), unread = last == load;
      b.setInsertionPoint(load);
      Operation *read = replaceByRead(load, progress.tasks);
      if (unread)
        last = read;
      if (output && isFirst) {
        b.setInsertionPoint(output);
        DrainOp::create(b, output.getTile(), ring, progress.tasks, outputMap,
                        output.getOffsets());
        if (!drainsLate())
          last = AwaitDrainOp::create(b);
        output.erase();
        if (drainsLate()) {
          releaseDrained(ring, progress.tasks);
          continue;
        }
      }
      b.setInsertionPointAfter(last);
      if (tasks)
        ReleaseOp::create(b, ring, progress.tasks);
    }
    b.setInsertionPointToStart(loop.getBody());
    Value position = positionOf(loop.getInductionVar(), loop.getLowerBound(),
                                progress.steps);
    for (LoadOp load : inLoop) {
      Operation *last = lastReader(load);
      bool inspected = question && load == inspectedLoad();
      bool unread = last == load;
      b.setInsertionPoint(load);
      Value ring = rings[load];
      Operation *read = replaceByRead(load, position);
      if (unread)
        last = read;
      if (inspected) {
        b.setInsertionPoint(question);
        auto answer =
            ReceiveOp::create(b, b.getI1Type(), ArrayRef<int64_t>{0}, answers,
                              position, /*again=*/false, question.getTile());
        question.replaceAllUsesWith(answer.getResult(0));
        if (last == question)
          last = answer;
        question.erase();
      }
      b.setInsertionPointAfter(last);
      ReleaseOp::create(b, ring, position);
    }
    b.setInsertionPointAfter(loop);
    return positionOf(loop.getUpperBound(), loop.getLowerBound(), Value());
  }

  /// Before the loop of a task: the place of the tile before.
  void releaseDrained(Value ring, Value position) {
    b.setInsertionPoint(loop);
    Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, position,
                                      constant(0));
    auto branch = scf::IfOp::create(b, any, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenYield());
    AwaitDrainOp::create(b);
    ReleaseOp::create(b, ring, arith::SubIOp::create(b, position, constant(1)));
  }

  Operation *replaceByRead(LoadOp load, Value position) {
    auto read = ReadOp::create(b, load.getType(), rings[load], position,
                               /*arrived=*/Value());
    load.replaceAllUsesWith(read.getResult());
    load.erase();
    return read;
  }

  /// The last operation of the load's block that reads the tile, itself or in a
  /// region.
  Operation *lastReader(LoadOp load) {
    Operation *last = load;
    for (Operation *user : load->getUsers()) {
      Operation *ancestor = load->getBlock()->findAncestorOpInBlock(*user);
      if (last->isBeforeInBlock(ancestor))
        last = ancestor;
    }
    return last;
  }

  /// How many tiles were visited before iteration `j` of the loop from `low`,
  /// i32, `earlier` (or none) of them by earlier tasks.
  Value positionOf(Value j, Value low, Value earlier) {
    Value position = arith::IndexCastOp::create(
        b, b.getI32Type(), arith::SubIOp::create(b, j, low));
    return earlier ? add(position, earlier) : position;
  }

  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value constant(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 32);
  }

  gpu::GPUFuncOp func;
  mlir::attn::ScheduleAttr schedule;
  ImplicitLocOpBuilder b;
  TasksOp tasks;         ///< null: one task for each block
  Block *body = nullptr; ///< of a task
  scf::ForOp loop;
  StoreOp output;          ///< null unless it is drained
  HasNonfiniteOp question; ///< about values; null: nobody asks
  Value outputMap, taskRing, answers;
  SmallVector<Value> numbers; ///< that follow from a task's
  SmallVector<LoadOp> before, inLoop;
  llvm::DenseMap<Operation *, Value> rings, maps;
  llvm::DenseMap<std::pair<Attribute, int64_t>, Value> mapOfBox;
  Region *moved = nullptr;
};

struct TileSpecializeWarps
    : tile::impl::TileSpecializeWarpsPassBase<TileSpecializeWarps> {
  using TileSpecializeWarpsPassBase::TileSpecializeWarpsPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    auto schedule =
        func->getAttrOfType<mlir::attn::ScheduleAttr>("attn.schedule");
    if (!schedule || schedule.getProducers() == 0) {
      func.emitOpError() << "expects a schedule with producers";
      return signalPassFailure();
    }
    if (failed(WarpSpecializer(func, schedule).run()))
      signalPassFailure();
  }
};

} // namespace
