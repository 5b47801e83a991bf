// flash-to-gpu: a thread block for each task, or blocks that do many. The grid
// has one dimension, since y and z end at 65535.
#include "Teams.h"

#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {
#define GEN_PASS_DEF_FLASHTOGPUPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

/// The two tensors whose tiles a task visits.
static std::pair<Role, Role> visitedRoles(ScheduleAttr schedule) {
  return schedule.getTiling().ownsKeys ? std::pair(Role::Query, Role::GradOut)
                                       : std::pair(Role::Key, Role::Value);
}

/// Puts the body of `loop` where the loop is, for the iteration `ids`.
static void inlineBody(scf::ForallOp loop, ArrayRef<Value> ids) {
  for (auto [variable, id] : llvm::zip_equal(loop.getInductionVars(), ids))
    variable.replaceAllUsesWith(id);
  Block *body = loop.getBody();
  body->getTerminator()->erase();
  loop->getBlock()->getOperations().splice(loop->getIterator(),
                                           body->getOperations());
  loop.erase();
}

namespace {

/// Which task a block does, or does next: both are in the order of numbers.
///
/// Tasks are ordered by groups of heads whose keys and values fit a part of the
/// L2 cache together, and in a group by their place in the last dimension,
/// which puts the longest first: the blocks that start last are short ones, and
/// multiprocessors finish together. Where tasks are drawn and all are as long,
/// groups are as small as can be: the heads that read the same keys. Numbers
/// are i32: the launch has at most 2^31 tasks.
class TaskOrder {
public:
  TaskOrder(scf::ForallOp forall, gpu::GPUFuncOp kernel, ScheduleAttr schedule)
      : forall(forall), kernel(kernel), b(forall.getLoc(), forall),
        schedule(schedule) {
    for (Value size : forall.getUpperBound(b))
      sizes.push_back(i32(size));
  }

  /// Replaces the loop by its body for the block's task.
  void mapToBlocks() {
    moveBody(i32(gpu::BlockIdOp::create(b, gpu::Dimension::x)));
  }

  /// Replaces the loop by one over the tasks that the block draws from a
  /// counter, a new parameter.
  void drawTasks() {
    Value counter =
        addParameter(kernel, RoleAttr::get(b.getContext(), Role::Counter),
                     LLVM::LLVMPointerType::get(b.getContext(), 1));
    equalLengths = haveEqualLengths();
    Value count = mul(mul(sizes[0], sizes[1]), sizes[2]);
    auto tasks = tile::TasksOp::create(b, count, counter);
    Block *body = b.createBlock(&tasks.getBody(), {}, {b.getI32Type()},
                                {kernel.getLoc()});
    auto end = tile::YieldOp::create(b, ValueRange());
    forall->moveBefore(end);
    b.setInsertionPoint(forall);
    moveBody(body->getArgument(0));
  }

private:
  /// Puts the loop's body where the loop was, for `task`.
  void moveBody(Value task) { inlineBody(forall, idsOf(task)); }

  /// Whether all tasks of a head visit as many tiles.
  bool haveEqualLengths() {
    SetVector<Operation *> dependent;
    getForwardSlice(forall.getInductionVars()[2], &dependent);
    auto isDependent = [&](Value bound) {
      return bound.getDefiningOp() && dependent.contains(bound.getDefiningOp());
    };
    return !forall
                .walk([&](scf::ForOp loop) {
                  return llvm::any_of(loop->getOperands().take_front(
                                          loop.getNumControlOperands()),
                                      isDependent)
                             ? WalkResult::interrupt()
                             : WalkResult::advance();
                })
                .wasInterrupted();
  }

  /// Batch, head and tile of a task.
  SmallVector<Value> idsOf(Value task) {
    Value heads = mul(sizes[0], sizes[1]);
    Value group = headsTogether(heads);
    Value perGroup = mul(group, sizes[2]);
    Value first = mul(div(task, perGroup), group);
    Value size = arith::MinUIOp::create(b, group, sub(heads, first));
    Value inGroup = rem(task, perGroup);
    Value head = arith::AddIOp::create(b, first, rem(inGroup, size));
    return {index(div(head, sizes[1])), index(rem(head, sizes[1])),
            index(div(inGroup, size))};
  }

  /// How many heads' tasks visit so many rows that they fit the cache together;
  /// at least one, at most all `heads`.
  Value headsTogether(Value heads) {
    auto [first, second] = visitedRoles(schedule);
    bool ownsKeys = schedule.getTiling().ownsKeys;
    Value visited = parameterOf(kernel, first);
    if (!visited) // of rows alone
      return constant(1);
    auto type = cast<MemRefType>(visited.getType());
    auto other = cast<MemRefType>(parameterOf(kernel, second).getType());
    int64_t rowBytes = (type.getShape().back() + other.getShape().back()) *
                       type.getElementTypeBitWidth() / 8;
    Value rows = i32(memref::DimOp::create(b, visited, 2));
    Value visitedHeads = i32(memref::DimOp::create(b, visited, 1));
    if (ownsKeys)
      rows = mul(rows, div(visitedHeads, atLeastOne(sizes[1])));
    Value fit = equalLengths
                    ? constant(1)
                    : div(constant(schedule.getTiling().cache / rowBytes),
                          atLeastOne(rows));
    // Heads of tasks that visit the same rows.
    Value sharing =
        ownsKeys ? constant(1) : div(sizes[1], atLeastOne(visitedHeads));
    Value together = mul(atLeastOne(fit), atLeastOne(sharing));
    return atLeastOne(arith::MinUIOp::create(b, together, heads));
  }

  Value i32(Value x) {
    return arith::IndexCastOp::create(b, b.getI32Type(), x);
  }
  Value index(Value x) {
    return arith::IndexCastOp::create(b, b.getIndexType(), x);
  }
  Value constant(int64_t x) { return arith::ConstantIntOp::create(b, x, 32); }
  Value atLeastOne(Value x) {
    return arith::MaxUIOp::create(b, x, constant(1));
  }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivUIOp::create(b, x, y); }
  Value rem(Value x, Value y) { return arith::RemUIOp::create(b, x, y); }

  scf::ForallOp forall;
  gpu::GPUFuncOp kernel;
  ImplicitLocOpBuilder b;
  ScheduleAttr schedule;
  SmallVector<Value> sizes; ///< batches, heads, tiles
  bool equalLengths = false;
};

} // namespace

/// Whether the tasks of `loop` say whom they are for.
static bool isMapped(scf::ForallOp loop) {
  std::optional<ArrayAttr> mapping = loop.getMapping();
  return mapping && !mapping->empty();
}

/// Replaces a loop over the warps of a block by its body for the thread's own.
static LogicalResult mapWarps(scf::ForallOp forall, ScheduleAttr schedule) {
  ImplicitLocOpBuilder b(forall.getLoc(), forall);
  std::optional<SmallVector<int64_t>> sizes =
      getConstantIntValues(forall.getMixedUpperBound());
  int64_t warps = schedule.getRoles().keyWarps;
  if (!sizes || *sizes != ArrayRef<int64_t>(warps) || !forall.isNormalized() ||
      !forall.getOutputs().empty())
    return forall.emitOpError() << "expects a loop over the " << warps
                                << " key warps of the schedule";
  Value warp =
      arith::DivUIOp::create(b, gpu::ThreadIdOp::create(b, gpu::Dimension::x),
                             arith::ConstantIndexOp::create(b, 32));
  inlineBody(forall, warp);
  return success();
}

/// Replaces a loop whose tasks have a mapping by its body for those of a block
/// of so many threads: one, or one for each thread or team of threads.
static LogicalResult mapTasks(scf::ForallOp forall, int64_t threads) {
  ImplicitLocOpBuilder b(forall.getLoc(), forall);
  Value task = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  SmallVector<Value> sizes = forall.getUpperBound(b);
  if (isa<gpu::GPUThreadMappingAttr>((*forall.getMapping())[0])) {
    Value first = arith::MulIOp::create(
        b, task, arith::ConstantIndexOp::create(b, threads));
    task = arith::AddIOp::create(b, first,
                                 gpu::ThreadIdOp::create(b, gpu::Dimension::x));
    task = takeTeam(forall, task);
    if (!task)
      return failure();
    auto branch = scf::IfOp::create(
        b, arith::CmpIOp::create(b, arith::CmpIPredicate::ult, task, sizes[0]),
        /*withElseRegion=*/false);
    forall->moveBefore(branch.thenYield());
    b.setInsertionPoint(forall);
  }
  SmallVector<Value> ids(sizes.size());
  for (size_t i = sizes.size(); i-- > 0;) {
    ids[i] = i ? arith::RemUIOp::create(b, task, sizes[i]).getResult() : task;
    if (i)
      task = arith::DivUIOp::create(b, task, sizes[i]);
  }
  inlineBody(forall, ids);
  return success();
}

/// Whether the tasks of `loop`, or else what `func` visits by its roles, say
/// how they are dealt.
static bool canBeDealt(scf::ForallOp loop, func::FuncOp func,
                       ScheduleAttr schedule) {
  if (!loop.isNormalized() || !loop.getOutputs().empty())
    return false;
  if (isMapped(loop)) {
    ArrayAttr mapping = *loop.getMapping();
    return llvm::all_of(mapping, llvm::IsaPred<gpu::GPUBlockMappingAttr>) ||
           (loop.getRank() == 1 && isa<gpu::GPUThreadMappingAttr>(mapping[0]));
  }
  auto isTensor = [&](Role role) {
    Value parameter = parameterOf(func, role);
    auto memory =
        parameter ? dyn_cast<MemRefType>(parameter.getType()) : MemRefType();
    return memory && memory.getRank() == 4 && !memory.isDynamicDim(3) &&
           memory.getDimSize(3) > 0 && isa<FloatType>(memory.getElementType());
  };
  return loop.getRank() == 3 && (!schedule.getPipeline().persistent ||
                                 (isTensor(visitedRoles(schedule).first) &&
                                  isTensor(visitedRoles(schedule).second)));
}

static LogicalResult convertKernel(func::FuncOp func) {
  auto schedule = func->getAttrOfType<ScheduleAttr>("attn.schedule");
  SmallVector<scf::ForallOp> loops(func.getOps<scf::ForallOp>());
  if (!schedule || loops.size() != 1 || !func.getBody().hasOneBlock() ||
      !canBeDealt(loops.front(), func, schedule))
    return func.emitOpError()
           << "expects a kernel in flash form with a schedule, and what "
              "persistent blocks visit by its roles";

  OpBuilder builder(func);
  auto module = gpu::GPUModuleOp::create(builder, func.getLoc(),
                                         (func.getName() + "_module").str());
  builder.setInsertionPointToStart(&module.getBodyRegion().front());
  auto kernel = gpu::GPUFuncOp::create(builder, func.getLoc(), func.getName(),
                                       func.getFunctionType());
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                  builder.getUnitAttr());
  kernel->setAttr("attn.schedule", schedule);
  int64_t threads = schedule.getRoles().getThreads();
  kernel.setKnownBlockSizeAttr(
      builder.getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));

  Block &from = func.getBody().front(), &to = kernel.getBody().front();
  for (auto [a, b] : llvm::zip(from.getArguments(), to.getArguments())) {
    if (RoleAttr role = roleOf(a))
      setRole(kernel, b.getArgNumber(), role);
    a.replaceAllUsesWith(b);
  }
  to.getOperations().splice(to.end(), from.getOperations());
  Operation *terminator = &to.back();
  builder.setInsertionPoint(terminator);
  gpu::ReturnOp::create(builder, func.getLoc());
  terminator->erase();
  func.erase();
  scf::ForallOp forall = *kernel.getOps<scf::ForallOp>().begin();
  SmallVector<scf::ForallOp> ofWarps;
  forall.getBody()->walk([&](scf::ForallOp nested) {
    if (isMapped(nested) &&
        isa<gpu::GPUWarpMappingAttr>((*nested.getMapping())[0]))
      ofWarps.push_back(nested);
  });
  for (scf::ForallOp nested : ofWarps)
    if (failed(mapWarps(nested, schedule)))
      return failure();
  if (isMapped(forall))
    return mapTasks(forall, threads);
  TaskOrder order(forall, kernel, schedule);
  if (schedule.getPipeline().persistent)
    order.drawTasks();
  else
    order.mapToBlocks();
  return success();
}

namespace {
struct FlashToGPU : mlir::attn::impl::FlashToGPUPassBase<FlashToGPU> {
  using FlashToGPUPassBase::FlashToGPUPassBase;

  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func->hasAttr("attn.kernel"))
        kernels.push_back(func);
    for (func::FuncOp kernel : kernels)
      if (failed(convertKernel(kernel)))
        return signalPassFailure();
    if (!kernels.empty())
      getOperation()->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                              UnitAttr::get(&getContext()));
  }
};
} // namespace
