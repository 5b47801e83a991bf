// See FakeCUDAGraph.h.
#include "FakeCUDAGraph.h"

#include "FakeCUDADriver.h"

#include <memory>
#include <vector>

using namespace attn::cuda;

extern "C" FakeCUDA *fakeCUDA();

namespace {
struct Graph {
  std::vector<std::function<Status()>> steps;
};
std::unique_ptr<Graph> recorded;

constexpr Status kInvalidValue = 1, kIllegalState = 401;
} // namespace

bool attn::cuda::isRecording() { return recorded != nullptr; }

void attn::cuda::record(std::function<Status()> step) {
  recorded->steps.push_back(std::move(step));
}

extern "C" Status cuStreamBeginCapture_v2(Stream stream, int) {
  // The legacy stream cannot be captured.
  if (recorded || !stream)
    return kIllegalState;
  recorded = std::make_unique<Graph>();
  fakeCUDA()->isCapturing = true;
  return kSuccess;
}
extern "C" Status cuStreamEndCapture(Stream, Graph **graph) {
  if (!recorded)
    return kIllegalState;
  fakeCUDA()->isCapturing = false;
  *graph = recorded.release();
  return kSuccess;
}
extern "C" Status cuGraphInstantiateWithFlags(Graph **executable,
                                              const Graph *graph,
                                              unsigned long long) {
  *executable = new Graph(*graph);
  return kSuccess;
}
extern "C" Status cuGraphLaunch(Graph *executable, Stream) {
  if (!executable)
    return kInvalidValue;
  for (const std::function<Status()> &step : executable->steps)
    if (Status status = step(); status != kSuccess)
      return status;
  return kSuccess;
}
extern "C" Status cuGraphDestroy(Graph *graph) {
  delete graph;
  return kSuccess;
}
extern "C" Status cuGraphExecDestroy(Graph *executable) {
  delete executable;
  return kSuccess;
}
