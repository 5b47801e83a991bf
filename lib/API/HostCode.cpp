// See HostCode.h.
#include "HostCode.h"

#include "CodeCache.h"
#include "CodeKey.h"
#include "HostTarget.h"

#include "attn/Runtime/KernelImage.h"
#include "attn/Support/Try.h"

using namespace attn;

static std::string text(llvm::Error error) {
  return llvm::toString(std::move(error));
}

static Result<std::string> linked(mlir::ModuleOp module,
                                  const std::vector<std::string> &names,
                                  const mlir::attn::CPUTarget &target) {
  auto code = mlir::attn::emitObject(module, names, target);
  if (!code)
    return Error{text(code.takeError())};
  auto linked = mlir::attn::linkObject((*code)->getBuffer());
  if (!linked)
    return Error{text(linked.takeError())};
  return std::move(*linked);
}

Result<std::shared_ptr<const HostCode>>
HostCode::compile(mlir::ModuleOp module,
                  const std::vector<std::string> &names) {
  ATTN_TRY_ASSIGN(mlir::attn::CPUTarget target, hostTarget());
  auto key = [&] {
    std::string text = "functions";
    for (const std::string &name : names)
      text += " " + name;
    return text + "\ncpu " + keyOf(target) + "\n" + keyOf(module);
  };
  ATTN_TRY_ASSIGN(std::string code, cachedCode(cache::Kind::CPU, key, [&] {
                    return linked(module, names, target);
                  }));
  std::shared_ptr<HostCode> host(new HostCode());
  ATTN_TRY_ASSIGN(host->object, LoadedObject::load(code));
  for (const std::string &name : names)
    host->functions.push_back(
        reinterpret_cast<PackedFunction>(host->object->find(packedName(name))));
  return std::shared_ptr<const HostCode>(std::move(host));
}
