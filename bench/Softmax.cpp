// Keeps compiled softmax kernels.
#include "Softmax.h"

#include <map>

using namespace attn;
using namespace attn::bench;

Result<const SoftmaxKernel *> attn::bench::softmaxFor(const Mod &mod,
                                                      ElementType type) {
  static std::map<std::pair<const Mod::Impl *, ElementType>, SoftmaxKernel>
      kernels;
  auto key = std::make_pair(&mod.impl(), type);
  auto found = kernels.find(key);
  if (found == kernels.end()) {
    Result<SoftmaxKernel> kernel =
        SoftmaxKernel::compile(mod, Target::CPU, type, type);
    if (!kernel)
      return Error{kernel.error()};
    found = kernels.emplace(key, std::move(*kernel)).first;
  }
  return &found->second;
}
