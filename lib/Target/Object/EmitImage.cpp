// From lowered kernels to an image for a CPU. See EmitObject.h.
#include "attn/Target/Object/EmitObject.h"

using namespace mlir;
using namespace mlir::attn;
using ::attn::KernelEntry;
using ::attn::KernelImage;

FailureOr<KernelImage> mlir::attn::emitImage(ModuleOp module,
                                             const CPUTarget &target) {
  KernelImage image;
  FailureOr<std::vector<KernelEntry>> entries = describeTaskKernels(module);
  if (failed(entries))
    return failure();
  if (entries->empty())
    return module.emitError() << "expects a kernel for a CPU, got none";
  image.entries = std::move(*entries);
  std::vector<std::string> names;
  for (const KernelEntry &entry : image.entries) {
    names.push_back(entry.name);
    names.push_back(entry.taskCount);
  }
  auto object = emitObject(module, names, target);
  if (!object)
    return module.emitError() << llvm::toString(object.takeError());
  auto linked = linkObject((*object)->getBuffer());
  if (!linked)
    return module.emitError() << llvm::toString(linked.takeError());
  image.kind = KernelImage::Code::SharedObject;
  image.target = target.name();
  image.features = target.features(usesMatrixUnits(module));
  image.code = std::move(*linked);
  return image;
}
