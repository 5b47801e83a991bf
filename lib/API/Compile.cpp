// AttentionKernel::compile and what it asks first: which kernels, for which
// target.
#include "../Launch/CUDALaunch.h"
#include "../Launch/KernelImpl.h"
#include "KernelModule.h"
#include "ModKernels.h"

#include "attn/Support/Try.h"

#include <chrono>

using namespace attn;

Result<void> attn::checkPositions(const Mod &mod, const KernelSpec &spec) {
  if (!spec.paged)
    return {};
  for (const CaptureInfo &info : mod.captures())
    if (info.isLengths)
      return {};
  return Error{"expects a mod with lengths (Mod::withLengths) for "
               "KernelSpec::paged"};
}

Result<KernelRequest> attn::requestForGPU(KernelRequest request) {
  ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
  KernelSpec &spec = request.spec;
  spec = withAlignment(spec);
  std::optional<ScheduleNeeds> given;
  if (!spec.schedule.empty()) {
    ATTN_TRY_ASSIGN(given,
                    request.gradients
                        ? needsOfGradientSchedules(request.mod, spec.schedule)
                        : needsOfSchedule(request.mod, spec.schedule));
  }
  ATTN_TRY_ASSIGN(request.planTarget, planTargetOf(spec, given, device));
  return request;
}

static AttentionImpl createKernel(KernelRequest request) {
  if (request.spec.target == Target::CPU) {
    ATTN_TRY_ASSIGN(KernelDescription description, planKernels(request));
    return createCPUKernel(std::move(description), createModSource(request));
  }
  ATTN_TRY_ASSIGN(cuda::Context context, contextOf(request.spec));
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(request, requestForGPU(std::move(request)));
  ATTN_TRY_ASSIGN(KernelDescription description, planKernels(request));
  return createCUDAKernel(std::move(description), createModSource(request));
}

Result<AttentionKernel> AttentionKernel::compile(const Mod &mod,
                                                 const KernelSpec &spec) {
  auto start = std::chrono::steady_clock::now();
  ATTN_TRY(checkPositions(mod, spec));
  ATTN_TRY_ASSIGN(auto impl, createKernel({mod, spec}));
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  impl->compileSeconds = time.count();
  return AttentionKernel(std::move(impl));
}

static Result<void> checkForGPU(KernelRequest request) {
  ATTN_TRY_ASSIGN(cuda::Context context, contextOf(request.spec));
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(request, requestForGPU(std::move(request)));
  ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
  ATTN_TRY_ASSIGN(LaunchMemory memory, expectedMemory(request.spec, device));
  ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(device));
  ATTN_TRY_ASSIGN(int64_t bytes, lowerForCheck(request, memory));
  if (bytes > info.maxSharedBytes)
    return Error{"the kernel needs " + std::to_string(bytes) +
                 " bytes of shared memory per block, this GPU has " +
                 std::to_string(info.maxSharedBytes)};
  return {};
}

Result<void> AttentionKernel::check(const Mod &mod, const KernelSpec &spec) {
  ATTN_TRY(checkPositions(mod, spec));
  KernelRequest request{mod, spec};
  if (spec.target == Target::CUDA)
    return checkForGPU(std::move(request));
  ATTN_TRY(lowerForCheck(request, {}));
  return {};
}
