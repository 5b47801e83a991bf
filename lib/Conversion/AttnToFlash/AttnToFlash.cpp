// attn-to-flash: a function that returns one attention of its arguments becomes
// a kernel on strided memory. This file turns the function over; FlashForward
// fills it.
#include "FlashForward.h"

#include "attn/Conversion/Passes.h"
#include "attn/Conversion/TileLists.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/KernelFunction.h"
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
  SmallVector<Type> inputs;
  for (Value operand : {op.getQuery(), op.getKey(), op.getValue()})
    inputs.push_back(stridedMemoryType(operand.getType()));
  for (Value capture : op.getCaptures())
    inputs.push_back(captureArgumentType(capture.getType(), stridedCaptures));
  inputs.push_back(stridedMemoryType(op.getOut().getType()));
  if (op.getLse())
    inputs.push_back(contiguousMemoryType(op.getLse().getType()));
  size_t firstList = inputs.size();
  if (!logic.hasOneRun)
    llvm::append_range(inputs, tileListTypes(op.getContext()));

  OpBuilder builder(func);
  auto kernel = func::FuncOp::create(builder, func.getLoc(), func.getName(),
                                     builder.getFunctionType(inputs, {}));
  kernel->setAttr("attn.kernel", builder.getUnitAttr());
  kernel->setAttr("attn.schedule", *op.getSchedule());
  kernel->setAttr("attn.tiles",
                  builder.getStringAttr(logic.hasOneRun ? "bounds" : "lists"));
  for (const MaskLogic::Remark &remark : logic.remarks)
    emitRemark(remark.location) << remark.text;

  Block *entry = kernel.addEntryBlock();
  ImplicitLocOpBuilder body =
      ImplicitLocOpBuilder::atBlockEnd(op.getLoc(), entry);
  auto args = entry->getArguments();
  size_t captures = op.getCaptures().size();
  FlashOperands operands{logic, {}, {}, {}, {}, {}, {}, {}};
  operands.query = args[0], operands.key = args[1], operands.value = args[2];
  SmallVector<Value> captured =
      unpackCaptures(body, op.getLoc(), op.getCaptures().getTypes(),
                     ValueRange(args.slice(3, captures)));
  operands.captures = captured;
  operands.out = args[3 + captures];
  if (op.getLse())
    operands.lse = args[4 + captures];
  if (!logic.hasOneRun)
    operands.lists = TileListOperands{args[firstList], args[firstList + 1],
                                      args[firstList + 2], args[firstList + 3]};
  buildFlashForward(body, op, operands, roundProbabilities);
  func::ReturnOp::create(body);
  func.erase();
}

namespace {
struct AttnToFlash : attn::impl::AttnToFlashPassBase<AttnToFlash> {
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
