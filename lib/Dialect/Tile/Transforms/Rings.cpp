// See the header.
#include "Rings.h"

#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

FailureOr<mlir::attn::ScheduleAttr>
tile::scheduleWithProducers(gpu::GPUFuncOp func) {
  auto schedule =
      func->getAttrOfType<mlir::attn::ScheduleAttr>("attn.schedule");
  if (!schedule || !schedule.getRoles().hasProducers())
    return func.emitOpError() << "expects a schedule with producers";
  return schedule;
}

FailureOr<TasksOp> tile::tasksOf(gpu::GPUFuncOp func) {
  if (!func.getBody().hasOneBlock())
    return func.emitOpError() << "expects one block";
  TasksOp tasks;
  for (auto op : func.getOps<TasksOp>()) {
    if (tasks)
      return op.emitOpError() << "expects one loop over tasks";
    tasks = op;
  }
  return tasks;
}

Block &tile::bodyOf(gpu::GPUFuncOp func, TasksOp tasks) {
  return tasks ? tasks.getBody().front() : func.getBody().front();
}

bool tile::hasRole(gpu::GPUFuncOp func, Value memory) {
  auto argument = dyn_cast<BlockArgument>(memory);
  return argument && argument.getOwner() == &func.getBody().front() &&
         mlir::attn::roleOf(argument);
}

Value tile::tensorMapOf(gpu::GPUFuncOp func, Value memory, int64_t rows) {
  auto role = mlir::attn::RoleAttr::get(
      func.getContext(), ::attn::Role::TensorMap, /*number=*/int64_t(0),
      mlir::attn::roleOf(cast<BlockArgument>(memory)), rows);
  for (BlockArgument argument : func.getArguments())
    if (mlir::attn::roleOf(argument) == role)
      return argument;
  return mlir::attn::addParameter(
      func, role, LLVM::LLVMPointerType::get(func.getContext()));
}

Value tile::stepOf(Operation *op) {
  for (auto read : op->getBlock()->getOps<ReadOp>())
    if (read->isBeforeInBlock(op))
      return read.getPosition();
  return Value();
}

RingOp tile::addRing(gpu::GPUFuncOp func, int64_t stages,
                     RankedTensorType tile) {
  RingOp last;
  for (auto ring : func.getOps<RingOp>())
    last = ring;
  ImplicitLocOpBuilder b(func.getLoc(), func.getContext());
  b.setInsertionPointAfter(last);
  return RingOp::create(b, RingType::get(b.getContext(), stages, tile),
                        IntegerAttr(), IntegerAttr(), IntegerAttr());
}

RingOp tile::addRingOfNumbers(gpu::GPUFuncOp func, int64_t stages,
                              int64_t numbers) {
  Block &head = func.getBody().front();
  ImplicitLocOpBuilder b(func.getLoc(), &head, head.begin());
  for (auto ring : func.getOps<RingOp>())
    if (cast<RingType>(ring.getType()).hasTiles())
      b.setInsertionPointAfter(ring);
  auto type = RingType::get(b.getContext(), stages,
                            RankedTensorType::get({numbers}, b.getI64Type()));
  return RingOp::create(b, type, IntegerAttr(), IntegerAttr(), IntegerAttr());
}

Operation *tile::lastReader(Value tile) {
  Operation *last = tile.getDefiningOp();
  for (Operation *user : tile.getUsers()) {
    Operation *ancestor = tile.getParentBlock()->findAncestorOpInBlock(*user);
    if (last->isBeforeInBlock(ancestor))
      last = ancestor;
  }
  return last;
}
