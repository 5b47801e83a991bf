// The IR of a softmax over one row of scores, with a mod applied.
#ifndef ATTN_LIB_API_SOFTMAXMODULE_H
#define ATTN_LIB_API_SOFTMAXMODULE_H

#include "attn/API/Attention.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace attn {

/// Rows are padded to this many elements.
constexpr int64_t softmaxLanes = 16;

/// A module with
///   @softmax_row(%scores: memref<?xT>, %probabilities: memref<?xP>,
///                %row: memref<?xT>, %blocks: memref<?x16xT>,
///                %partial: memref<16xT>, %lse: memref<1xT>,
///                %b: i32, %h: i32, %q: i32, %scale: T, captures...)
/// where `row` and `blocks` are the same scratch memory, as one row of all keys
/// and as its padded blocks. The caller holds the mod's mutex.
mlir::OwningOpRef<mlir::ModuleOp>
buildSoftmaxModule(const Mod &mod, ElementType scoreType,
                   ElementType probabilityType);

} // namespace attn

#endif // ATTN_LIB_API_SOFTMAXMODULE_H
