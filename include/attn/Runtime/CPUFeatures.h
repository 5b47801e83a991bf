// What this machine's processor can do, by the names that LLVM has for it: an
// image says which of it its code may use.
#ifndef ATTN_RUNTIME_CPUFEATURES_H
#define ATTN_RUNTIME_CPUFEATURES_H

#include <string>
#include <vector>

namespace attn::cpu {

/// Whether there is a way to ask for a feature of this name.
bool isKnownFeature(const std::string &name);

/// Those of `features` that this processor does not have, or its operating
/// system does not let programs use; what is not known is missing as well.
std::vector<std::string>
missingFeatures(const std::vector<std::string> &features);

} // namespace attn::cpu

#endif // ATTN_RUNTIME_CPUFEATURES_H
