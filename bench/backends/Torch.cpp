// The backends that exist only inside PyTorch: each is a name to the worker,
// which computes in its own process on this process's tensors.
#include "backends/Backend.h"
#include "backends/TorchWorker.h"

#include "attn/Support/Try.h"

#include <nlohmann/json.hpp>

using namespace attn;
using namespace attn::bench;
using nlohmann::json;

namespace {

class Torch final : public Backend {
public:
  Torch(std::string name, Device &device, const TorchOptions &options,
        std::shared_ptr<TorchWorker> worker)
      : label(std::move(name)), device(device), options(options),
        worker(std::move(worker)) {}

  const char *name() const override { return label.c_str(); }
  std::optional<Refusal> prepare(const Problem &) override;
  std::optional<Refusal> prepareBackward(const Gradients &) override;
  Result<void> run(Pass) override;
  Result<Turn> time(Device &, Pass, const TurnOptions &) override;
  void finish() override;
  double compileSeconds(Pass pass) const override {
    return pass == Pass::Forward ? seconds : 0;
  }
  std::string remark() const override { return note; }
  std::optional<double> listsSeconds(Pass pass) const override {
    return pass == Pass::Forward ? lists : std::nullopt;
  }
  std::string versions() const override { return worker->versions(); }

private:
  Result<json> memoryOf(const void *data) const;
  Result<json> tensorOf(const TensorView &view) const;
  Result<json> capturesOf(const Problem &problem) const;
  Result<json> contiguousOf(const void *data, ElementType type,
                            const std::vector<int64_t> &sizes) const;
  Result<void> addCache(json &message) const;
  Result<json> preparation() const;
  json request(const char *operation) const;
  std::optional<Refusal> ask(json &request, json &answer);
  json turnRequest(Pass, const TurnOptions &) const;

  std::string label;
  Device &device;
  TorchOptions options;
  std::shared_ptr<TorchWorker> worker;
  const Problem *problem = nullptr;
  const Gradients *gradients = nullptr; ///< null: only forward is prepared
  int generation = 0; ///< of the worker that the problem is prepared in
  double seconds = 0;
  std::string note;
  std::optional<double> lists;
};

Result<json> Torch::memoryOf(const void *data) const {
  ATTN_TRY_ASSIGN(SharedMemory memory, device.share(data));
  return json{{"kind", memory.kind},
              {"handle", memory.handle},
              {"bytes", memory.bytes},
              {"offset", memory.offset}};
}

Result<json> Torch::tensorOf(const TensorView &view) const {
  ATTN_TRY_ASSIGN(json memory, memoryOf(view.data));
  auto [batch, head, position] = view.strides;
  return json{{"dtype", toString(view.type)},
              {"sizes", view.sizes},
              {"strides", {batch, head, position, 1}},
              {"memory", memory}};
}

/// A tensor whose elements adjoin.
Result<json> Torch::contiguousOf(const void *data, ElementType type,
                                 const std::vector<int64_t> &sizes) const {
  ATTN_TRY_ASSIGN(json memory, memoryOf(data));
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t d = sizes.size(); d > 1; --d)
    strides[d - 2] = strides[d - 1] * sizes[d - 1];
  return json{{"dtype", toString(type)},
              {"sizes", sizes},
              {"strides", strides},
              {"memory", memory}};
}

/// The captured tensors; scalars are only in mods that PyTorch does not know.
Result<json> Torch::capturesOf(const Problem &problem) const {
  json captures = json::array();
  const std::vector<CaptureInfo> &infos = problem.mod->captures();
  for (size_t i = 0; i < infos.size(); ++i) {
    const std::vector<int64_t> &sizes = problem.captures[i].sizes;
    if (infos[i].isScalar)
      continue;
    ATTN_TRY_ASSIGN(json capture, contiguousOf(problem.captures[i].data,
                                               infos[i].type, sizes));
    capture["name"] = infos[i].name;
    captures.push_back(std::move(capture));
  }
  return captures;
}

/// Lengths as numbers and as a tensor; pages with their table.
Result<void> Torch::addCache(json &message) const {
  const KeyCache &cache = *problem->cache;
  int64_t batch = problem->sizes.batch;
  json &lengths = message["lengths"];
  lengths["values"] = cache.lengths;
  ATTN_TRY_ASSIGN(lengths["tensor"],
                  contiguousOf(cache.deviceLengths, ElementType::I32, {batch}));
  if (!cache.pages)
    return {};
  json &pages = message["pages"];
  ATTN_TRY_ASSIGN(pages["key"], tensorOf(cache.pages->key));
  ATTN_TRY_ASSIGN(pages["value"], tensorOf(cache.pages->value));
  ATTN_TRY_ASSIGN(pages["table"],
                  contiguousOf(cache.pages->table, ElementType::I32,
                               {batch, cache.pages->columns}));
  return {};
}

json Torch::request(const char *operation) const {
  return {{"op", operation}, {"slot", label}};
}

/// The request that makes the worker ready for the problem.
Result<json> Torch::preparation() const {
  json message = request("prepare");
  message["backend"] = label;
  message["device"] = device.target() == Target::CUDA ? "cuda" : "cpu";
  message["pattern"] = problem->pattern;
  message["query_offset"] = problem->queryOffset;
  message["scale"] = problem->scale;
  message["max_autotune"] = options.maxAutotune;
  message["dynamic"] = options.dynamic;
  message["deterministic"] = options.deterministic;
  std::pair<const char *, const TensorView *> tensors[] = {
      {"query", &problem->query},
      {"key", &problem->key},
      {"value", &problem->value}};
  for (auto [name, view] : tensors) {
    ATTN_TRY_ASSIGN(message[name], tensorOf(*view));
  }
  ATTN_TRY_ASSIGN(message["captures"], capturesOf(*problem));
  if (problem->cache)
    ATTN_TRY(addCache(message));
  return message;
}

std::optional<Refusal> Torch::prepare(const Problem &next) {
  problem = &next;
  gradients = nullptr;
  generation = 0;
  seconds = 0;
  note.clear();
  lists.reset();
  // What was enqueued for the inputs is not ordered before the worker's work.
  if (Result<void> finished = device.synchronize(); !finished)
    return Refusal{Refusal::Failed, finished.error()};
  Result<json> message = preparation();
  if (!message)
    return Refusal{Refusal::Failed, message.error()};
  json answer;
  if (std::optional<Refusal> refusal = worker->ask(*message, answer))
    return refusal;
  generation = worker->generation();
  if (answer.contains("first_run") && answer["first_run"].is_number() &&
      label.compare(0, 4, "flex") == 0)
    seconds = answer["first_run"].get<double>();
  if (answer.contains("remark") && answer["remark"].is_string())
    note = answer["remark"].get<std::string>();
  if (answer.contains("lists_seconds") && answer["lists_seconds"].is_number())
    lists = answer["lists_seconds"].get<double>();
  return std::nullopt;
}

/// Asks for something about the prepared problem. Another backend may have
/// brought the worker down since: then it is prepared again.
std::optional<Refusal> Torch::ask(json &message, json &answer) {
  if (!worker->isRunning() || generation != worker->generation()) {
    const Gradients *wanted = gradients;
    if (std::optional<Refusal> refusal = prepare(*problem))
      return refusal;
    if (wanted)
      if (std::optional<Refusal> refusal = prepareBackward(*wanted))
        return refusal;
  }
  return worker->ask(message, answer);
}

/// The seconds at `key`: numbers, none of them negative.
static std::optional<std::vector<double>> secondsAt(const json &answer,
                                                    const char *key) {
  auto found = answer.find(key);
  if (found == answer.end() || !found->is_array() || found->empty())
    return std::nullopt;
  std::vector<double> seconds;
  for (const json &value : *found) {
    if (!value.is_number() || value.get<double>() < 0)
      return std::nullopt;
    seconds.push_back(value.get<double>());
  }
  return seconds;
}

std::optional<Refusal> Torch::prepareBackward(const Gradients &wanted) {
  if (Result<void> finished = device.synchronize(); !finished)
    return Refusal{Refusal::Failed, finished.error()};
  Result<json> out = tensorOf(wanted.out);
  if (!out)
    return Refusal{Refusal::Failed, out.error()};
  json message = request("prepare_backward"), answer;
  message["grad_out"] = *out;
  if (std::optional<Refusal> refusal = ask(message, answer))
    return refusal;
  gradients = &wanted;
  return std::nullopt;
}

Result<void> Torch::run(Pass pass) {
  ATTN_TRY(device.synchronize());
  bool forward = pass == Pass::Forward;
  json message = request(forward ? "run" : "run_backward"), answer;
  std::vector<std::pair<const char *, const TensorView *>> results;
  if (forward)
    results = {{"out", &problem->out}};
  else
    results = {{"grad_query", &gradients->query},
               {"grad_key", &gradients->key},
               {"grad_value", &gradients->value}};
  for (auto [name, view] : results) {
    ATTN_TRY_ASSIGN(message[name], tensorOf(*view));
  }
  if (std::optional<Refusal> refusal = ask(message, answer))
    return Error{refusal->reason};
  return {};
}

/// The samples that were taken from each batch, and the seconds of rest and of
/// work.
static std::optional<std::vector<Batch>> batchesIn(const json &answer) {
  auto found = answer.find("batches");
  if (found == answer.end() || !found->is_array())
    return std::nullopt;
  std::vector<Batch> batches;
  for (const json &batch : *found) {
    if (!batch.is_object())
      return std::nullopt;
    for (const char *key : {"samples", "rest", "busy"})
      if (!batch.contains(key) || !batch[key].is_number())
        return std::nullopt;
    batches.push_back({batch["samples"].get<int>(), batch["rest"].get<double>(),
                       batch["busy"].get<double>()});
  }
  return batches;
}

static std::optional<Pace> paceIn(const json &answer) {
  auto found = answer.find("pace");
  if (found == answer.end() || !found->is_object())
    return std::nullopt;
  for (const char *key : {"gpu", "host", "between"})
    if (!found->contains(key) || !(*found)[key].is_number())
      return std::nullopt;
  return Pace{(*found)["gpu"].get<double>(), (*found)["host"].get<double>(),
              (*found)["between"].get<double>()};
}

/// The request for a turn: all that decides how the GPU is used in it.
json Torch::turnRequest(Pass pass, const TurnOptions &turn) const {
  TurnMeans means = device.turnMeans();
  json message = request("time");
  message["direction"] = pass == Pass::Forward ? "forward" : "backward";
  message["hot"] = turn.hot;
  message["flush_bytes"] = means.flushBytes;
  message["read_blocks"] = means.readBlocks;
  message["read_threads"] = TimingKernels::kThreads;
  message["kernels"] = means.ptx;
  message["warmup_seconds"] = turn.warmupSeconds;
  message["seconds"] = turn.seconds;
  message["samples"] = turn.samples;
  message["launches"] = turn.launches;
  message["batch_seconds"] = turn.batchSeconds;
  message["duty"] = turn.duty;
  message["only_pace"] = turn.onlyPace;
  return message;
}

Result<Turn> Torch::time(Device &, Pass pass, const TurnOptions &turn) {
  json message = turnRequest(pass, turn), answer;
  if (std::optional<Refusal> refusal = ask(message, answer))
    return Error{refusal->reason};
  Turn result;
  result.pace = paceIn(answer);
  if (turn.onlyPace) {
    if (!result.pace)
      return Error{"the PyTorch worker sent no pace"};
    return result;
  }
  auto samples = secondsAt(answer, "samples");
  auto withLaunch = secondsAt(answer, "with_launch");
  auto batches = batchesIn(answer);
  if (!samples || !withLaunch || (device.isPaced() && !batches))
    return Error{"the PyTorch worker sent no times"};
  result.samples = std::move(*samples);
  result.withLaunch = std::move(*withLaunch);
  result.host = secondsAt(answer, "host").value_or(std::vector<double>());
  if (batches)
    result.batches = std::move(*batches);
  return result;
}

void Torch::finish() {
  if (generation && worker->isRunning() && generation == worker->generation()) {
    json message = request("finish"), answer;
    (void)worker->ask(message, answer); // If it fails, a new one comes.
  }
  generation = 0;
  gradients = nullptr;
}

} // namespace

std::unique_ptr<Backend>
bench::createTorch(const std::string &name, Device &device,
                   const TorchOptions &options,
                   std::shared_ptr<TorchWorker> worker) {
  return std::make_unique<Torch>(name, device, options, std::move(worker));
}
