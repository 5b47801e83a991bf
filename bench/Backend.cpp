// How a backend is timed unless it does so itself.
#include "Backend.h"

#include "Interrupt.h"

using namespace attn;
using namespace attn::bench;

Result<Turn> Backend::time(Device &device, const TensorView &out,
                           const TurnOptions &options) {
  auto work = [&]() -> Result<void> {
    if (isInterrupted())
      return Error{"interrupted"};
    return run(out);
  };
  return device.time(work, options);
}
