// Keeps compiled softmax kernels and those of gradients.
#include "numerics/Softmax.h"

#include "attn/Support/Try.h"

#include <map>
#include <tuple>

using namespace attn;
using namespace attn::bench;

/// What `kernels` has for `key`, or what `compile` makes.
template <typename Kernel, typename Key, typename Compile>
static Result<const Kernel *> cached(std::map<Key, Kernel> &kernels,
                                     const Key &key, Compile compile) {
  auto found = kernels.find(key);
  if (found == kernels.end()) {
    ATTN_TRY_ASSIGN(Kernel kernel, compile());
    found = kernels.emplace(key, std::move(kernel)).first;
  }
  return &found->second;
}

// Kernels are never destroyed: a GPU's driver may be gone before the process's
// statics.

Result<const SoftmaxKernel *>
attn::bench::softmaxFor(const Mod &mod, Target target, ElementType scores,
                        ElementType probabilities) {
  using Key = std::tuple<const Mod::Impl *, Target, ElementType, ElementType>;
  static auto &kernels = *new std::map<Key, SoftmaxKernel>;
  return cached(kernels, Key(&mod.impl(), target, scores, probabilities), [&] {
    return SoftmaxKernel::compile(mod, target, scores, probabilities);
  });
}

Result<const SoftmaxGradientKernel *>
attn::bench::softmaxGradientFor(const Mod &mod, Target target,
                                ElementType probabilities) {
  using Key = std::tuple<const Mod::Impl *, Target, ElementType>;
  static auto &kernels = *new std::map<Key, SoftmaxGradientKernel>;
  return cached(kernels, Key(&mod.impl(), target, probabilities), [&] {
    return SoftmaxGradientKernel::compile(mod, target, probabilities);
  });
}
