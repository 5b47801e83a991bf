// Which backends there are on which device.
#include "backends/Registry.h"

#include "backends/TorchWorker.h"
#include "config/Files.h"

using namespace attn;
using namespace attn::bench;

namespace {
class Absent final : public Backend {
public:
  Absent(std::string name, Refusal refusal)
      : label(std::move(name)), refusal(std::move(refusal)) {}
  const char *name() const override { return label.c_str(); }
  std::optional<Refusal> prepare(const Problem &) override { return refusal; }
  Result<void> run(Pass) override { return Error{refusal.reason}; }

private:
  std::string label;
  Refusal refusal;
};
} // namespace

static std::unique_ptr<Backend> absent(const std::string &name,
                                       const std::string &reason) {
  return std::make_unique<Absent>(name, Refusal{Refusal::Unavailable, reason});
}

std::vector<std::unique_ptr<Backend>>
attn::bench::createBackends(const std::vector<std::string> &names,
                            Device &device, const BackendOptions &options) {
  bool cuda = device.target() == Target::CUDA;
  std::shared_ptr<TorchWorker> worker;
  auto torch = [&](const std::string &name) -> std::unique_ptr<Backend> {
    std::string directory = workerDirectory();
    if (directory.empty())
      return absent(name, "the tool's folder 'worker' is missing");
    if (!worker) {
      worker = std::make_shared<TorchWorker>(options.python, directory,
                                             options.workerTimeout);
      device.allocateShareable();
    }
    return createTorch(name, device, options.torch, worker);
  };
  std::vector<std::unique_ptr<Backend>> backends;
  size_t compiled = 0;
  for (const std::string &name : names) {
    if (name.rfind("compiled", 0) == 0)
      backends.push_back(createCompiled(
          name, device,
          {options.schedules[compiled++], options.schedules.size() > 1,
           options.exact,
           options.torch.dynamic ? std::optional(kMostVariants) : std::nullopt,
           options.deterministic, options.tuneSeconds}));
    else if (name == "math")
      backends.push_back(cuda ? createMathCUDA(device) : createMathCPU(device));
    else if (name == "cudnn" && cuda)
      backends.push_back(createCudnn(device, options.deterministic));
    else if (name == "cudnn")
      backends.push_back(absent(name, "needs an NVIDIA GPU"));
    else
      backends.push_back(torch(name));
  }
  return backends;
}
