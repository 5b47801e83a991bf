// See CompiledGradients.h.
#include "backends/CompiledGradients.h"

#include "backends/TuningText.h"

#include "attn/API/Tune.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>

using namespace attn;
using namespace attn::bench;

CompiledGradients::Key CompiledGradients::keyOf(const Problem &problem,
                                                const KernelSpec &spec) {
  return {&problem.mod->impl(), spec.type,    spec.headDim,
          spec.valueDim,        spec.aligned, spec.schedule};
}

Result<void> CompiledGradients::runForward(const Problem &problem,
                                           KernelSpec spec) {
  spec.lse = true;
  Key key = keyOf(problem, spec);
  auto forward = forwardKernels.find(key);
  if (forward == forwardKernels.end()) {
    ATTN_TRY_ASSIGN(AttentionKernel made,
                    AttentionKernel::compile(*problem.mod, spec));
    forward = forwardKernels.emplace(key, std::move(made)).first;
  }
  const ProblemSizes &s = problem.sizes;
  int64_t rows = s.batch * s.heads * s.queries;
  ATTN_TRY_ASSIGN(lse, Buffer::create(device, rows * int64_t(sizeof(float))));
  ATTN_TRY_ASSIGN(
      out, Buffer::create(device, rows * s.valueDim * byteWidth(problem.type)));
  arguments = {};
  arguments.out = problem.out;
  arguments.out.data = out.data();
  arguments.out.strides = {s.heads * s.queries * s.valueDim,
                           s.queries * s.valueDim, s.valueDim};
  return forward->second.run(problem.query, problem.key, problem.value,
                             problem.captures, arguments.out,
                             static_cast<float *>(lse.data()), device.stream());
}

/// All but what suits one kernel. The forward pass has been run.
void CompiledGradients::setArguments(const Problem &problem,
                                     const Gradients &wanted) {
  arguments.query = problem.query, arguments.key = problem.key;
  arguments.value = problem.value;
  arguments.lse = static_cast<float *>(lse.data());
  arguments.captures = problem.captures;
  arguments.gradOut = wanted.out, arguments.gradQuery = wanted.query;
  arguments.gradKey = wanted.key, arguments.gradValue = wanted.value;
  for (const CaptureGradient &capture : wanted.captures)
    arguments.gradCaptures.push_back(capture.data);
  arguments.stream = device.stream();
}

/// The kernels, and memory for what they compute with.
Result<void> CompiledGradients::compile(const Problem &problem,
                                        const KernelSpec &spec,
                                        const std::vector<std::string> &wrt) {
  Key key = keyOf(problem, spec);
  auto known = kernels.find(key);
  if (known == kernels.end()) {
    CodeTimer timer;
    ATTN_TRY_ASSIGN(GradientKernel made,
                    GradientKernel::compile(*problem.mod, spec, wrt));
    ownCodeTime = timer.stop();
    known = kernels.emplace(key, std::move(made)).first;
  }
  kernel = &known->second;
  int64_t bytes = kernel->workspaceBytes(problem.sizes, problem.captures);
  ATTN_TRY_ASSIGN(workspace, Buffer::create(device, bytes));
  arguments.workspace = workspace.data(), arguments.workspaceBytes = bytes;
  return {};
}

/// The tiles of the kernels, where they need lists. Of three times the shortest
/// counts: the first one also loads what finds them.
Result<void> CompiledGradients::findTiles(const Problem &problem) {
  using Clock = std::chrono::steady_clock;
  ATTN_TRY(device.synchronize());
  for (int i = 0; i < 3; ++i) {
    Clock::time_point start = Clock::now();
    ATTN_TRY_ASSIGN(tiles, kernel->findTiles(problem.sizes, problem.captures,
                                             device.stream()));
    if (tiles.lists.empty())
      return {};
    ATTN_TRY(device.synchronize());
    double seconds =
        std::chrono::duration<double>(Clock::now() - start).count();
    tilesSeconds = std::min(seconds, tilesSeconds.value_or(seconds));
  }
  arguments.tiles = &tiles;
  return {};
}

Result<void> CompiledGradients::prepare(const Problem &problem,
                                        const Gradients &wanted,
                                        const KernelSpec &spec,
                                        std::optional<double> tuneSeconds) {
  reset();
  ATTN_TRY(runForward(problem, spec));
  setArguments(problem, wanted);
  std::vector<std::string> wrt;
  for (const CaptureGradient &capture : wanted.captures)
    wrt.push_back(capture.name);
  KernelSpec own = spec;
  own.schedule.clear(); // has several
  if (tuneSeconds) {
    ATTN_TRY_ASSIGN(Tuning tuning,
                    tune(*problem.mod, own, wrt, arguments, {*tuneSeconds}));
    own.schedule = tuning.schedule;
    tuned = textOf(tuning);
  }
  ATTN_TRY(compile(problem, own, wrt));
  return findTiles(problem);
}

void CompiledGradients::reset() {
  ownCodeTime = {};
  tilesSeconds.reset();
  tuned.clear();
}

void CompiledGradients::finish() {
  kernel = nullptr;
  arguments = {}, tiles = {};
  out = {}, lse = {}, workspace = {};
}
