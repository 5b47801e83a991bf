// See LoadedCPUKernel.h.
#include "attn/Runtime/LoadedCPUKernel.h"

#include "attn/Runtime/CPUFeatures.h"
#include "attn/Runtime/LoadedObject.h"
#include "attn/Runtime/ThreadPool.h"
#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;
using namespace attn::cpu;

static Result<void> checkTarget(const KernelImage &image) {
  if (image.kind != KernelImage::Code::SharedObject)
    return Error{"expects an image for a CPU, got one for a GPU (" +
                 image.target + ")"};
  std::vector<std::string> missing = missingFeatures(image.features);
  if (missing.empty())
    return {};
  std::string names;
  for (const std::string &name : missing)
    names += (names.empty() ? "" : ", ") + name;
  return Error{"expects a CPU that runs code for " + image.target +
               ", got one without " + names};
}

static Result<PackedFunction> functionOf(const LoadedObject &object,
                                         const std::string &name) {
  if (void *found = object.find(packedName(name)))
    return reinterpret_cast<PackedFunction>(found);
  return Error{"the code of the image has no function '" + name + "'"};
}

Result<std::vector<LoadedKernel>> LoadedKernel::load(const KernelImage &image) {
  ATTN_TRY(checkTarget(image));
  ATTN_TRY_ASSIGN(auto object, LoadedObject::load(image.code));
  std::vector<LoadedKernel> kernels;
  for (const KernelEntry &entry : image.entries) {
    ATTN_TRY_ASSIGN(PackedFunction compute, functionOf(*object, entry.name));
    ATTN_TRY_ASSIGN(PackedFunction count, functionOf(*object, entry.taskCount));
    kernels.emplace_back(entry, compute, count, object);
  }
  return kernels;
}

Result<void> LoadedKernel::run(Bindings &bindings) const {
  ATTN_TRY_ASSIGN(TaskCall call,
                  TaskCall::bind(description.signature, bindings));
  int64_t tasks = 0;
  count(call.argumentsOfCount(tasks).data());
  hostThreads().run(tasks, [&](int64_t task, unsigned) {
    compute(call.argumentsOf(task).data());
  });
  return {};
}

Result<void> LoadedKernel::runShort(int64_t tasks, Bindings &bindings) const {
  ATTN_TRY_ASSIGN(TaskCall call,
                  TaskCall::bind(description.signature, bindings));
  // Most tasks take less time than a turn of the pool.
  int64_t batch = std::max<int64_t>(1, tasks / 4096);
  hostThreads().run((tasks + batch - 1) / batch, [&](int64_t turn, unsigned) {
    int64_t task = turn * batch;
    std::vector<void *> own = call.argumentsOf(task);
    for (int64_t end = std::min(tasks, task + batch); task < end; ++task)
      compute(own.data());
  });
  return {};
}
