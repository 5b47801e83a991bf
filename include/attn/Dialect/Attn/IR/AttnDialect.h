// The attn dialect: what is computed. See AttnOps.td.
#ifndef ATTN_DIALECT_ATTN_IR_ATTNDIALECT_H
#define ATTN_DIALECT_ATTN_IR_ATTNDIALECT_H

#include "attn/Runtime/Guard.h"
#include "attn/Runtime/Signature.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h.inc"

namespace mlir {
/// A role by its name, as the assembly of attributes has it.
template <> struct FieldParser<::attn::Role> {
  static FailureOr<::attn::Role> parse(AsmParser &parser);
};
AsmPrinter &operator<<(AsmPrinter &printer, ::attn::Role role);
/// `always`, or conditions joined by `and`, numbers in parentheses.
template <> struct FieldParser<::attn::Guard> {
  static FailureOr<::attn::Guard> parse(AsmParser &parser);
};
AsmPrinter &operator<<(AsmPrinter &printer, const ::attn::Guard &guard);
} // namespace mlir

namespace attn {
inline llvm::hash_code hash_value(const Condition &condition) {
  return llvm::hash_combine(condition.kind,
                            llvm::hash_combine_range(condition.numbers));
}
inline llvm::hash_code hash_value(const Guard &guard) {
  return llvm::hash_combine_range(guard.conditions);
}
} // namespace attn

#define GET_ATTRDEF_CLASSES
#include "attn/Dialect/Attn/IR/AttnAttrs.h.inc"

#define GET_OP_CLASSES
#include "attn/Dialect/Attn/IR/AttnOps.h.inc"

#endif // ATTN_DIALECT_ATTN_IR_ATTNDIALECT_H
