// Exact counts of unmasked pairs.
#include "Work.h"

#include <cmath>
#include <fstream>
#include <sstream>

using namespace attn;
using namespace attn::bench;

/// Above this a count would take longer than the measurement.
static constexpr double maxPairs = 0x1p37;

/// `tensor<?x?xf32>`, or `i32` for a scalar.
static std::string typeOf(const CaptureInfo &capture) {
  std::string type = toString(capture.type);
  if (capture.rank == 0)
    return type;
  std::string dims;
  for (int i = 0; i < capture.rank; ++i)
    dims += "?x";
  return "tensor<" + dims + type + ">";
}

/// A mod with `mod`'s mask and no score program.
static std::string maskOnly(const Mod &mod) {
  std::string parameters, arguments, types;
  for (const CaptureInfo &capture : mod.captures()) {
    std::string separator = parameters.empty() ? "" : ", ";
    parameters += separator + "%" + capture.name + " : " + typeOf(capture);
    arguments += separator + "%" + capture.name;
    types += separator + typeOf(capture);
  }
  if (!parameters.empty()) {
    parameters = "(" + parameters + ")";
    arguments = "(" + arguments + ")";
    types = " : " + types;
  }
  return "\nattn.mod @attn_bench_mask_only" + parameters +
         "\n  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n"
         "    %keep = attn.apply_mask @" +
         mod.name() + arguments + "[%b, %h, %q, %kv]" + types +
         "\n    attn.yield %keep : i1\n  }\n";
}

static Result<Mod> maskOnlyMod(const LoadedMod &loaded) {
  if (!loaded.mod.hasScore())
    return loaded.mod;
  std::ifstream file(loaded.path);
  std::stringstream text;
  text << file.rdbuf();
  return Mod::fromSource(text.str() + maskOnly(loaded.mod), loaded.path);
}

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
