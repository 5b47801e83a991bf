// The parameters of a kernel by what they are for: roles are written where a
// parameter is made, and asked for everywhere else.
#ifndef ATTN_DIALECT_ATTN_IR_KERNELSIGNATURE_H
#define ATTN_DIALECT_ATTN_IR_KERNELSIGNATURE_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

namespace mlir::attn {

/// The argument attribute of a kernel's function, the attribute that takes its
/// place when the arguments are taken apart, the bytes of shared memory that a
/// launch must give a block, and the function that counts the tasks of a kernel
/// for a CPU.
inline constexpr llvm::StringLiteral roleName = "attn.role";
inline constexpr llvm::StringLiteral signatureName = "attn.signature";
inline constexpr llvm::StringLiteral sharedBytesName = "attn.shared_bytes";
inline constexpr llvm::StringLiteral taskCountName = "attn.task_count";

/// Null if the argument has none.
RoleAttr roleOf(BlockArgument argument);
void setRole(FunctionOpInterface func, unsigned argument, RoleAttr role);
/// The argument with this role, null if there is none.
Value parameterOf(FunctionOpInterface func, ::attn::Role role,
                  int64_t number = 0);
/// Makes a parameter with this role.
Value addParameter(FunctionOpInterface func, RoleAttr role, Type type);

/// The parameters of a kernel that is to be made.
class ParameterList {
public:
  void add(RoleAttr role, Type type) {
    types.push_back(type);
    roles.push_back(role);
  }
  void add(::attn::Role role, Type type) {
    add(RoleAttr::get(type.getContext(), role), type);
  }
  /// The types, of which the function is made, and their roles, for it.
  ArrayRef<Type> getTypes() const { return types; }
  void setRoles(FunctionOpInterface func) const {
    for (auto [i, role] : llvm::enumerate(roles))
      setRole(func, i, role);
  }

private:
  SmallVector<Type> types;
  SmallVector<RoleAttr> roles;
};

/// Whether all arguments have roles, or `attn.signature` has kept them.
bool hasSignature(FunctionOpInterface func);
/// What a launch of the kernel fills.
::attn::Signature signatureOf(FunctionOpInterface func);

/// The function's dynamic shared memory.
void setSharedBytes(FunctionOpInterface func, int64_t bytes);
int64_t sharedBytesOf(FunctionOpInterface func);

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_IR_KERNELSIGNATURE_H
