// Graphs of the fake driver: what is enqueued while its stream is captured, to
// be done by each launch of the graph.
#ifndef ATTN_TEST_FAKECUDAGRAPH_H
#define ATTN_TEST_FAKECUDAGRAPH_H

#include "attn/Runtime/CUDADriver.h"

#include <functional>

namespace attn::cuda {

/// Begins and ends with cuStreamBeginCapture and cuStreamEndCapture.
bool isRecording();
/// Adds a step to the graph that is being recorded.
void record(std::function<Status()> step);

} // namespace attn::cuda

#endif // ATTN_TEST_FAKECUDAGRAPH_H
