// Which backends there are on which device.
#include "Registry.h"

using namespace attn;
using namespace attn::bench;

namespace {
class Absent final : public Backend {
public:
  Absent(std::string name, Refusal refusal)
      : label(std::move(name)), refusal(std::move(refusal)) {}
  const char *name() const override { return label.c_str(); }
  std::optional<Refusal> prepare(const Problem &) override { return refusal; }
  Result<void> run(const TensorView &) override {
    return Error{refusal.reason};
  }

private:
  std::string label;
  Refusal refusal;
};
} // namespace

std::unique_ptr<Backend>
attn::bench::createBackend(const std::string &name, Device &device,
                           const std::string &schedule) {
  bool cuda = device.target() == Target::CUDA;
  if (name == "compiled")
    return createCompiled(device, schedule);
  if (name == "math")
    return cuda ? createMathCUDA(device) : createMathCPU(device);
  if (name == "cudnn" && cuda)
    return createCudnn(device);
  if (name == "cudnn")
    return std::make_unique<Absent>(
        name, Refusal{Refusal::Unavailable, "needs an NVIDIA GPU"});
  return std::make_unique<Absent>(
      name, Refusal{Refusal::Unavailable, "this backend is not there yet"});
}
