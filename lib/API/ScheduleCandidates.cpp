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
using mlir::attn::AttentionBackwardOp;
using mlir::attn::AttentionOp;
using mlir::attn::KernelShape;
using mlir::attn::ScheduleAttr;
using mlir::attn::ScheduledKernel;

namespace {
/// What decides which kernel of the plan a launch takes.
struct Place {
  KernelRequest request;
  Launch launch;
};
} // namespace

static Result<Place> placeOf(const ScheduledLaunch &of, KernelRequest request) {
  Place place{std::move(request), {launchSizesOf(of.sizes), {}}};
  if (of.spec.target == Target::CUDA) {
    ATTN_TRY_ASSIGN(place.request, requestForGPU(std::move(place.request)));
    ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
    ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(device));
    ATTN_TRY_ASSIGN(place.launch.memory,
                    expectedMemory(place.request.spec, device));
    place.launch.sizes = launchSizesOf(of.sizes, info.multiprocessors);
  }
  place.launch.memory.unitCaptures = of.unitCaptures;
  return place;
}

static mlir::attn::LaunchShape shapeOf(const LaunchSizes &sizes, Target target,
                                       bool ownsKeys) {
  mlir::attn::LaunchShape shape;
  shape.tasks = sizes.batch * (ownsKeys ? sizes.keyHeads : sizes.heads);
  shape.queries = sizes.queries, shape.keys = sizes.keys;
  shape.multiprocessors = target == Target::CPU ? 0 : sizes.multiprocessors;
  shape.sharedHeads = sizes.heads / sizes.keyHeads;
  return shape;
}

static std::vector<mlir::attn::Schedule> spaceOf(const ScheduledKernel &kernel,
                                                 const Place &place,
                                                 mlir::MLIRContext *context) {
  return mlir::attn::scheduleSpace(context, kernel.schedule, kernel.shape,
                                   shapeOf(place.launch.sizes,
                                           place.request.spec.target,
                                           kernel.schedule.tiling.ownsKeys));
}

static std::string timeKeyOf(const Place &place, mlir::ModuleOp module) {
  const KernelSpec &spec = place.request.spec;
  return std::string(place.request.planTarget) + (spec.exact ? " exact" : "") +
         " shares " + std::to_string(spec.shares) + "\n" + keyOf(module);
}

template <typename Op> static Op onlyOp(const KernelModule &kernel) {
  Op op;
  mlir::ModuleOp(kernel.module.get()).walk([&](Op found) { op = found; });
  return op;
}

static std::string textOf(mlir::Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

Result<ScheduleCandidates>
attn::scheduleCandidates(const ScheduledLaunch &launch) {
  const Mod &mod = launch.mod;
  ATTN_TRY(checkPositions(mod, launch.spec));
  ATTN_TRY_ASSIGN(Place place, placeOf(launch, {mod, launch.spec}));
  const KernelRequest &request = place.request;
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule planned,
                  buildKernelModule(mod, request.spec, request.planTarget));
  ATTN_TRY_ASSIGN(KernelModule kernel,
                  buildKernelModule(mod, request.spec, request.planTarget,
                                    kernelFor(planned.plan, place.launch)));
  auto op = onlyOp<AttentionOp>(kernel);
  ScheduleCandidates candidates;
  for (const mlir::attn::Schedule &schedule : spaceOf(
           mlir::attn::scheduledKernels(op).front(), place, op.getContext()))
    candidates.schedules.push_back(
        textOf(ScheduleAttr::get(op.getContext(), schedule)));
  candidates.key = timeKeyOf(place, *kernel.module);
  return candidates;
}

//===--- gradients --------------------------------------------------------===//

namespace {
/// The module of the kernels that a launch takes.
struct PlacedGradients {
  Place place;
  KernelModule kernel;
};
} // namespace

/// `spec`: the launch's, but for what is asked of its schedules.
static Result<PlacedGradients> gradientsOf(const ScheduledLaunch &launch,
                                           const KernelSpec &spec) {
  const Mod &mod = launch.mod;
  ATTN_TRY(checkHasGradients(spec));
  KernelRequest asked{mod, spec};
  asked.gradients = true, asked.wrt = launch.wrt;
  ATTN_TRY_ASSIGN(Place place, placeOf(launch, std::move(asked)));
  const KernelRequest &request = place.request;
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(
      KernelModule planned,
      buildGradientModule(mod, request.spec, request.wrt, request.planTarget));
  ATTN_TRY_ASSIGN(KernelModule kernel,
                  buildGradientModule(mod, request.spec, request.wrt,
                                      request.planTarget,
                                      kernelFor(planned.plan, place.launch)));
  return PlacedGradients{std::move(place), std::move(kernel)};
}

Result<ScheduleCandidates> attn::gradientForms(const ScheduledLaunch &launch) {
  ATTN_TRY_ASSIGN(PlacedGradients chosen, gradientsOf(launch, launch.spec));
  ScheduleCandidates forms{{chosen.kernel.schedule},
                           timeKeyOf(chosen.place, *chosen.kernel.module)};
  // Two passes over the pairs, or more, instead of one.
  KernelSpec twice = launch.spec;
  twice.deterministic = true;
  ATTN_TRY_ASSIGN(PlacedGradients other, gradientsOf(launch, twice));
  if (other.kernel.schedule != chosen.kernel.schedule)
    forms.schedules.push_back(other.kernel.schedule);
  return forms;
}

/// Whether the kernel visits pairs for the gradients of query, key or value.
static bool canBeVaried(const ScheduledKernel &kernel) {
  return kernel.shape.kind != KernelShape::Kind::GradRows &&
         kernel.shape.kind != KernelShape::Kind::CapturePairs;
}

/// The list of the operation's schedules with another one at `number` of those
/// that can be varied.
static std::string listWith(AttentionBackwardOp op, size_t number,
                            const mlir::attn::Schedule &schedule) {
  llvm::SmallVector<mlir::Attribute> all{*op.getSchedule(),
                                         *op.getKeySchedule()};
  if (op.getValueSchedule())
    all.push_back(*op.getValueSchedule());
  // Before one pass over the pairs there is a kernel that is not varied.
  if (op.getKeySchedule()->getTiling().once)
    ++number;
  all[number] = ScheduleAttr::get(op.getContext(), schedule);
  return textOf(mlir::ArrayAttr::get(op.getContext(), all));
}

Result<std::vector<std::vector<std::string>>>
attn::gradientCandidates(const ScheduledLaunch &launch,
                         const std::string &list) {
  KernelSpec given = launch.spec;
  given.schedule = list;
  ATTN_TRY_ASSIGN(PlacedGradients kernels, gradientsOf(launch, given));
  std::lock_guard<std::mutex> lock(launch.mod.impl().mutex);
  auto op = onlyOp<AttentionBackwardOp>(kernels.kernel);
  std::vector<std::vector<std::string>> lists;
  for (const ScheduledKernel &kernel : mlir::attn::scheduledKernels(op)) {
    if (!canBeVaried(kernel))
      continue;
    std::vector<std::string> ofKernel;
    for (const mlir::attn::Schedule &schedule :
         spaceOf(kernel, kernels.place, op.getContext()))
      ofKernel.push_back(listWith(op, lists.size(), schedule));
    lists.push_back(std::move(ofKernel));
  }
  return lists;
}
