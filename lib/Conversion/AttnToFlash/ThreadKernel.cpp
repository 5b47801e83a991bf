// See ThreadKernel.h.
#include "ThreadKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;

ScheduleAttr mlir::attn::threadSchedule(MLIRContext *context) {
  Schedule schedule;
  schedule.tiling.q = 64, schedule.tiling.kv = 16;
  schedule.roles.warps = 4;
  return ScheduleAttr::get(context, schedule);
}

func::FuncOp mlir::attn::createThreadKernel(Operation *op,
                                            const ParameterList &parameters) {
  auto func = cast<func::FuncOp>(op->getParentOp());
  OpBuilder builder(func);
  auto kernel =
      func::FuncOp::create(builder, func.getLoc(), func.getName(),
                           builder.getFunctionType(parameters.getTypes(), {}));
  parameters.setRoles(kernel);
  kernel->setAttr("attn.kernel", builder.getUnitAttr());
  kernel->setAttr("attn.schedule", threadSchedule(op->getContext()));
  kernel.addEntryBlock();
  return kernel;
}

void mlir::attn::forEachThread(
    ImplicitLocOpBuilder &b, ValueRange sizes,
    llvm::function_ref<void(ValueRange numbers)> body) {
  Value count = arith::ConstantIndexOp::create(b, 1);
  for (Value size : sizes)
    count = arith::MulIOp::create(b, count, size);
  auto thread = gpu::GPUThreadMappingAttr::get(b.getContext(),
                                               gpu::MappingId::LinearDim0);
  auto forall = scf::ForallOp::create(b, getAsOpFoldResult(ValueRange(count)),
                                      ValueRange{}, b.getArrayAttr(thread));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(forall.getTerminator());
  Value rest = forall.getInductionVar(0);
  SmallVector<Value> numbers(sizes.size());
  for (size_t i = sizes.size(); i-- > 1;) {
    numbers[i] = arith::RemUIOp::create(b, rest, sizes[i]);
    rest = arith::DivUIOp::create(b, rest, sizes[i]);
  }
  numbers[0] = rest;
  body(numbers);
}
