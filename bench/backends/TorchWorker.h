// The PyTorch worker (bench/worker) from this side: one process for the whole
// run, asked in JSON lines. What goes wrong in it is the reason of one row; the
// next request gets a new process.
#ifndef ATTN_BENCH_BACKENDS_TORCHWORKER_H
#define ATTN_BENCH_BACKENDS_TORCHWORKER_H

#include "backends/Refusal.h"
#include "support/Process.h"

#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace attn::bench {

class TorchWorker {
public:
  /// `python`: the interpreter. `directory`: bench/worker. An answer that takes
  /// longer than `timeoutSeconds` is taken for a hang.
  TorchWorker(std::string python, std::string directory, double timeoutSeconds);

  /// Sends a request, and fills in the answer, unless the worker refuses or
  /// fails. Starts the worker where none runs.
  std::optional<Refusal> ask(nlohmann::json &request, nlohmann::json &answer);

  /// Counts the processes: what was prepared in an earlier one is lost.
  int generation() const { return started; }
  bool isRunning() const { return process.isRunning(); }

  /// "Python 3.12.3, PyTorch 2.11.0 (CUDA 13.0)", once it has run.
  const std::string &versions() const { return versionText; }

private:
  std::optional<Refusal> start();
  std::optional<Refusal> exchange(nlohmann::json &request,
                                  nlohmann::json &answer);
  Refusal fail(const std::string &reason);

  std::string python, directory;
  double timeoutSeconds;
  Process process;
  int started = 0, requests = 0;
  std::string versionText;
  /// Why no worker can be had at all: no interpreter, no PyTorch.
  std::optional<Refusal> permanent;
};

} // namespace attn::bench

#endif // ATTN_BENCH_BACKENDS_TORCHWORKER_H
