// attn-to-flash: a function that returns one attention of its arguments becomes
// a kernel on strided memory. This file turns the function over; FlashForward
// fills it.
#include "FlashForward.h"

#include "attn/Conversion/Passes.h"
#include "attn/Conversion/TileLists.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/KernelFunction.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNTOFLASHPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

/// How the kernel sees query, key, value and output: sizes and strides at run
/// time, but for the channel dimension, which is static and contiguous.
static Type stridedMemoryType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getRank(), ShapedType::kDynamic);
  shape.back() = tensor.getShape().back();
  SmallVector<int64_t> strides(tensor.getRank(), ShapedType::kDynamic);
  strides.back() = 1;
  auto layout =
      StridedLayoutAttr::get(type.getContext(), ShapedType::kDynamic, strides);
  return MemRefType::get(shape, tensor.getElementType(), layout);
}

static MaskLogic readMask(AttentionOp op) {
  ModOp mod = op.lookupMod();
  Region none;
  return MaskLogic(mod && mod.hasMask() ? mod.getMask() : none);
}

static void convertFunction(AttentionOp op, bool roundProbabilities,
                            bool stridedCaptures) {
  MaskLogic logic = readMask(op);
  auto func = cast<func::FuncOp>(op->getParentOp());
  ParameterList parameters;
  parameters.add(Role::Query, stridedMemoryType(op.getQuery().getType()));
  parameters.add(Role::Key, stridedMemoryType(op.getKey().getType()));
  parameters.add(Role::Value, stridedMemoryType(op.getValue().getType()));
  SmallVector<RoleAttr> captures = captureRolesOf(op);
  for (auto [role, capture] : llvm::zip_equal(captures, op.getCaptures()))
    parameters.add(role,
                   captureArgumentType(capture.getType(), stridedCaptures));
  parameters.add(Role::Out, stridedMemoryType(op.getOut().getType()));
  if (op.getLse())
    parameters.add(Role::Lse, contiguousMemoryType(op.getLse().getType()));
  if (!logic.hasOneRun(Axis::Key))
    for (auto [role, type] : tileListParameters(op.getContext()))
      parameters.add(role, type);

  OpBuilder builder(func);
  auto kernel =
      func::FuncOp::create(builder, func.getLoc(), func.getName(),
                           builder.getFunctionType(parameters.getTypes(), {}));
  parameters.setRoles(kernel);
  kernel->setAttr("attn.kernel", builder.getUnitAttr());
  kernel->setAttr("attn.schedule", *op.getSchedule());
  kernel.addEntryBlock();
  for (const MaskLogic::Remark &remark : logic.remarks)
    emitRemark(remark.location) << remark.text;

  ImplicitLocOpBuilder body =
      ImplicitLocOpBuilder::atBlockEnd(op.getLoc(), &kernel.getBody().front());
  auto memory = [&](Role role) { return parameterOf(kernel, role); };
  FlashOperands operands{logic, {}, {}, {}, {}, {}, {}, {}};
  operands.query = memory(Role::Query), operands.key = memory(Role::Key);
  operands.value = memory(Role::Value), operands.out = memory(Role::Out);
  operands.lse = memory(Role::Lse);
  SmallVector<Value> captured =
      llvm::map_to_vector(captures, [&](RoleAttr role) {
        return parameterOf(kernel, role.getRole(), role.getNumber());
      });
  captured =
      unpackCaptures(body, op.getLoc(), op.getCaptures().getTypes(), captured);
  operands.captures = captured;
  if (!logic.hasOneRun(Axis::Key))
    operands.lists =
        TileListOperands{memory(Role::ListOrder), memory(Role::ListFirsts),
                         memory(Role::ListCounts), memory(Role::ListTiles)};
  buildFlashForward(body, op, operands, roundProbabilities);
  func::ReturnOp::create(body);
  func.erase();
}

namespace {
struct AttnToFlash : mlir::attn::impl::AttnToFlashPassBase<AttnToFlash> {
  using AttnToFlashPassBase::AttnToFlashPassBase;

  void runOnOperation() override {
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    for (AttentionOp op : ops)
      if (failed(checkKernelFunction(op)))
        return signalPassFailure();
    for (AttentionOp op : ops)
      convertFunction(op, roundProbabilities, stridedCaptures);
    // Their programs live on in the kernels.
    eraseMods(getOperation());
  }
};
} // namespace
