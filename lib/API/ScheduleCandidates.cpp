// See ScheduleCandidates.h.
#include "ScheduleCandidates.h"

#include "../Launch/CUDALaunch.h"
#include "../Launch/PlannedKernels.h"
#include "CodeKey.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "ModKernels.h"

#include "attn/Analysis/ScheduleSpace.h"
#include "attn/Analysis/ScheduledKernels.h"
#include "attn/Support/Try.h"

using namespace attn;
using mlir::attn::AttentionOp;
using mlir::attn::ScheduleAttr;

namespace {
/// What decides which kernel of the plan a launch takes.
struct Place {
  KernelRequest request;
  Launch launch;
};
} // namespace

static Result<Place> placeOf(const Mod &mod, const KernelSpec &spec,
                             const ProblemSizes &sizes, bool unitCaptures) {
  Place place{{mod, spec}, {launchSizesOf(sizes), {}}};
  if (spec.target == Target::CUDA) {
    ATTN_TRY_ASSIGN(place.request, requestForGPU(std::move(place.request)));
    ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
    ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(device));
    ATTN_TRY_ASSIGN(place.launch.memory,
                    expectedMemory(place.request.spec, device));
    place.launch.sizes = launchSizesOf(sizes, info.multiprocessors);
  }
  place.launch.memory.unitCaptures = unitCaptures;
  return place;
}

static mlir::attn::LaunchShape shapeOf(const LaunchSizes &sizes, bool isCPU) {
  mlir::attn::LaunchShape shape;
  shape.tasks = sizes.batch * sizes.heads;
  shape.queries = sizes.queries, shape.keys = sizes.keys;
  shape.multiprocessors = isCPU ? 0 : sizes.multiprocessors;
  shape.sharedHeads = sizes.heads / sizes.keyHeads;
  return shape;
}

Result<ScheduleCandidates> attn::scheduleCandidates(const Mod &mod,
                                                    const KernelSpec &spec,
                                                    const ProblemSizes &sizes,
                                                    bool unitCaptures) {
  ATTN_TRY(checkPositions(mod, spec));
  ATTN_TRY_ASSIGN(Place place, placeOf(mod, spec, sizes, unitCaptures));
  const KernelRequest &request = place.request;
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule planned,
                  buildKernelModule(mod, request.spec, request.planTarget));
  ATTN_TRY_ASSIGN(KernelModule kernel,
                  buildKernelModule(mod, request.spec, request.planTarget,
                                    kernelFor(planned.plan, place.launch)));
  AttentionOp op;
  kernel.module->walk([&](AttentionOp found) { op = found; });
  mlir::attn::ScheduledKernel chosen = mlir::attn::scheduledKernels(op).front();
  ScheduleCandidates candidates;
  for (const mlir::attn::Schedule &schedule : mlir::attn::scheduleSpace(
           op.getContext(), chosen.schedule, chosen.shape,
           shapeOf(place.launch.sizes, spec.target == Target::CPU)))
    llvm::raw_string_ostream(candidates.schedules.emplace_back())
        << ScheduleAttr::get(op.getContext(), schedule);
  candidates.key = std::string(request.planTarget) +
                   (spec.exact ? " exact" : "") + " shares " +
                   std::to_string(spec.shares) + "\n" + keyOf(*kernel.module);
  return candidates;
}
