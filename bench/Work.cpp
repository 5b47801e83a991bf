// Exact counts of unmasked pairs.
#include "Work.h"

#include "ModText.h"

#include <cmath>

using namespace attn;
using namespace attn::bench;

/// Above this a count would take longer than the measurement.
static constexpr double maxPairs = 0x1p37;

Result<const AttentionKernel *>
WorkCounter::kernelFor(const LoadedMod &loaded) {
  auto found = kernels.find(loaded.path);
  if (found == kernels.end()) {
    KernelSpec spec;
    spec.headDim = spec.valueDim = 1;
    spec.lse = true;
    Result<Mod> mod = maskOnlyMod(loaded);
    found = kernels
                .emplace(loaded.path,
                         mod ? AttentionKernel::compile(*mod, spec)
                             : Result<AttentionKernel>(Error{mod.error()}))
                .first;
  }
  if (!found->second)
    return Error{found->second.error()};
  return &*found->second;
}

Result<int64_t> WorkCounter::count(const LoadedMod &loaded,
                                   const ProblemSizes &sizes,
                                   const std::vector<CaptureData> &captures) {
  double all = double(sizes.batch) * sizes.heads * sizes.queries * sizes.keys;
  if (!loaded.mod.hasMask() || all == 0)
    return static_cast<int64_t>(all);
  if (all > maxPairs)
    return Error{"too many pairs to count the unmasked ones"};
  Result<const AttentionKernel *> kernel = kernelFor(loaded);
  if (!kernel)
    return Error{"the unmasked pairs cannot be counted: " + kernel.error()};

  int64_t rows = sizes.batch * sizes.heads * sizes.queries;
  std::vector<float> queries(rows), keys(sizes.batch * sizes.keys);
  std::vector<float> values(keys.size()), out(rows), lse(rows);
  auto view = [&](std::vector<float> &data, int64_t heads, int64_t length) {
    TensorView view;
    view.data = data.data();
    view.sizes = {sizes.batch, heads, length, 1};
    view.strides = {heads * length, length, 1};
    return view;
  };
  Result<void> ran = (*kernel)->run(
      view(queries, sizes.heads, sizes.queries), view(keys, 1, sizes.keys),
      view(values, 1, sizes.keys), viewsOf(captures),
      view(out, sizes.heads, sizes.queries), lse.data());
  if (!ran)
    return Error{"the unmasked pairs cannot be counted: " + ran.error()};
  int64_t pairs = 0;
  for (float row : lse)
    pairs += std::llround(std::exp(double(row)));
  return pairs;
}

Result<int64_t>
WorkCounter::countPairs(const LoadedMod &loaded, const ProblemSizes &sizes,
                        const std::vector<CaptureData> &captures) {
  Key key{loaded.path,   sizes.batch, sizes.heads,
          sizes.queries, sizes.keys,  sizes.sequences};
  auto found = counts.find(key);
  if (found == counts.end())
    found = counts.emplace(key, count(loaded, sizes, captures)).first;
  return found->second;
}
