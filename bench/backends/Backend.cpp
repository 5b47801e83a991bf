// What a backend does unless it knows better.
#include "backends/Backend.h"

#include "support/Interrupt.h"

using namespace attn;
using namespace attn::bench;

/// One turn of what `run` enqueues, until Ctrl-C.
template <typename Run>
static Result<Turn> timeUntilInterrupted(Device &device,
                                         const TurnOptions &options, Run run) {
  auto work = [&]() -> Result<void> {
    if (isInterrupted())
      return Error{"interrupted"};
    return run();
  };
  return device.time(work, options);
}

Result<Turn> Backend::time(Device &device, const TensorView &out,
                           const TurnOptions &options) {
  return timeUntilInterrupted(device, options, [&] { return run(out); });
}

std::optional<Refusal> Backend::prepareBackward(const Gradients &) {
  return Refusal{Refusal::Unsupported, "has no backward pass yet"};
}

Result<void> Backend::runBackward() {
  return Error{"has no backward pass yet"};
}

Result<Turn> Backend::timeBackward(Device &device, const TurnOptions &options) {
  return timeUntilInterrupted(device, options, [&] { return runBackward(); });
}
