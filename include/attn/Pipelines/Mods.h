// What all pipelines do with mods before anything reads them.
#ifndef ATTN_PIPELINES_MODS_H
#define ATTN_PIPELINES_MODS_H

#include "mlir/Pass/PassManager.h"

namespace mlir::attn {

/// Mods that stand alone, whose operations all have defined results, without
/// what never runs, and in which what decides something is marked:
/// `attn-mods-pipeline`. Doing it again changes nothing, so that whoever asks a
/// mod about its mask, and whoever lowers it, see the same programs.
void buildModsPipeline(OpPassManager &pm);

void registerModsPipeline();

} // namespace mlir::attn

#endif // ATTN_PIPELINES_MODS_H
