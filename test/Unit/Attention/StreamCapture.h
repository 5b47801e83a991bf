// Graphs of a GPU's stream, which the API does not make but is captured into.
#ifndef ATTN_TEST_ATTENTION_STREAMCAPTURE_H
#define ATTN_TEST_ATTENTION_STREAMCAPTURE_H

#include <functional>

namespace attn::test {

/// What was enqueued on device().stream() during a capture, to be done again by
/// each launch. Errors of the driver are failures of the test.
class CapturedGraph {
public:
  /// Captures what `enqueue` enqueues, whether it succeeds or not.
  explicit CapturedGraph(const std::function<void()> &enqueue);
  ~CapturedGraph();
  CapturedGraph(const CapturedGraph &) = delete;

  /// Does it all once more, and waits.
  void launch();

private:
  void *graph = nullptr, *executable = nullptr;
};

} // namespace attn::test

#endif // ATTN_TEST_ATTENTION_STREAMCAPTURE_H
