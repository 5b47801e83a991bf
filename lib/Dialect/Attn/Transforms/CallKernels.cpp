// attn-call-kernels: see its description in Passes.td. What the kernels of a
// call need is known by roles alone: those of the function's own arguments and
// results, and those of memory between kernels, which is allocated.
#include "attn/Conversion/Shares.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelFunction.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <numeric>

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNCALLKERNELSPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

/// The argument that has the sizes of the result with this role.
static RoleAttr sizedAs(RoleAttr result) {
  MLIRContext *context = result.getContext();
  switch (result.getRole()) {
  case Role::GradKey:
    return RoleAttr::get(context, Role::Key);
  case Role::GradValue:
    return RoleAttr::get(context, Role::Value);
  case Role::GradCapture:
    return RoleAttr::get(context, Role::Capture, result.getNumber());
  default:
    return RoleAttr::get(context, Role::Query);
  }
}

/// The capture whose gradient the sum `number` is, by the kernel that ends it.
static std::optional<int64_t> captureOfSum(ArrayRef<func::FuncOp> kernels,
                                           int64_t number) {
  for (func::FuncOp kernel : kernels) {
    if (!parameterOf(kernel, Role::Workspace, number))
      continue;
    for (BlockArgument parameter : kernel.getArguments())
      if (RoleAttr role = roleOf(parameter);
          role && role.getRole() == Role::GradCapture)
        return role.getNumber();
  }
  return std::nullopt;
}

namespace {
/// The body of a function that runs `kernels`.
class KernelCalls {
public:
  KernelCalls(func::FuncOp func, ArrayRef<func::FuncOp> kernels)
      : func(func), kernels(kernels), b(func.getLoc(), func.getContext()) {}

  void define();

private:
  void allocateResults();
  void callKernel(func::FuncOp kernel);
  Value returned(unsigned result);

  // What stands for a kernel's parameter.
  Value argumentAs(Value argument, Type type);
  Value memoryBetween(RoleAttr role, MemRefType type, func::FuncOp kernel);
  Value slots(RoleAttr role, MemRefType type);
  Value rowSums(MemRefType type, func::FuncOp kernel);
  Value inOneDimension(Value memory);

  // Sizes, of type index.
  Value sizeOf(Role tensor, int64_t dimension);
  Value wholeQueries();
  Value elementsOf(int64_t capture);

  Value allocate(MemRefType type, ValueRange dynamicSizes, bool zero);
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value castTo(Value memory, Type type) {
    return memory.getType() == type
               ? memory
               : memref::CastOp::create(b, type, memory).getResult();
  }

  func::FuncOp func;
  ArrayRef<func::FuncOp> kernels;
  ImplicitLocOpBuilder b;
  DenseMap<Attribute, Value> arguments; ///< by role: tensors and scalars
  DenseMap<Attribute, Value> memory;    ///< by role: of results and between
};
} // namespace

Value KernelCalls::sizeOf(Role tensor, int64_t dimension) {
  Value value = arguments[RoleAttr::get(b.getContext(), tensor)];
  return tensor::DimOp::create(b, value, dimension);
}

/// Queries rounded up to whole tiles of all kernels.
Value KernelCalls::wholeQueries() {
  int64_t tile = 1;
  for (func::FuncOp kernel : kernels)
    if (auto schedule = kernel->getAttrOfType<ScheduleAttr>("attn.schedule"))
      tile = std::lcm(tile, schedule.getTiling().q);
  Value tiles =
      arith::CeilDivUIOp::create(b, sizeOf(Role::Query, 2), index(tile));
  return arith::MulIOp::create(b, tiles, index(tile));
}

Value KernelCalls::elementsOf(int64_t capture) {
  Value value =
      arguments[RoleAttr::get(b.getContext(), Role::Capture, capture)];
  Value count = index(1);
  if (auto type = dyn_cast<RankedTensorType>(value.getType()))
    for (int64_t i = 0; i < type.getRank(); ++i)
      count =
          arith::MulIOp::create(b, count, tensor::DimOp::create(b, value, i));
  return count;
}

Value KernelCalls::allocate(MemRefType type, ValueRange dynamicSizes,
                            bool zero) {
  Value result = memref::AllocOp::create(b, type, dynamicSizes);
  if (zero)
    linalg::FillOp::create(
        b,
        ValueRange(arith::ConstantOp::create(
            b, cast<TypedAttr>(b.getZeroAttr(type.getElementType())))),
        result);
  return result;
}

/// Sums of captures' gradients are added to what is there.
void KernelCalls::allocateResults() {
  for (auto [i, type] : llvm::enumerate(func.getResultTypes())) {
    auto role = func.getResultAttrOfType<RoleAttr>(i, roleName);
    bool isCapture = role.getRole() == Role::GradCapture;
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor) {
      memory[role] = allocate(MemRefType::get({1}, type), {}, isCapture);
      continue;
    }
    Value like = arguments[sizedAs(role)];
    SmallVector<Value> sizes;
    for (int64_t d = 0; d < tensor.getRank(); ++d)
      if (tensor.isDynamicDim(d))
        sizes.push_back(tensor::DimOp::create(b, like, d));
    memory[role] =
        allocate(MemRefType::get(tensor.getShape(), tensor.getElementType()),
                 sizes, isCapture);
  }
}

/// A tensor as memory of `type`, a scalar as memory holds it.
Value KernelCalls::argumentAs(Value argument, Type type) {
  auto as = dyn_cast<MemRefType>(type);
  Type element = as ? as.getElementType() : type;
  auto tensor = dyn_cast<RankedTensorType>(argument.getType());
  if (getElementTypeOrSelf(argument.getType()) != element) {
    Type stored = tensor ? Type(tensor.clone(element)) : element;
    argument = element.isInteger(8)
                   ? arith::ExtUIOp::create(b, stored, argument).getResult()
                   : arith::BitcastOp::create(b, stored, argument).getResult();
  }
  if (!tensor)
    return argument;
  auto own = MemRefType::get(tensor.getShape(), element, as.getLayout());
  Value buffer = bufferization::ToBufferOp::create(b, own, argument,
                                                   /*read_only=*/true);
  return castTo(buffer, type);
}

Value KernelCalls::inOneDimension(Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  if (type.getRank() == 1)
    return memory;
  if (type.getRank() == 0)
    return memref::ExpandShapeOp::create(b, ArrayRef<int64_t>{1}, memory,
                                         ArrayRef<ReassociationIndices>());
  ReassociationIndices all =
      llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  return memref::CollapseShapeOp::create(b, memory,
                                         ArrayRef<ReassociationIndices>{all});
}

/// One slot, in which a kernel sums what a capture gets.
Value KernelCalls::slots(RoleAttr role, MemRefType type) {
  return allocate(
      MemRefType::get({1, ShapedType::kDynamic}, type.getElementType()),
      elementsOf(*captureOfSum(kernels, role.getNumber())), /*zero=*/true);
}

/// The first kernel that takes it owns the rows.
Value KernelCalls::rowSums(MemRefType type, func::FuncOp kernel) {
  auto schedule = kernel->getAttrOfType<ScheduleAttr>("attn.schedule");
  Role rows = schedule.getTiling().ownsKeys ? Role::Key : Role::Query;
  return allocate(
      type, {sizeOf(Role::Query, 0), sizeOf(Role::Query, 1), sizeOf(rows, 2)},
      /*zero=*/false);
}

/// Memory that kernels hand on to each other; null for a role that has none.
Value KernelCalls::memoryBetween(RoleAttr role, MemRefType type,
                                 func::FuncOp kernel) {
  switch (role.getRole()) {
  case Role::Statistics:
    return allocate(
        type, {sizeOf(Role::Query, 0), sizeOf(Role::Query, 1), wholeQueries()},
        /*zero=*/false);
  case Role::PartialOut:
  case Role::PartialSums:
    return allocate(type, index(2 * hostShares), /*zero=*/false);
  case Role::PartialCounts:
    return allocate(type, index(hostShares), /*zero=*/false);
  case Role::Workspace:
    return slots(role, type);
  case Role::RowSums:
    return rowSums(type, kernel);
  default:
    return {};
  }
}

void KernelCalls::callKernel(func::FuncOp kernel) {
  SmallVector<Value> operands;
  for (BlockArgument parameter : kernel.getArguments()) {
    RoleAttr role = roleOf(parameter);
    Type type = parameter.getType();
    if (Value argument = arguments.lookup(role)) {
      operands.push_back(argumentAs(argument, type));
      continue;
    }
    Value &place = memory[role];
    if (!place)
      place = memoryBetween(role, cast<MemRefType>(type), kernel);
    operands.push_back(castTo(
        role.getRole() == Role::GradCapture ? inOneDimension(place) : place,
        type));
  }
  func::CallOp::create(b, kernel, operands);
}

Value KernelCalls::returned(unsigned result) {
  Type type = func.getResultTypes()[result];
  Value place = memory[func.getResultAttrOfType<RoleAttr>(result, roleName)];
  if (!isa<RankedTensorType>(type))
    return memref::LoadOp::create(b, place, ValueRange{index(0)});
  return bufferization::ToTensorOp::create(b, type, place, /*restrict=*/true,
                                           /*writable=*/true);
}

void KernelCalls::define() {
  Block *body = func.addEntryBlock();
  b.setInsertionPointToStart(body);
  for (BlockArgument argument : body->getArguments())
    if (RoleAttr role = roleOf(argument))
      arguments[role] = argument;
  allocateResults();
  for (func::FuncOp kernel : kernels)
    callKernel(kernel);
  SmallVector<Value> results;
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    results.push_back(returned(i));
  func::ReturnOp::create(b, results);
  func->removeAttr(kernelsName);
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    func.removeArgAttr(i, roleName);
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    func.removeResultAttr(i, b.getStringAttr(roleName));
}

//===----------------------------------------------------------------------===//
// What can be called
//===----------------------------------------------------------------------===//

namespace {
/// Whether a declaration has, or can make, what its kernels take. Says what is
/// not so.
class CallRules {
public:
  CallRules(func::FuncOp func, ArrayRef<func::FuncOp> kernels)
      : func(func), kernels(kernels) {}

  LogicalResult check() {
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (auto role = func.getArgAttrOfType<RoleAttr>(i, roleName))
        arguments[role] = func.getArgumentTypes()[i];
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      if (failed(checkResult(i)))
        return failure();
    for (func::FuncOp kernel : kernels)
      for (BlockArgument parameter : kernel.getArguments())
        if (failed(checkParameter(kernel, parameter)))
          return failure();
    return success();
  }

private:
  LogicalResult checkResult(unsigned i) {
    auto role = func.getResultAttrOfType<RoleAttr>(i, roleName);
    if (!role)
      return func.emitOpError() << "expects a role for result " << i;
    results[role] = func.getResultTypes()[i];
    auto type = dyn_cast<RankedTensorType>(func.getResultTypes()[i]);
    if (rankOf(sizedAs(role)) < (type ? type.getRank() : 0))
      return func.emitOpError() << "expects an argument " << sizedAs(role)
                                << " of the sizes of its result " << role;
    return success();
  }

  LogicalResult checkParameter(func::FuncOp kernel, BlockArgument parameter) {
    RoleAttr role = roleOf(parameter);
    if (!role)
      return kernel.emitOpError()
             << "expects a role for argument " << parameter.getArgNumber();
    auto memory = dyn_cast<MemRefType>(parameter.getType());
    bool isTaken = arguments.contains(role)
                       ? rankOf(role) == (memory ? memory.getRank() : 0)
                       : memory && (results.contains(role) ||
                                    isMadeFor(kernel, role, memory));
    if (isTaken)
      return success();
    return func.emitOpError()
           << "expects kernels that host code can call, but '@"
           << kernel.getName() << "' takes " << role << " of type "
           << parameter.getType();
  }

  /// Whether it is memory between kernels, whose sizes are known.
  bool isMadeFor(func::FuncOp kernel, RoleAttr role, MemRefType memory) {
    bool hasQuery = rankOf(RoleAttr::get(role.getContext(), Role::Query)) == 4;
    switch (role.getRole()) {
    case Role::Statistics:
      return hasQuery;
    case Role::PartialOut:
    case Role::PartialSums:
    case Role::PartialCounts: {
      // The slots of chunks are as many as sizes make; those of shares are not.
      auto schedule = kernel->getAttrOfType<ScheduleAttr>("attn.schedule");
      return !schedule || !schedule.getTiling().chunk;
    }
    case Role::RowSums:
      return memory.getRank() == 3 && hasQuery &&
             kernel->hasAttrOfType<ScheduleAttr>("attn.schedule") &&
             rankOf(RoleAttr::get(role.getContext(), Role::Key)) == 4;
    case Role::Workspace: {
      std::optional<int64_t> capture = captureOfSum(kernels, role.getNumber());
      return memory.getRank() == 2 && capture &&
             arguments.contains(
                 RoleAttr::get(role.getContext(), Role::Capture, *capture));
    }
    default:
      return false;
    }
  }

  /// Of a tensor; 0 of a scalar, -1 where there is no argument.
  int64_t rankOf(RoleAttr argument) {
    Type type = arguments.lookup(argument);
    if (auto tensor = dyn_cast_or_null<RankedTensorType>(type))
      return tensor.getRank();
    return type ? 0 : -1;
  }

  func::FuncOp func;
  ArrayRef<func::FuncOp> kernels;
  DenseMap<Attribute, Type> arguments, results;
};
} // namespace

namespace {
struct CallKernels : mlir::attn::impl::AttnCallKernelsPassBase<CallKernels> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(define(func, symbols)))
        return signalPassFailure();
  }

private:
  LogicalResult define(func::FuncOp func, SymbolTable &symbols) {
    auto names = func->getAttrOfType<ArrayAttr>(kernelsName);
    if (!names || !func.isExternal())
      return success();
    SmallVector<func::FuncOp> kernels;
    for (auto name : names.getAsRange<FlatSymbolRefAttr>()) {
      auto kernel = symbols.lookup<func::FuncOp>(name.getValue());
      if (!kernel || kernel.isExternal() || !kernel->hasAttr("attn.kernel"))
        return func.emitOpError() << "expects a kernel " << name;
      kernels.push_back(kernel);
    }
    if (failed(CallRules(func, kernels).check()))
      return failure();
    KernelCalls(func, kernels).define();
    return success();
  }
};
} // namespace
