// See HostTarget.h.
#include "HostTarget.h"

#include "attn/Runtime/CPUFeatures.h"
#include "attn/Support/Try.h"

#include <cstdlib>

using namespace attn;
using mlir::attn::CPUTarget;

Result<CPUTarget> attn::hostTarget() {
  const char *name = std::getenv("ATTN_CPU");
  llvm::Expected<CPUTarget> target = CPUTarget::create(name ? name : "");
  if (!target)
    return Error{(name ? "ATTN_CPU: " : "") +
                 llvm::toString(target.takeError())};
  std::vector<std::string> missing;
  if (name)
    missing = cpu::missingFeatures(target->features());
  if (!missing.empty())
    return Error{std::string("ATTN_CPU: expects a CPU whose code runs here, "
                             "got '") +
                 name + "', which has " + missing.front()};
  // The operating system may keep them from programs.
  if (target->hasMatrixUnits() && !cpu::missingFeatures({"amx-bf16"}).empty())
    target->forgetMatrixUnits();
  return std::move(*target);
}

Result<int64_t> attn::hostLanes() {
  static const Result<int64_t> lanes = []() -> Result<int64_t> {
    ATTN_TRY_ASSIGN(CPUTarget target, hostTarget());
    return target.lanes();
  }();
  return lanes;
}
