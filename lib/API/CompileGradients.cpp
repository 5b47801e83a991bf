// GradientKernel::compile and what it asks first.
#include "../Launch/CUDALaunch.h"
#include "../Launch/GradientImpl.h"
#include "ModKernels.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>

using namespace attn;

static bool isFloat(ElementType type) {
  return type == ElementType::F32 || type == ElementType::F16 ||
         type == ElementType::BF16;
}

Result<std::vector<int64_t>>
attn::findCaptures(const Mod &mod, const std::vector<std::string> &names) {
  std::vector<int64_t> numbers;
  const std::vector<CaptureInfo> &captures = mod.captures();
  for (const std::string &name : names) {
    auto found = std::find_if(
        captures.begin(), captures.end(),
        [&](const CaptureInfo &capture) { return capture.name == name; });
    if (found == captures.end())
      return Error{"expects 'wrt' to name captures of '@" + mod.name() +
                   "', got '" + name + "'"};
    if (!isFloat(found->type))
      return Error{"expects 'wrt' to name captures of floats, got '" + name +
                   "' of " + toString(found->type)};
    int64_t number = found - captures.begin();
    if (std::find(numbers.begin(), numbers.end(), number) != numbers.end())
      return Error{"expects 'wrt' to name a capture once, got '" + name +
                   "' twice"};
    numbers.push_back(number);
  }
  return numbers;
}

Result<void> attn::checkHasGradients(const KernelSpec &spec) {
  if (spec.raggedQueries || spec.raggedKeys)
    return Error{"expects tensors with a batch of sequences: there are no "
                 "gradients of ragged ones yet"};
  if (spec.paged)
    return Error{"expects no KernelSpec::paged for gradients"};
  if (spec.invariant)
    return Error{"expects no KernelSpec::invariant for gradients"};
  if (spec.checked)
    return Error{"expects no KernelSpec::checked for gradients"};
  return {};
}

static GradientImpl createGradients(KernelRequest request) {
  if (request.spec.target == Target::CPU) {
    ATTN_TRY_ASSIGN(KernelDescription description, planKernels(request));
    return createCPUGradients(std::move(description), createModSource(request));
  }
  ATTN_TRY_ASSIGN(cuda::Context context, contextOf(request.spec));
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(request, requestForGPU(std::move(request)));
  ATTN_TRY_ASSIGN(KernelDescription description, planKernels(request));
  return createCUDAGradients(std::move(description), createModSource(request));
}

Result<GradientKernel>
GradientKernel::compile(const Mod &mod, const KernelSpec &spec,
                        const std::vector<std::string> &names) {
  ATTN_TRY(checkHasGradients(spec));
  auto start = std::chrono::steady_clock::now();
  KernelRequest request{mod, spec};
  request.gradients = true;
  ATTN_TRY_ASSIGN(request.wrt, findCaptures(mod, names));
  ATTN_TRY_ASSIGN(auto impl, createGradients(std::move(request)));
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  impl->compileSeconds = time.count();
  return GradientKernel(std::move(impl));
}
