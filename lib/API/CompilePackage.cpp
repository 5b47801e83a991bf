// KernelPackage::compile: every kernel that a launch may ask for, asked for
// now.
#include "../Launch/CUDALaunch.h"
#include "../Launch/PackageImpl.h"
#include "KernelModule.h"
#include "ModKernels.h"

#include "attn/Support/Try.h"
#include "attn/Target/PTX/EmitPTX.h"

#include <algorithm>

using namespace attn;

/// What the compiler is asked for. Errors: a target or a schedule that there is
/// no kernel for.
Result<KernelRequest> attn::requestForPackage(const Mod &mod,
                                              const PackageSpec &of) {
  KernelRequest request{mod, of.kernel};
  KernelSpec &spec = request.spec;
  spec.device.reset();
  if (of.made == "cpu") {
    spec.target = Target::CPU;
    request.cpu = of.cpu == "native" ? "" : of.cpu;
    return request;
  }
  if (of.made != "sm80" && of.made != "sm90a")
    return Error{"expects target cpu, sm80 or sm90a, got '" + of.made + "'"};
  spec.target = Target::CUDA;
  spec.portable = of.made == "sm80";
  spec = withAlignment(spec);
  request.planTarget = spec.portable ? "sm80" : "sm90a";
  return request;
}

/// Errors: a schedule that only sm90a has.
static Result<void> checkSchedule(const KernelRequest &request) {
  const KernelSpec &spec = request.spec;
  if (spec.target == Target::CPU || spec.schedule.empty())
    return {};
  ATTN_TRY_ASSIGN(ScheduleNeeds needs,
                  request.gradients
                      ? needsOfGradientSchedules(request.mod, spec.schedule)
                      : needsOfSchedule(request.mod, spec.schedule));
  if (needs != ScheduleNeeds::Nothing && spec.portable)
    return Error{std::string("expects a schedule without ") +
                 (needs == ScheduleNeeds::TMA ? "producers" : "'dependent'") +
                 " for sm80"};
  return {};
}

/// Makes cubins of what only one kind of GPU runs anyway.
static Result<void> assemble(VariantImages &variant, const std::string &ptxas) {
  for (KernelImage &image : variant.images) {
    if (image.kind != KernelImage::Code::PTX || image.target != "sm_90a")
      continue;
    if (llvm::Error error = mlir::attn::assembleImage(image, ptxas))
      return Error{llvm::toString(std::move(error))};
  }
  return {};
}

/// The functions that find the tiles of all kernels which take lists.
static Result<void> addTiles(PackagedKernels &kernels,
                             const KernelSource &source, bool transposed) {
  auto add = [&](TileGroup group, const KernelEntry &entry) -> Result<void> {
    for (const PackagedTiles &known : kernels.tiles)
      if (known.group == group && known.queryTile == entry.queryTile &&
          known.keyTile == entry.keyTile)
        return {};
    ATTN_TRY_ASSIGN(KernelImage image,
                    source.tiles(group, entry.queryTile, entry.keyTile));
    kernels.tiles.push_back(
        {group, entry.queryTile, entry.keyTile, std::move(image)});
    return {};
  };
  for (const VariantImages &variant : kernels.variants)
    for (const KernelImage &image : variant.images)
      for (const KernelEntry &entry : image.entries) {
        if (!takes(entry.signature, Role::ListOrder))
          continue;
        ATTN_TRY(add(TileGroup::Lists, entry));
        if (transposed)
          ATTN_TRY(add(TileGroup::Transposed, entry));
      }
  return {};
}

/// Whether it takes every launch on sm_90a with memory that TMA takes that none
/// before it takes.
static bool takesAllOfSM90a(const Guard &guard) {
  return guard.has(Condition::Kind::SM90a) &&
         std::all_of(guard.conditions.begin(), guard.conditions.end(),
                     [](const Condition &condition) {
                       return condition.kind == Condition::Kind::SM90a ||
                              condition.kind == Condition::Kind::Aligned;
                     });
}

static Result<PackagedKernels> compileAll(const KernelRequest &request,
                                          const PackageSpec &of) {
  ATTN_TRY(checkSchedule(request));
  PackagedKernels kernels;
  ATTN_TRY_ASSIGN(kernels.description, planKernels(request));
  SharedSource source = createModSource(request);
  bool isAlone = of.made == "sm90a" && !of.fallback;
  bool leavesOut = false; ///< what a GPU of sm_90a with TMA never takes
  LaunchPlan plan;
  plan.swap(kernels.description.plan);
  for (size_t i = 0; i < plan.size(); ++i) {
    bool isLeftOut = leavesOut && !plan[i].has(Condition::Kind::SM90a);
    leavesOut |= isAlone && takesAllOfSM90a(plan[i]);
    // The last one stands for all launches that no other takes.
    if (isLeftOut && i + 1 < plan.size())
      continue;
    kernels.description.plan.push_back(plan[i]);
    VariantImages &variant = kernels.variants.emplace_back();
    if (isLeftOut)
      continue;
    ATTN_TRY_ASSIGN(variant, source->variant(i));
    if (!of.ptxas.empty())
      ATTN_TRY(assemble(variant, of.ptxas));
  }
  if (isAlone && !leavesOut)
    return Error{"expects kernels for sm90a alone, but there are none of this "
                 "type and these dimensions: only those for every GPU"};
  ATTN_TRY(addTiles(kernels, *source, request.gradients));
  return kernels;
}

Result<KernelPackage> KernelPackage::compile(const Mod &mod,
                                             const PackageSpec &spec) {
  ATTN_TRY(checkPositions(mod, spec.kernel));
  ATTN_TRY_ASSIGN(KernelRequest request, requestForPackage(mod, spec));
  auto impl = std::make_shared<KernelPackage::Impl>();
  impl->made = spec.made, impl->mod = mod.name();
  ATTN_TRY_ASSIGN(impl->forward, compileAll(request, spec));
  if (spec.gradients) {
    ATTN_TRY(checkHasGradients(spec.kernel));
    request.gradients = true;
    ATTN_TRY_ASSIGN(request.wrt, findCaptures(mod, spec.wrt));
    // A schedule is of the forward pass.
    request.spec.schedule.clear();
    ATTN_TRY_ASSIGN(impl->gradients, compileAll(request, spec));
    impl->gradients->description.spec = impl->forward.description.spec;
  }
  return KernelPackage(std::move(impl));
}
