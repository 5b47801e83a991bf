// What attn-translate writes.
#ifndef ATTN_TARGET_TRANSLATIONS_H
#define ATTN_TARGET_TRANSLATIONS_H

namespace mlir::attn {

/// --attn-to-ptx: the PTX of every gpu.module in a module. --attn-to-object:
/// the code of all functions with a C interface. --attn-to-image: the image of
/// the one gpu.module, or of a CPU's kernels.
void registerTranslations();

} // namespace mlir::attn

#endif // ATTN_TARGET_TRANSLATIONS_H
