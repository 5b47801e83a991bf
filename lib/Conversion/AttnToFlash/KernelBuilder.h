// A kernel's function while attn-to-flash makes it: which parameters it has, by
// their roles.
#ifndef ATTN_LIB_CONVERSION_ATTNTOFLASH_KERNELBUILDER_H
#define ATTN_LIB_CONVERSION_ATTNTOFLASH_KERNELBUILDER_H

#include "KernelMemory.h"
#include "Visits.h"

#include "attn/Analysis/MaskLogic.h"
#include "attn/Conversion/CaptureSums.h"
#include "attn/Conversion/TileLists.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/KernelFunction.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

/// Contiguous f32 memory.
inline MemRefType floatsOf(MLIRContext *context, int64_t rank) {
  SmallVector<int64_t> shape(rank, ShapedType::kDynamic);
  return MemRefType::get(shape, Float32Type::get(context));
}

template <typename Op> MaskLogic readMask(Op op) {
  ModOp mod = op.lookupMod();
  Region none;
  return MaskLogic(mod && mod.hasMask() ? mod.getMask() : none);
}

/// A kernel that is being made of a function of one attention, or of its
/// gradients.
template <typename Op> class KernelBuilder {
public:
  explicit KernelBuilder(Op op)
      : op(op), func(cast<func::FuncOp>(op->getParentOp())),
        logic(readMask(op)), captures(captureRolesOf(op)) {}

  void remarkOnMask() {
    for (const MaskLogic::Remark &remark : logic.remarks)
      emitRemark(remark.location) << remark.text;
  }

  void addStrided(::attn::Role role, Value tensor) {
    parameters.add(role, stridedMemoryType(tensor.getType()));
  }
  void addContiguous(::attn::Role role, Value tensor) {
    parameters.add(role, contiguousMemoryType(tensor.getType()));
  }
  void add(::attn::Role role, Type type) { parameters.add(role, type); }
  void addCaptures() {
    for (auto [role, capture] : llvm::zip_equal(captures, op.getCaptures()))
      parameters.add(role, captureArgumentType(capture.getType(),
                                               op.getStridedCaptures()));
  }
  /// Of sum `number` (CaptureSums.h).
  void addRowSums(int64_t number) {
    addFloats(::attn::Role::RowSums, number, 3);
  }
  void addSlots(int64_t number) {
    addFloats(::attn::Role::Workspace, number, 2);
  }
  void addGradCapture(const CaptureSum &sum) {
    addFloats(::attn::Role::GradCapture, sum.capture, 1);
  }
  /// Where the tiles on `visited` are not one run.
  void addLists(Axis visited) {
    if (!logic.hasOneRun(visited))
      for (auto [role, type] : tileListParameters(op.getContext()))
        parameters.add(role, type);
  }

  /// Makes the function, before the one that it is made of. Returns the place
  /// of its body.
  ImplicitLocOpBuilder create(const Twine &name, ScheduleAttr schedule,
                              bool takesCaptures = true) {
    OpBuilder builder(func);
    kernel = func::FuncOp::create(
        builder, func.getLoc(), name.str(),
        builder.getFunctionType(parameters.getTypes(), {}));
    parameters.setRoles(kernel);
    kernel->setAttr("attn.kernel", builder.getUnitAttr());
    kernel->setAttr("attn.schedule", schedule);
    kernel.addEntryBlock();
    auto body = ImplicitLocOpBuilder::atBlockEnd(op.getLoc(),
                                                 &kernel.getBody().front());
    if (!takesCaptures)
      return body;
    SmallVector<Value> arguments =
        llvm::map_to_vector(captures, [&](RoleAttr role) {
          return parameterOf(kernel, role.getRole(), role.getNumber());
        });
    captured = unpackCaptures(body, op.getLoc(), op.getCaptures().getTypes(),
                              arguments);
    return body;
  }

  /// The capture of the kernel with this role; null if there is none.
  Value capture(::attn::Role role) {
    for (auto [name, value] : llvm::zip_equal(captures, captured))
      if (name.getRole() == role)
        return value;
    return {};
  }
  Value memory(::attn::Role role, int64_t number = 0) {
    return parameterOf(kernel, role, number);
  }
  std::optional<TileListOperands> lists() {
    if (!memory(::attn::Role::ListOrder))
      return std::nullopt;
    return TileListOperands{
        memory(::attn::Role::ListOrder), memory(::attn::Role::ListFirsts),
        memory(::attn::Role::ListCounts), memory(::attn::Role::ListTiles)};
  }

  Op op;
  func::FuncOp func;
  MaskLogic logic;
  SmallVector<Value> captured; ///< of the kernel

private:
  void addFloats(::attn::Role role, int64_t number, int64_t rank) {
    MLIRContext *context = op.getContext();
    parameters.add(RoleAttr::get(context, role, number),
                   floatsOf(context, rank));
  }

  SmallVector<RoleAttr> captures;
  ParameterList parameters;
  func::FuncOp kernel;
};

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_ATTNTOFLASH_KERNELBUILDER_H
