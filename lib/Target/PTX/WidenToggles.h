// Keeps booleans that alternate from one turn of a loop to the next out of
// predicate registers.
#ifndef ATTN_LIB_TARGET_PTX_WIDENTOGGLES_H
#define ATTN_LIB_TARGET_PTX_WIDENTOGGLES_H

namespace llvm {
class Module;
} // namespace llvm

namespace mlir::attn {

/// Makes an i32 of every i1 that a loop carries from one turn to the next and
/// negates on the way. ptxas unrolls loops by four, and of `p = not p` it then
/// uses p for the first turn and not p for the other three (seen in 13.0): a
/// mask that alternates from query to query lost or won pairs where keys of one
/// parity prevail. Run it after all other optimizations, which would undo it.
void widenToggles(llvm::Module &module);

} // namespace mlir::attn

#endif // ATTN_LIB_TARGET_PTX_WIDENTOGGLES_H
