// The attn dialect: what is computed. See AttnOps.td.
#ifndef ATTN_DIALECT_ATTN_IR_ATTNDIALECT_H
#define ATTN_DIALECT_ATTN_IR_ATTNDIALECT_H

#include "attn/Dialect/Attn/IR/Schedule.h"
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
/// A part of a schedule: `<q = 64, kv = 64, owns_keys>`, the fields that are
/// not as usual, in any order.
template <> struct FieldParser<attn::Tiling> {
  static FailureOr<attn::Tiling> parse(AsmParser &parser);
};
template <> struct FieldParser<attn::WarpRoles> {
  static FailureOr<attn::WarpRoles> parse(AsmParser &parser);
};
template <> struct FieldParser<attn::CopyPipeline> {
  static FailureOr<attn::CopyPipeline> parse(AsmParser &parser);
};
namespace attn {
AsmPrinter &operator<<(AsmPrinter &printer, const Tiling &part);
AsmPrinter &operator<<(AsmPrinter &printer, const WarpRoles &part);
AsmPrinter &operator<<(AsmPrinter &printer, const CopyPipeline &part);
inline llvm::hash_code hash_value(const Tiling &part) {
  return llvm::hash_combine_range(valuesOf(part));
}
inline llvm::hash_code hash_value(const WarpRoles &part) {
  return llvm::hash_combine_range(valuesOf(part));
}
inline llvm::hash_code hash_value(const CopyPipeline &part) {
  return llvm::hash_combine_range(valuesOf(part));
}
} // namespace attn
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
