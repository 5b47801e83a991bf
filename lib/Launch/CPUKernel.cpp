// Attention on the CPU: tasks on all cores.
#include "CaptureViews.h"
#include "HostMemory.h"
#include "KernelImpl.h"
#include "PartMemory.h"
#include "PlannedKernels.h"
#include "TilesImpl.h"

#include "attn/Conversion/Shares.h"
#include "attn/Runtime/LoadedCPUKernel.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

using namespace attn;

namespace {
struct Code {
  cpu::LoadedKernel kernel;
  std::optional<cpu::LoadedKernel> merge; ///< behind one of parts
  std::optional<TileFinder> finder;       ///< if it needs lists of tiles
};

struct CPUKernel : public AttentionKernel::Impl {
  Result<void> run(const KernelArguments &arguments) const override;
  Result<void> prepare(const SizeRange *range) const override {
    for (size_t place : kernelsFor(codes.plan(), launchRangeOf(range, {})))
      ATTN_TRY(codeFor(place));
    return {};
  }
  Result<int64_t> workspaceBytes(const SizeRange &range) const override {
    int64_t bytes = 0;
    for (size_t place : kernelsFor(codes.plan(), launchRangeOf(&range, {}))) {
      ATTN_TRY_ASSIGN(const Code *code, codeFor(place));
      if (code->merge)
        bytes = std::max(bytes, partsOf(*code, range).bytes());
    }
    return bytes;
  }
  Result<void> writeEmptyRows(const KernelArguments &arguments) const override;
  Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                          void *) const override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return {};
  }
  Result<const Code *> codeFor(size_t place) const;
  PartMemory partsOf(const Code &code, const SizeRange &range) const {
    const KernelEntry &entry = code.kernel.entry();
    if (entry.chunk)
      return PartMemory::ofChunks(entry, spec, range);
    int64_t shares = spec.shares ? spec.shares : mlir::attn::hostShares;
    return PartMemory::ofShares(entry, spec, shares);
  }
  Result<void> runParts(const Code &code, const ProblemSizes &sizes,
                        const Workspace &workspace, Bindings &bindings) const;

  KernelDescription description;
  SharedSource source;
  PlannedKernels<Code> codes;
};
} // namespace

Result<const Code *> CPUKernel::codeFor(size_t place) const {
  return codes.get(place, [&]() -> Result<Code> {
    ATTN_TRY_ASSIGN(VariantImages variant, source->variant(place));
    ATTN_TRY_ASSIGN(std::vector<cpu::LoadedKernel> kernels,
                    cpu::LoadedKernel::load(variant.images.front()));
    Code code{std::move(kernels.front()), std::nullopt, std::nullopt};
    const KernelEntry &entry = code.kernel.entry();
    if (hasParts(entry))
      code.merge = std::move(kernels.back());
    if (takes(entry.signature, Role::ListOrder)) {
      ATTN_TRY_ASSIGN(code.finder,
                      createTileFinder(description, source, entry.queryTile,
                                       entry.keyTile));
    }
    return code;
  });
}

Result<void> CPUKernel::run(const KernelArguments &a) const {
  Launch launch;
  ProblemSizes sizes = sizesOf(a);
  launch.sizes = launchSizesOf(sizes);
  launch.memory.unitCaptures = haveUnitStrides(a.captures);
  ATTN_TRY_ASSIGN(const Code *code, codeFor(kernelFor(codes.plan(), launch)));
  Bindings bindings = bindingsOf(*this, a);
  TileLists own;
  if (code->finder) {
    ATTN_TRY_ASSIGN(const TileLists *found, listsFor(*code->finder, a, own));
    found->impl().arguments.bind(bindings);
  }
  if (!code->merge)
    return code->kernel.run(bindings);
  return runParts(*code, sizes, a.workspace, bindings);
}

Result<void> CPUKernel::runParts(const Code &code, const ProblemSizes &sizes,
                                 const Workspace &workspace,
                                 Bindings &bindings) const {
  PartMemory parts = partsOf(code, {sizes, sizes});
  ATTN_TRY(checkWorkspace(workspace, parts));
  if (parts.tasks == 0)
    return {};
  std::unique_ptr<void, decltype(&std::free)> own(nullptr, std::free);
  if (!workspace.data) {
    own.reset(std::malloc(static_cast<size_t>(parts.bytes())));
    if (!own)
      return Error{"out of memory: the workspace needs " +
                   std::to_string(parts.bytes()) + " bytes"};
  }
  parts = parts.forLaunch(code.kernel.entry(), sizes);
  parts.bind(bindings, workspace.data ? workspace.data : own.get());
  ATTN_TRY(code.kernel.run(bindings));
  return code.merge->runShort(parts.mergeTasks(code.kernel.entry(), sizes),
                              bindings);
}

Result<void> CPUKernel::writeEmptyRows(const KernelArguments &a) const {
  writeZeros(a.out);
  if (a.lse)
    std::fill_n(a.lse, a.out.sizes[0] * a.out.sizes[1] * a.out.sizes[2],
                -std::numeric_limits<float>::infinity());
  return {};
}

AttentionImpl attn::createCPUKernel(KernelDescription description,
                                    SharedSource source) {
  auto impl = std::make_shared<CPUKernel>();
  impl->spec = description.spec;
  impl->captures = description.captures;
  impl->codes.setPlan(description.plan);
  impl->description = std::move(description);
  impl->source = std::move(source);
  size_t place = kernelForAnySizes(impl->codes.plan(), {});
  ATTN_TRY_ASSIGN(const Code *code, impl->codeFor(place));
  const KernelEntry &entry = code->kernel.entry();
  impl->schedule = entry.schedule;
  impl->queryTile = entry.queryTile, impl->keyTile = entry.keyTile;
  impl->finder = code->finder;
  return std::shared_ptr<AttentionKernel::Impl>(impl);
}
