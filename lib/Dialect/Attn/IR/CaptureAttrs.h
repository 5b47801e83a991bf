// C6 of attn.mod: how a capture says what attn-bench fills it with.
#ifndef ATTN_LIB_DIALECT_ATTN_IR_CAPTUREATTRS_H
#define ATTN_LIB_DIALECT_ATTN_IR_CAPTUREATTRS_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Verifies `attn.shape` and `attn.data` of the i'th capture of `mod`.
LogicalResult verifyCaptureAttrs(ModOp mod, unsigned i);
/// Verifies what its `attn.data` names.
LogicalResult verifyCaptureSymbols(ModOp mod, unsigned i,
                                   SymbolTableCollection &symbols);

} // namespace mlir::attn

#endif // ATTN_LIB_DIALECT_ATTN_IR_CAPTUREATTRS_H
