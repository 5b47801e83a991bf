// How kernels see the tensors that they are made for.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_KERNELMEMORY_H
#define ATTN_CONVERSION_ATTNTOFLASH_KERNELMEMORY_H

#include "mlir/IR/BuiltinTypes.h"

namespace mlir::attn {

/// Query, key, value and output: sizes and strides at run time, but for the
/// channel dimension, which is static and contiguous.
MemRefType stridedMemoryType(Type tensor);
/// A table of pages, with rows of any distance.
MemRefType pageTableType(MLIRContext *context);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_KERNELMEMORY_H
