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
  std::shared_ptr<HostCode> host;
  auto use = [&](const std::string &code) -> Result<void> {
    host.reset(new HostCode());
    ATTN_TRY_ASSIGN(host->object, LoadedObject::load(code));
    for (const std::string &name : names) {
      void *function = host->object->find(packedName(name));
      if (!function)
        return Error{"expects code of a function '" + name + "', got none"};
      host->functions.push_back(reinterpret_cast<PackedFunction>(function));
    }
    return {};
  };
  ATTN_TRY(cachedCode(
      cache::Kind::CPU, key, [&] { return linked(module, names, target); },
      use));
  return std::shared_ptr<const HostCode>(std::move(host));
}
