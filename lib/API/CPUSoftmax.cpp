// Softmax of materialised scores on the CPU, a row at a time, on all cores.
#include "../Launch/CaptureViews.h"
#include "../Launch/HostMemory.h"
#include "HostCode.h"
#include "HostTarget.h"
#include "ModImpl.h"
#include "SoftmaxImpl.h"
#include "SoftmaxModule.h"

#include "attn/Conversion/Passes.h"
#include "attn/Pipelines/CPU.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>

using namespace attn;

namespace {
struct CPUSoftmax : public SoftmaxKernel::Impl {
  Result<void> run(const void *scores, void *probabilities, void *lse,
                   int64_t first, int64_t count, int64_t heads, int64_t queries,
                   int64_t keys, double scale,
                   const std::vector<CaptureView> &views,
                   void *stream) const override;

  std::shared_ptr<const HostCode> code;
  std::vector<CaptureInfo> captures;
  ElementType scoreType, probabilityType;
};

/// One thread's arguments of the row function.
class RowArguments {
public:
  RowArguments(const CPUSoftmax &kernel, int64_t keys, double scale,
               const std::vector<CaptureView> &views)
      : keys(keys), width(byteWidth(kernel.scoreType)),
        probabilityWidth(byteWidth(kernel.probabilityType)),
        blocks((keys + softmaxLanes - 1) / softmaxLanes),
        scratch((blocks + 1) * softmaxLanes * width + width), scale64(scale),
        scale32(static_cast<float>(scale)) {
    char *memory = scratch.data();
    descriptors.reserve(6 + views.size());
    for (int i = 0; i < 2; ++i)
      descriptors.emplace_back(nullptr, std::vector<int64_t>{keys});
    descriptors.emplace_back(memory, std::vector<int64_t>{keys});
    descriptors.emplace_back(memory,
                             std::vector<int64_t>{blocks, softmaxLanes});
    memory += blocks * softmaxLanes * width;
    descriptors.emplace_back(memory, std::vector<int64_t>{softmaxLanes});
    lseScratch = memory + softmaxLanes * width;
    descriptors.emplace_back(lseScratch, std::vector<int64_t>{1});
    for (Descriptor &descriptor : descriptors)
      addresses.push_back(descriptor.address());
    for (int32_t *position : {&batch, &head, &query})
      addresses.push_back(position);
    addresses.push_back(kernel.scoreType == ElementType::F64
                            ? static_cast<void *>(&scale64)
                            : &scale32);
    for (size_t i = 0; i < views.size(); ++i) {
      void *data = const_cast<void *>(views[i].data);
      if (!kernel.captures[i].isScalar) {
        descriptors.emplace_back(views[i]);
        data = descriptors.back().address();
      }
      addresses.push_back(data);
    }
  }
  RowArguments(const RowArguments &) = delete;

  void call(PackedFunction function, const char *scores, char *probabilities,
            char *lse, int64_t row, int64_t first, int64_t heads,
            int64_t queries) {
    auto place = [&](int i, void *data) {
      static_cast<void **>(descriptors[i].address())[0] = data;
      static_cast<void **>(descriptors[i].address())[1] = data;
    };
    place(0, const_cast<char *>(scores) + row * keys * width);
    place(1, probabilities + row * keys * probabilityWidth);
    place(5, lse ? lse + row * width : lseScratch);
    int64_t bh = first + row / queries;
    batch = bh / heads, head = bh % heads, query = row % queries;
    function(addresses.data());
  }

private:
  int64_t keys, width, probabilityWidth, blocks;
  std::vector<char> scratch;
  char *lseScratch = nullptr;
  std::vector<Descriptor> descriptors;
  std::vector<void *> addresses;
  int32_t batch = 0, head = 0, query = 0;
  double scale64;
  float scale32;
};
} // namespace

Result<void> CPUSoftmax::run(const void *scores, void *probabilities, void *lse,
                             int64_t first, int64_t count, int64_t heads,
                             int64_t queries, int64_t keys, double scale,
                             const std::vector<CaptureView> &views,
                             void *) const {
  ATTN_TRY(checkCaptures(captures, views));
  constexpr int64_t rowsPerTask = 32;
  int64_t rows = count * queries;
  ThreadPool &threads = hostThreads();
  std::vector<std::unique_ptr<RowArguments>> arguments;
  for (unsigned i = 0; i < threads.size(); ++i)
    arguments.push_back(
        std::make_unique<RowArguments>(*this, keys, scale, views));
  threads.run((rows + rowsPerTask - 1) / rowsPerTask,
              [&](int64_t task, unsigned thread) {
                int64_t end = std::min(rows, (task + 1) * rowsPerTask);
                for (int64_t row = task * rowsPerTask; row < end; ++row)
                  arguments[thread]->call(
                      code->function(0), static_cast<const char *>(scores),
                      static_cast<char *>(probabilities),
                      static_cast<char *>(lse), row, first, heads, queries);
              });
  return {};
}

SoftmaxImpl attn::createCPUSoftmax(const Mod &mod, ElementType scoreType,
                                   ElementType probabilityType) {
  ATTN_TRY_ASSIGN(int64_t lanes, hostLanes());
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  mlir::OwningOpRef<mlir::ModuleOp> module =
      buildSoftmaxModule(mod, scoreType, probabilityType);
  Result<void> lowered = mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    mlir::attn::LinalgToVectorLoopsPassOptions loops;
    loops.width = 2 * lanes;
    pm.addNestedPass<mlir::func::FuncOp>(
        mlir::attn::createLinalgToVectorLoopsPass(loops));
    mlir::attn::buildLowerToLLVMPipeline(pm);
    return pm.run(*module);
  });
  ATTN_TRY(lowered);
  ATTN_TRY_ASSIGN(auto code, HostCode::compile(*module, {"softmax_row"}));
  auto impl = std::make_shared<CPUSoftmax>();
  impl->code = code;
  impl->captures = mod.captures();
  impl->scoreType = scoreType;
  impl->probabilityType = probabilityType;
  return std::shared_ptr<SoftmaxKernel::Impl>(impl);
}
