// What `cudnn` is in a build without cudnn-frontend's or cuDNN's headers.
#include "backends/Backend.h"

using namespace attn;
using namespace attn::bench;

namespace {
class CudnnMissing final : public Backend {
public:
  const char *name() const override { return "cudnn"; }
  std::optional<Refusal> prepare(const Problem &) override {
    return Refusal{Refusal::Unavailable, reason};
  }
  Result<void> run(Pass) override { return Error{reason}; }

private:
  static constexpr const char *reason =
      "built without cudnn-frontend (./dev setup fetches it)";
};
} // namespace

std::unique_ptr<Backend> bench::createCudnn(Device &, bool) {
  return std::make_unique<CudnnMissing>();
}
