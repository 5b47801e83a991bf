// See HostCode.h.
#include "HostCode.h"

#include "HostTarget.h"

#include "attn/Runtime/KernelImage.h"
#include "attn/Support/Try.h"

using namespace attn;

static std::string text(llvm::Error error) {
  return llvm::toString(std::move(error));
}

Result<std::shared_ptr<const HostCode>>
HostCode::compile(mlir::ModuleOp module,
                  const std::vector<std::string> &names) {
  ATTN_TRY_ASSIGN(mlir::attn::CPUTarget target, hostTarget());
  auto code = mlir::attn::emitObject(module, names, target);
  if (!code)
    return Error{text(code.takeError())};
  auto linked = mlir::attn::linkObject((*code)->getBuffer());
  if (!linked)
    return Error{text(linked.takeError())};
  std::shared_ptr<HostCode> host(new HostCode());
  ATTN_TRY_ASSIGN(host->object, LoadedObject::load(*linked));
  for (const std::string &name : names)
    host->functions.push_back(
        reinterpret_cast<PackedFunction>(host->object->find(packedName(name))));
  return std::shared_ptr<const HostCode>(std::move(host));
}
