// What the analysis of a mask says to those who launch kernels.
#ifndef ATTN_LIB_API_MASKANALYSIS_H
#define ATTN_LIB_API_MASKANALYSIS_H

#include "../Launch/KernelSource.h"

namespace attn {

/// The caller holds the mod's mutex.
MaskFacts maskFactsOf(const Mod &mod);

} // namespace attn

#endif // ATTN_LIB_API_MASKANALYSIS_H
