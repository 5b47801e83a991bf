// The kernel of attn.merge: outs and LSEs of parts of the keys, merged.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_MERGEOUTPUTS_H
#define ATTN_CONVERSION_ATTNTOFLASH_MERGEOUTPUTS_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Makes a kernel of the function around `op`, which holds nothing else
/// (checkWholeFunction): one with a task, for a thread, for each row
/// and 4 channels.
void buildMergeOutputs(MergeOp op);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_MERGEOUTPUTS_H
