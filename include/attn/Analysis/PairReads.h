// Tables that a program reads at pairs, as a bias of query and key is: each
// element of a tile has one of its own, and no other tile reads it.
#ifndef ATTN_ANALYSIS_PAIRREADS_H
#define ATTN_ANALYSIS_PAIRREADS_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// The loads of a program that stands alone (which may be empty) of which one
/// index follows from the query, another from the key, and none from both or
/// from a score; not those that a branch guards.
SmallVector<LoadOp> findPairReads(Region &program);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_PAIRREADS_H
