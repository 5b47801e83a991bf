// The kernel of attn.append: new rows of keys and values into a cache.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_APPENDROWS_H
#define ATTN_CONVERSION_ATTNTOFLASH_APPENDROWS_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Makes a kernel of the function around `op`, which holds nothing else
/// (checkWholeFunction): one that writes to the memory of the cache,
/// with a task, for a thread, for each new row, head and 16 bytes.
void buildAppendRows(AppendOp op);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_APPENDROWS_H
