// Keeps compiled softmax kernels.
#include "numerics/Softmax.h"

#include "attn/Support/Try.h"

#include <map>
#include <tuple>

using namespace attn;
using namespace attn::bench;

Result<const SoftmaxKernel *>
attn::bench::softmaxFor(const Mod &mod, Target target, ElementType scores,
                        ElementType probabilities) {
  using Key = std::tuple<const Mod::Impl *, Target, ElementType, ElementType>;
  // Never destroyed: a GPU's driver may be gone before the process's statics.
  static auto &kernels = *new std::map<Key, SoftmaxKernel>;
  Key key{&mod.impl(), target, scores, probabilities};
  auto found = kernels.find(key);
  if (found == kernels.end()) {
    ATTN_TRY_ASSIGN(SoftmaxKernel kernel,
                    SoftmaxKernel::compile(mod, target, scores, probabilities));
    found = kernels.emplace(key, std::move(kernel)).first;
  }
  return &found->second;
}
