// Splits a kernel in flash form into tasks: the CPU's thread pool deals them
// out by number. See FlashToTasksPass in Passes.td.
#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::attn {
#define GEN_PASS_DEF_FLASHTOTASKSPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

/// The one `scf.forall` at the top of the kernel; null after a diagnostic.
static scf::ForallOp findTaskLoop(func::FuncOp kernel) {
  scf::ForallOp loop;
  for (auto candidate : kernel.getOps<scf::ForallOp>()) {
    if (loop) {
      candidate.emitOpError("expects one loop over tasks in a kernel, got two");
      return nullptr;
    }
    loop = candidate;
  }
  if (!loop) {
    kernel.emitOpError("expects a loop over tasks in a kernel, got none");
    return nullptr;
  }
  bool normalized =
      llvm::all_of(loop.getMixedLowerBound(),
                   [](auto bound) { return isConstantIntValue(bound, 0); }) &&
      llvm::all_of(loop.getMixedStep(),
                   [](auto step) { return isConstantIntValue(step, 1); });
  WalkResult ofWarps = loop.getBody()->walk([](scf::ForallOp nested) {
    return nested.getMapping() ? WalkResult::interrupt()
                               : WalkResult::advance();
  });
  if (ofWarps.wasInterrupted()) {
    loop.emitOpError("expects tasks of one thread each, got a loop over warps "
                     "in one ('key_warps' of the schedule is for GPUs)");
    return nullptr;
  }
  if (!normalized || !loop.getOutputs().empty()) {
    loop.emitOpError("expects a loop over tasks that counts from 0 by 1 and "
                     "returns nothing");
    return nullptr;
  }
  return loop;
}

/// `@layer_tasks(args...) -> index`: the number of iterations of `loop`.
static func::FuncOp createTaskCount(func::FuncOp kernel, scf::ForallOp loop) {
  OpBuilder builder(kernel->getContext());
  builder.setInsertionPointAfter(kernel);
  Location loc = loop.getLoc();
  auto type = builder.getFunctionType(kernel.getArgumentTypes(),
                                      builder.getIndexType());
  auto counter = func::FuncOp::create(
      builder, loc, (kernel.getSymName() + "_tasks").str(), type);
  counter->setAttr("llvm.emit_c_interface", builder.getUnitAttr());
  if (ArrayAttr roles = kernel.getAllArgAttrs())
    counter.setAllArgAttrs(roles);
  Block *body = counter.addEntryBlock();
  builder.setInsertionPointToStart(body);
  IRMapping map;
  map.map(kernel.getArguments(), body->getArguments());
  for (Operation &op : kernel.getBody().front()) {
    if (&op == loop)
      break;
    if (isMemoryEffectFree(&op))
      builder.clone(op, map);
  }
  Value count = arith::ConstantIndexOp::create(builder, loc, 1);
  for (Value bound :
       getValueOrCreateConstantIndexOp(builder, loc, loop.getMixedUpperBound()))
    count =
        arith::MulIOp::create(builder, loc, count, map.lookupOrDefault(bound));
  func::ReturnOp::create(builder, loc, count);
  return counter;
}

/// Replaces `loop` by the iteration that a new last argument of `kernel` names.
static void replaceByOneTask(func::FuncOp kernel, scf::ForallOp loop) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  Value rest = mlir::attn::addParameter(
      kernel,
      mlir::attn::RoleAttr::get(builder.getContext(), ::attn::Role::Task),
      builder.getIndexType());
  SmallVector<Value> bounds =
      getValueOrCreateConstantIndexOp(builder, loc, loop.getMixedUpperBound());
  SmallVector<Value> indices(bounds.size());
  for (size_t i = bounds.size(); i-- > 1;) {
    indices[i] = arith::RemUIOp::create(builder, loc, rest, bounds[i]);
    rest = arith::DivUIOp::create(builder, loc, rest, bounds[i]);
  }
  indices[0] = rest;
  Block *body = loop.getBody();
  for (auto [argument, index] : llvm::zip(loop.getInductionVars(), indices))
    argument.replaceAllUsesWith(index);
  loop->getBlock()->getOperations().splice(Block::iterator(loop),
                                           body->getOperations(), body->begin(),
                                           std::prev(body->end()));
  loop.erase();
}

/// Has each call of `kernel`, which runs all of it, run its tasks.
static void callTasks(func::FuncOp kernel, func::FuncOp count) {
  auto module = kernel->getParentOfType<ModuleOp>();
  std::optional<SymbolTable::UseRange> uses =
      SymbolTable::getSymbolUses(kernel, module);
  for (SymbolTable::SymbolUse use : *uses) {
    auto call = dyn_cast<func::CallOp>(use.getUser());
    if (!call || call.getNumResults() != 0)
      continue; // It is the name of what a declaration runs.
    OpBuilder builder(call);
    Location loc = call.getLoc();
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value tasks = func::CallOp::create(builder, loc, count, call.getOperands())
                      .getResult(0);
    scf::ParallelOp::create(builder, loc, zero, tasks, one,
                            [&](OpBuilder &b, Location loc, ValueRange task) {
                              SmallVector<Value> arguments(call.getOperands());
                              arguments.push_back(task[0]);
                              func::CallOp::create(b, loc, kernel, arguments);
                            });
    call.erase();
  }
}

namespace {
struct FlashToTasks
    : public mlir::attn::impl::FlashToTasksPassBase<FlashToTasks> {
  void runOnOperation() override {
    for (auto kernel :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!kernel->hasAttr("attn.kernel"))
        continue;
      scf::ForallOp loop = findTaskLoop(kernel);
      if (!loop)
        return signalPassFailure();
      func::FuncOp count = createTaskCount(kernel, loop);
      kernel->setAttr(mlir::attn::taskCountName,
                      FlatSymbolRefAttr::get(count.getSymNameAttr()));
      replaceByOneTask(kernel, loop);
      callTasks(kernel, count);
      kernel->setAttr("llvm.emit_c_interface", UnitAttr::get(&getContext()));
    }
    mlir::attn::eraseMods(getOperation());
  }
};
} // namespace
