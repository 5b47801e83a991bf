// What a backend does unless it knows better.
#include "backends/Backend.h"

#include "support/Interrupt.h"

using namespace attn;
using namespace attn::bench;

std::optional<Refusal> Backend::prepareBackward(const Gradients &) {
  return Refusal{Refusal::Unsupported, "has no backward pass yet"};
}

Result<Turn> Backend::time(Device &device, Pass pass,
                           const TurnOptions &options) {
  auto work = [&]() -> Result<void> {
    if (isInterrupted())
      return Error{"interrupted"};
    return run(pass);
  };
  return device.time(work, options);
}
