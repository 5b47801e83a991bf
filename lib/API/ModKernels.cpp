// See ModKernels.h.
#include "ModKernels.h"

#include "../Launch/CUDALaunch.h"
#include "../Launch/PlannedKernels.h"
#include "../Launch/TilesImpl.h"
#include "KernelModule.h"
#include "MaskAnalysis.h"
#include "ModImpl.h"

#include "attn/Conversion/TileLists.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <mutex>

using namespace attn;

/// The module of one of the kernels, or of all launches (none). The caller
/// holds the mod's mutex.
static Result<KernelModule> build(const KernelRequest &of,
                                  std::optional<size_t> place = std::nullopt) {
  return of.gradients
             ? buildGradientModule(of.mod, of.spec, of.wrt, of.planTarget,
                                   place)
             : buildKernelModule(of.mod, of.spec, of.planTarget, place);
}

/// `guard`: of the kernel in the plan.
static CodeTarget codeTargetOf(const KernelRequest &of, const Guard &guard) {
  CodeTarget target;
  target.target = of.spec.target;
  target.cpu = of.cpu;
  target.pipeline = targetOf(guard);
  target.exact = of.spec.exact || of.spec.type == ElementType::F32;
  return target;
}

Result<KernelDescription> attn::planKernels(const KernelRequest &request) {
  std::lock_guard<std::mutex> lock(request.mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule planned, build(request));
  return KernelDescription{request.spec, request.mod.captures(),
                           maskFactsOf(request.mod), std::move(planned.plan),
                           request.wrt};
}

Result<int64_t> attn::lowerForCheck(const KernelRequest &request,
                                    const LaunchMemory &memory) {
  std::lock_guard<std::mutex> lock(request.mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule planned, build(request));
  size_t place = kernelForAnySizes(planned.plan, memory);
  ATTN_TRY_ASSIGN(KernelModule kernel, build(request, place));
  ATTN_TRY(lowerAttention(request.mod, *kernel.module,
                          codeTargetOf(request, planned.plan[place])));
  int64_t bytes = 0;
  kernel.module->walk([&](mlir::Operation *op) {
    if (auto func = mlir::dyn_cast<mlir::FunctionOpInterface>(op))
      bytes = std::max(bytes, mlir::attn::sharedBytesOf(func));
  });
  return bytes;
}

Result<std::string> attn::printKernel(const KernelRequest &request,
                                      PrintedForm form) {
  std::lock_guard<std::mutex> lock(request.mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule planned, build(request));
  LaunchMemory memory;
  memory.sm90a = !request.spec.portable;
  size_t place = kernelForAnySizes(planned.plan, memory);
  ATTN_TRY_ASSIGN(KernelModule kernel, build(request, place));
  if (form == PrintedForm::LLVM)
    ATTN_TRY(lowerToLLVM(request.mod, *kernel.module,
                         codeTargetOf(request, planned.plan[place])));
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel.module->print(stream);
  return text + "\n";
}

//===--- images -----------------------------------------------------------===//

/// The entries of an image by name, those that are named and no others.
static void orderEntries(KernelImage &image,
                         const std::vector<std::string> &names) {
  std::vector<KernelEntry> ordered;
  for (const std::string &name : names)
    if (const KernelEntry *entry = image.find(name))
      ordered.push_back(*entry);
  image.entries = std::move(ordered);
}

/// The kernels of gradients, in the order of their launches.
static std::vector<std::string> gradientNames(const KernelModule &kernel) {
  std::vector<std::string> names{KernelModule::gradQueryFunction};
  for (const KernelModule::OfKeys &ofKeys : kernel.ofKeys)
    names.push_back(ofKeys.function);
  for (size_t i = 0; i < kernel.sums.size(); ++i) {
    if (kernel.sums[i].hasSlots())
      names.push_back(kernel.gradSlotsFunction(i));
    names.push_back(KernelModule::gradSumFunction(i));
  }
  return names;
}

namespace {
/// A group's name in attn-to-tile-lists and its functions, in the order of
/// their numbers.
struct GroupNames {
  const char *group;
  std::vector<const char *> functions;
};
} // namespace

static GroupNames namesOf(TileGroup group) {
  using namespace mlir::attn;
  switch (group) {
  case TileGroup::Lists:
    return {"lists",
            {tile_lists::queryParts, tile_lists::keyParts, tile_lists::classify,
             tile_lists::count, tile_lists::fill}};
  case TileGroup::Transposed:
    return {"transposed",
            {tile_lists::countTransposed, tile_lists::fillTransposed}};
  case TileGroup::Pairs:
    return {"pairs", {tile_lists::countPairs}};
  }
  return {};
}

/// The image of the functions that find tiles of a size.
static Result<KernelImage> tileImageOf(const Mod &mod, TileGroup group,
                                       int64_t queryTile, int64_t keyTile,
                                       const CodeTarget &target) {
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  KernelSpec spec;
  spec.schedule = "#attn.schedule<tiling = <q = " + std::to_string(queryTile) +
                  ", kv = " + std::to_string(keyTile) + ">>";
  ATTN_TRY_ASSIGN(KernelModule kernel, buildKernelModule(mod, spec, "cpu"));
  GroupNames names = namesOf(group);
  ATTN_TRY_ASSIGN(KernelImage image,
                  makeTileListImage(mod, *kernel.module, names.group, target));
  std::vector<std::string> functions;
  for (const char *suffix : names.functions)
    functions.push_back(std::string(KernelModule::function) + suffix);
  orderEntries(image, functions);
  return image;
}

namespace {
struct ModTiles final : TileSource {
  ModTiles(const Mod &mod, CodeTarget target)
      : mod(mod), target(std::move(target)) {}

  Result<KernelImage> tiles(TileGroup group, int64_t queryTile,
                            int64_t keyTile) const override {
    return tileImageOf(mod, group, queryTile, keyTile, target);
  }

  Mod mod;
  CodeTarget target;
};

struct ModSource final : KernelSource {
  explicit ModSource(const KernelRequest &request) : request(request) {}

  Result<VariantImages> variant(size_t place) const override {
    std::lock_guard<std::mutex> lock(request.mod.impl().mutex);
    ATTN_TRY_ASSIGN(KernelModule kernel, build(request, place));
    VariantImages variant;
    ATTN_TRY_ASSIGN(
        variant.images,
        makeAttentionImages(request.mod, *kernel.module,
                            codeTargetOf(request, kernel.plan[place])));
    if (request.gradients && request.spec.target == Target::CPU)
      orderEntries(variant.images.front(), gradientNames(kernel));
    variant.schedule = std::move(kernel.schedule);
    variant.sums = std::move(kernel.sums);
    return variant;
  }

  Result<KernelImage> tiles(TileGroup group, int64_t queryTile,
                            int64_t keyTile) const override {
    CodeTarget target;
    target.target = request.spec.target;
    target.cpu = request.cpu;
    return tileImageOf(request.mod, group, queryTile, keyTile, target);
  }

  KernelRequest request;
};
} // namespace

SharedSource attn::createModSource(const KernelRequest &request) {
  return std::make_shared<ModSource>(request);
}

Result<TileFinder> TileFinder::compile(const Mod &mod, Target target,
                                       int64_t queryTile, int64_t keyTile) {
  KernelDescription description;
  description.spec.target = target;
  description.captures = mod.captures();
  {
    std::lock_guard<std::mutex> lock(mod.impl().mutex);
    description.mask = maskFactsOf(mod);
  }
  CodeTarget code;
  code.target = target;
  return createTileFinder(description, std::make_shared<ModTiles>(mod, code),
                          queryTile, keyTile);
}
