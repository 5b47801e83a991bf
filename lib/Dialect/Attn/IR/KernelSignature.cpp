// See KernelSignature.h; and what the attributes must satisfy.
#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "attn/Dialect/Attn/IR/KernelFunction.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::attn;
using ::attn::Parameter;
using ::attn::Role;

LogicalResult RoleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               Role role, int64_t number, RoleAttr of,
                               int64_t rows) {
  // C1
  bool isMap = role == Role::TensorMap;
  if (isMap != !!of || (of && of.getRole() == Role::TensorMap))
    return emitError() << "expects 'of' with a role that has memory for a "
                          "tensor map, and for nothing else";
  if (isMap ? rows < 1 || rows > 256 : rows != 0)
    return emitError() << "expects 'rows' from 1 to 256 for a tensor map, and "
                          "for nothing else";
  // C2
  if (number < 0 || (number != 0 && !::attn::isNumbered(role)))
    return emitError() << "expects a 'number', which is not negative, for "
                          "captures and workspaces only, got "
                       << number;
  return success();
}

LogicalResult
SignatureAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      ArrayRef<RoleAttr> roles, ArrayRef<Type> types) {
  if (roles.size() != types.size()) // C1
    return emitError() << "expects as many roles as types, got " << roles.size()
                       << " and " << types.size();
  return success();
}

/// Roles are unique in a kernel.
static LogicalResult verifyRoles(FunctionOpInterface func) {
  llvm::SmallPtrSet<Attribute, 16> seen;
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    if (auto role = func.getArgAttrOfType<RoleAttr>(i, roleName))
      if (!seen.insert(role).second)
        return func.emitOpError() << "has two arguments with the role " << role;
  return success();
}

LogicalResult AttnDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                    unsigned argument,
                                                    NamedAttribute attribute) {
  if (attribute.getName() != roleName)
    return op->emitOpError() << "has an unknown argument attribute '"
                             << attribute.getName().getValue() << "'";
  auto func = dyn_cast<FunctionOpInterface>(op);
  if (!func || !isa<RoleAttr>(attribute.getValue()))
    return op->emitOpError() << "expects '" << roleName
                             << "' to be a role of a function's argument";
  return argument == 0 ? success() : verifyRoles(func);
}

LogicalResult AttnDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attribute) {
  StringRef name = attribute.getName();
  Attribute value = attribute.getValue();
  auto expect = [&](bool holds, const char *what) -> LogicalResult {
    if (holds)
      return success();
    return op->emitOpError() << "expects '" << name << "' to be " << what;
  };
  bool isFunction = isa<FunctionOpInterface>(op);
  if (name == signatureName)
    return expect(isFunction && isa<SignatureAttr>(value),
                  "a function's signature");
  if (name == "attn.schedule")
    return expect(isFunction && isa<ScheduleAttr>(value),
                  "a function's schedule");
  if (name == "attn.kernel")
    return expect(isFunction && isa<UnitAttr>(value), "a function's mark");
  if (name == taskCountName)
    return expect(isFunction && isa<FlatSymbolRefAttr>(value),
                  "the name of the function that counts a function's tasks");
  if (name == kernelsName) {
    auto kernels = dyn_cast<ArrayAttr>(value);
    return expect(isFunction && kernels &&
                      llvm::all_of(kernels, llvm::IsaPred<FlatSymbolRefAttr>),
                  "the names of the kernels that a call of a function runs");
  }
  // Marks of a mod's operations (ModProgram.h).
  if (name == "attn.exact" || name == "attn.total")
    return expect(isa<UnitAttr>(value), "a mark without a value");
  if (name == "attn.position") {
    // Lowerings keep it, on numbers and on vectors of them.
    StringRef opName = op->getName().getStringRef();
    bool isSum = opName == "arith.addi" || opName == "llvm.add";
    return expect(isSum && isa<UnitAttr>(value) &&
                      getElementTypeOrSelf(op->getResult(0)).isInteger(32),
                  "the mark of a sum of i32");
  }
  if (name == sharedBytesName) {
    auto bytes = dyn_cast<IntegerAttr>(value);
    return expect(isFunction && bytes && bytes.getType().isInteger(64) &&
                      bytes.getInt() >= 0,
                  "a number of bytes (i64) of a function");
  }
  return success();
}

RoleAttr mlir::attn::roleOf(BlockArgument argument) {
  auto func = dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
  return func && argument.getOwner()->isEntryBlock()
             ? func.getArgAttrOfType<RoleAttr>(argument.getArgNumber(),
                                               roleName)
             : RoleAttr();
}

void mlir::attn::setRole(FunctionOpInterface func, unsigned argument,
                         RoleAttr role) {
  func.setArgAttr(argument, roleName, role);
}

Value mlir::attn::parameterOf(FunctionOpInterface func, Role role,
                              int64_t number) {
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    auto found = func.getArgAttrOfType<RoleAttr>(i, roleName);
    if (found && found.getRole() == role && found.getNumber() == number)
      return func.getArgument(i);
  }
  return Value();
}

Value mlir::attn::addParameter(FunctionOpInterface func, RoleAttr role,
                               Type type) {
  unsigned index = func.getNumArguments();
  Builder builder(func.getContext());
  auto attributes =
      builder.getDictionaryAttr(builder.getNamedAttr(roleName, role));
  (void)func.insertArgument(index, type, attributes, func.getLoc());
  return func.getArgument(index);
}

bool mlir::attn::hasSignature(FunctionOpInterface func) {
  if (func->hasAttrOfType<SignatureAttr>(signatureName))
    return true;
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    if (!func.getArgAttrOfType<RoleAttr>(i, roleName))
      return false;
  return true;
}

static Parameter makeParameter(RoleAttr role, Type type) {
  Parameter parameter;
  parameter.name = {role.getRole(), role.getNumber()};
  if (auto memory = dyn_cast<MemRefType>(type)) {
    parameter.kind = Parameter::Kind::Memory;
    parameter.rank = memory.getRank();
  } else if (role.getRole() == Role::TensorMap) {
    parameter.kind = Parameter::Kind::TensorMap;
    parameter.of = {role.getOf().getRole(), role.getOf().getNumber()};
    parameter.rows = role.getRows();
  } else {
    parameter.kind = Parameter::Kind::Scalar;
  }
  return parameter;
}

::attn::Signature mlir::attn::signatureOf(FunctionOpInterface func) {
  ::attn::Signature signature;
  if (auto kept = func->getAttrOfType<SignatureAttr>(signatureName)) {
    for (auto [role, type] : llvm::zip_equal(kept.getRoles(), kept.getTypes()))
      signature.push_back(makeParameter(role, type));
    return signature;
  }
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes()))
    signature.push_back(
        makeParameter(func.getArgAttrOfType<RoleAttr>(i, roleName), type));
  return signature;
}

void mlir::attn::setSharedBytes(FunctionOpInterface func, int64_t bytes) {
  func->setAttr(sharedBytesName,
                Builder(func.getContext()).getI64IntegerAttr(bytes));
}

int64_t mlir::attn::sharedBytesOf(FunctionOpInterface func) {
  auto bytes = func->getAttrOfType<IntegerAttr>(sharedBytesName);
  return bytes ? bytes.getInt() : 0;
}
