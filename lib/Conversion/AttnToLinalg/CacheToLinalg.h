// The oracle of the operations around an attention: attn.merge and attn.append.
#ifndef ATTN_CONVERSION_ATTNTOLINALG_CACHETOLINALG_H
#define ATTN_CONVERSION_ATTNTOLINALG_CACHETOLINALG_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Replaces `op` by its definition, computed in `real`.
void lowerMergeToLinalg(MergeOp op, FloatType real);
/// Replaces `op` by loops over sequences, rows and heads.
void lowerAppendToLoops(AppendOp op);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOLINALG_CACHETOLINALG_H
