// What the sizes of an attention's operands must satisfy, for the operation
// itself and for its gradients.
#ifndef ATTN_LIB_DIALECT_ATTN_IR_ATTENTIONRULES_H
#define ATTN_LIB_DIALECT_ATTN_IR_ATTENTIONRULES_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// One dimension of one operand or result, as diagnostics call it.
struct Dimension {
  StringRef operand;
  StringRef name;
  int64_t size;
};

/// Sizes differ if both are known and are not the same.
LogicalResult verifySame(Operation *op, const Dimension &wanted,
                         const Dimension &given);

/// A static channel dimension from 1 to 256.
LogicalResult verifyChannels(Operation *op, const Dimension &dim);
/// How many sequences `tensor` has, whose `starts` may be null; as dimension of
/// a message.
Dimension sequencesOf(StringRef name, Value tensor, StringRef startsName,
                      Value starts);
/// With `starts` (may be null): a batch of one, and at least one of them.
LogicalResult verifyStarts(Operation *op, StringRef name, Value tensor,
                           StringRef startsName, Value starts);

/// C1 to C4 of attn.attention, but for what sequences have to do with batches,
/// and C12 where there are `pages` (else null).
LogicalResult verifyTensors(Operation *op, Value query, Value key, Value value,
                            Value out, Value pages = {});
/// C5: f32 of the batch, heads and length of `like`.
LogicalResult verifyRows(Operation *op, StringRef likeName, Value like,
                         StringRef name, Value rows);
/// C6: the mod that `name` means at `op`; an error of `op` if there is none, or
/// if it does not capture values of the types of `captures`.
FailureOr<ModOp> verifyModUse(Operation *op, FlatSymbolRefAttr name,
                              ValueRange captures,
                              SymbolTableCollection &symbols);
/// What has an entry for each sequence. But for query and key each may be null.
struct SequenceOperands {
  Value query, key, queryStarts, keyStarts, queryOffset, lengths, pages;
};
/// C3, C7, C9, C11 and C12, of sequences.
LogicalResult verifySequences(Operation *op, const SequenceOperands &operands);

} // namespace mlir::attn

#endif // ATTN_LIB_DIALECT_ATTN_IR_ATTENTIONRULES_H
