// Rows to JSON and back. nlohmann's library throws, so this file is compiled
// with exceptions and lets none of them out.
#include "results/JSON.h"

#include "attn/Support/Try.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

using namespace attn;
using namespace attn::bench;

using JSON = nlohmann::ordered_json;

/// Changes when a reader of the old format could not read the new one.
static constexpr int formatVersion = 1;

// ---- writing ----------------------------------------------------------------

/// Microseconds to the nanosecond: no clock here knows more, and it keeps the
/// file small.
static double microseconds(double seconds) {
  return std::round(seconds * 1e9) / 1e3;
}

static JSON microseconds(const std::vector<double> &samples) {
  JSON list = JSON::array();
  for (double seconds : samples)
    list.push_back(microseconds(seconds));
  return list;
}

template <typename T>
static void set(JSON &to, const char *key, const std::optional<T> &value) {
  if (value)
    to[key] = *value;
}

static JSON toJSON(const DeviceState &state) {
  return {{"core_mhz", state.coreMHz},
          {"memory_mhz", state.memoryMHz},
          {"celsius", state.celsius},
          {"watts", state.watts},
          {"reasons", state.reasons},
          {"power_limited_s", state.powerLimited},
          {"thermally_limited_s", state.thermallyLimited}};
}

static JSON toJSON(const Conditions &conditions) {
  JSON json = JSON::object();
  if (conditions.before)
    json["before"] = toJSON(*conditions.before);
  if (conditions.after)
    json["after"] = toJSON(*conditions.after);
  json["seconds"] = conditions.seconds;
  json["throttled"] = conditions.throttled;
  return json;
}

/// How busy the GPU was kept, as it was asked for and as it went.
static void addDuty(JSON &json, const Timing &timing, bool batches) {
  if (timing.duty == 0)
    return;
  json["duty"] = timing.duty;
  json["measured_duty"] = std::round(timing.busyShare() * 1e4) / 1e4;
  if (!batches)
    return;
  if (const auto &pace = timing.pace)
    json["pace_us"] = {{"gpu", microseconds(pace->gpu)},
                       {"host", microseconds(pace->host)},
                       {"between", microseconds(pace->between)}};
  JSON &list = json["batches"] = JSON::array();
  for (const Batch &batch : timing.batches)
    list.push_back({{"samples", batch.samples},
                    {"rest_us", microseconds(batch.rest)},
                    {"busy_us", microseconds(batch.busy)}});
}

static void addTiming(JSON &json, const Row &row, size_t backend, Pass pass,
                      bool samples) {
  const Timing *timing = timingOf(row, backend, pass);
  if (!timing)
    return;
  Interval interval = timing->interval();
  json["median_us"] = microseconds(timing->median());
  json["low_us"] = microseconds(interval.low);
  json["high_us"] = microseconds(interval.high);
  if (!timing->withLaunch.empty())
    json["median_with_launch_us"] = microseconds(timing->medianWithLaunch());
  if (!timing->host.empty())
    json["median_host_us"] = microseconds(timing->medianHost());
  set(json, "flops", flopRate(row, backend, pass));
  if (pass == Pass::Forward)
    set(json, "bytes_per_second", bandwidth(row, backend));
  if (backend)
    set(json, "speedup_of_first", speedup(row, backend, pass));
  json["sample_count"] = timing->samples.size();
  json["stopped_by"] = toString(timing->stop);
  json["hot"] = timing->hot;
  addDuty(json, *timing, samples);
  if (!samples)
    return;
  json["rounds"] = timing->rounds;
  json["samples_us"] = microseconds(timing->samples);
  // On a processor every sample is one with launch.
  if (timing->withLaunch != timing->samples)
    json["with_launch_us"] = microseconds(timing->withLaunch);
  if (!timing->host.empty())
    json["host_us"] = microseconds(timing->host);
}

static JSON outcomeToJSON(const Row &row, size_t backend, bool samples) {
  const Outcome &outcome = row.outcomes[backend];
  JSON json;
  json["status"] = statusOf(outcome, Pass::Forward);
  json["reason"] = outcome.reason;
  set(json, "max_error", outcome.maxError);
  json["compile_s"] = outcome.compileSeconds;
  json["cached_s"] = outcome.cachedSeconds;
  addTiming(json, row, backend, Pass::Forward, samples);
  if (const auto &backward = outcome.backward) {
    JSON &inner = json["backward"];
    inner["status"] = statusOf(outcome, Pass::Backward);
    inner["reason"] = backward->reason;
    set(inner, "max_error", backward->maxError);
    inner["compile_s"] = backward->compileSeconds;
    inner["cached_s"] = backward->cachedSeconds;
    addTiming(inner, row, backend, Pass::Backward, samples);
  }
  return json;
}

static JSON toJSON(const ProblemSizes &s) {
  return {{"batch", s.batch},        {"heads", s.heads},
          {"kv_heads", s.kvHeads},   {"queries", s.queries},
          {"keys", s.keys},          {"head_dim", s.headDim},
          {"value_dim", s.valueDim}, {"sequences", s.sequences}};
}

static JSON toJSON(size_t index, const Row &row,
                   const std::vector<std::string> &backends, bool samples) {
  JSON json;
  json["index"] = index;
  json["attn_type"] = row.pattern;
  json["dtype"] = row.type;
  json["shape"] = row.shape;
  json["sizes"] = toJSON(row.sizes);
  json["element_bytes"] = row.elementBytes;
  json["all_pairs"] = row.allPairs;
  set(json, "unmasked_pairs", row.pairs);
  json["flops_per_pair"] = row.flopsPerPair;
  set(json, "bytes_moved", row.bytes);
  JSON &quantities = json["quantities"] = JSON::object();
  for (const Quantity &quantity : row.quantities)
    quantities[quantity.name] = quantity.value;
  json["repeat"] = row.repeat;
  json["remark"] = row.remark;
  if (row.crashed)
    json["crashed"] = true;
  json["conditions"] = toJSON(row.conditions);
  JSON &outcomes = json["backends"] = JSON::object();
  for (size_t i = 0; i < backends.size(); ++i)
    outcomes[backends[i]] = outcomeToJSON(row, i, samples);
  return json;
}

static JSON toJSON(const RunInfo &run) {
  JSON json;
  json["version"] = run.version;
  json["commit"] = run.commit;
  json["started"] = run.started;
  json["command_line"] = run.commandLine;
  json["config_file"] = run.configFile;
  json["target"] = run.target;
  json["device"] = run.device;
  JSON &facts = json["facts"] = JSON::object();
  for (const auto &[name, value] : run.facts)
    facts[name] = value;
  json["backends"] = run.backends;
  json["ceilings"] = {
      {"gemm_flops", run.ceilings.gemm},
      {"copy_bytes_per_second", run.ceilings.copy},
      {"read_bytes_per_second", run.ceilings.read},
      {"empty_launch_us", microseconds(run.ceilings.emptyLaunch)}};
  json["case_count"] = run.caseCount;
  json["fingerprint"] = run.fingerprint;
  return json;
}

static JSON toJSON(const Results &results, bool samples) {
  JSON json;
  json["format"] = "attn-bench";
  json["format_version"] = formatVersion;
  json["complete"] = results.complete;
  json["finished"] = results.finished;
  json["run"] = toJSON(results.run);
  JSON &kernels = json["kernels"] = JSON::array();
  for (const KernelCount &kernel : results.kernels)
    kernels.push_back({{"backend", kernel.backend},
                       {"of", kernel.of},
                       {"compiles", kernel.compiles},
                       {"seconds", kernel.seconds},
                       {"cached", kernel.cached}});
  JSON &cases = json["cases"] = JSON::array();
  for (const auto &[index, row] : results.rows)
    cases.push_back(toJSON(index, row, results.run.backends, samples));
  return json;
}

/// What is no UTF-8 (a path, a library's message) becomes U+FFFD.
static std::string dump(const JSON &json, int indent = -1) {
  return json.dump(indent, ' ', false, JSON::error_handler_t::replace);
}

std::string attn::bench::toJSON(const Results &results) {
  // Two levels indented, a case on a line: readable, and it can be grepped.
  JSON json = ::toJSON(results, /*samples=*/true);
  JSON cases = std::move(json["cases"]);
  json.erase("cases");
  std::string text = dump(json, 2);
  text.resize(text.size() - 2); // the line break and the brace
  text += ",\n  \"cases\": [";
  for (size_t i = 0; i < cases.size(); ++i)
    text += std::string(i ? "," : "") + "\n    " + dump(cases[i]);
  return text + "\n  ]\n}\n";
}

std::string attn::bench::toEmbeddedJSON(const Results &results) {
  std::string text = dump(::toJSON(results, /*samples=*/false)), safe;
  for (char c : text) // no "</script>", "<!--" or "]]>" in any string
    safe += c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : std::string(1, c);
  return safe;
}

std::string attn::bench::toLine(const RunInfo &run) {
  return dump({{"format", "attn-bench journal"},
               {"format_version", formatVersion},
               {"run", ::toJSON(run)}});
}

std::string attn::bench::toLine(size_t index, const Row &row,
                                const std::vector<std::string> &backends) {
  return dump(::toJSON(index, row, backends, /*samples=*/true));
}

// ---- reading ----------------------------------------------------------------
// These throw what nlohmann's library does where something is not as expected.

static void readSamples(std::vector<double> &to, const JSON &from) {
  for (const JSON &sample : from)
    to.push_back(sample.get<double>() * 1e-6);
}

static Stop stopFrom(const std::string &word) {
  for (Stop stop : {Stop::Precise, Stop::SampleLimit, Stop::TimeLimit})
    if (word == toString(stop))
      return stop;
  return Stop::NotSampled;
}

static void readDuty(Timing &timing, const JSON &json) {
  if (!json.contains("duty"))
    return;
  timing.duty = json.at("duty");
  if (json.contains("pace_us")) {
    const JSON &from = json.at("pace_us");
    Pace &pace = timing.pace.emplace();
    pace.gpu = from.at("gpu").get<double>() * 1e-6;
    pace.host = from.at("host").get<double>() * 1e-6;
    pace.between = from.at("between").get<double>() * 1e-6;
  }
  for (const JSON &batch : json.at("batches"))
    timing.batches.push_back({batch.at("samples").get<int>(),
                              batch.at("rest_us").get<double>() * 1e-6,
                              batch.at("busy_us").get<double>() * 1e-6});
}

static Timing timingFrom(const JSON &json) {
  Timing timing;
  if (!json.contains("samples_us"))
    return timing;
  readSamples(timing.samples, json.at("samples_us"));
  if (json.contains("with_launch_us"))
    readSamples(timing.withLaunch, json.at("with_launch_us"));
  else
    timing.withLaunch = timing.samples;
  if (json.contains("host_us"))
    readSamples(timing.host, json.at("host_us"));
  timing.rounds = json.at("rounds").get<std::vector<int>>();
  timing.stop = stopFrom(json.at("stopped_by"));
  timing.hot = json.at("hot");
  readDuty(timing, json);
  return timing;
}

/// An error that is a NaN was written as null.
static std::optional<double> errorFrom(const JSON &json) {
  if (!json.contains("max_error"))
    return std::nullopt;
  const JSON &value = json.at("max_error");
  return value.is_null() ? std::nan("") : value.get<double>();
}

template <typename T>
static std::optional<T> get(const JSON &json, const char *key) {
  return json.contains(key) ? std::optional<T>(json.at(key).get<T>())
                            : std::nullopt;
}

static Outcome outcomeFrom(const JSON &json) {
  Outcome outcome;
  for (int kind = Outcome::Timed; kind <= Outcome::Interrupted; ++kind) {
    outcome.kind = static_cast<Outcome::Kind>(kind);
    if (json.at("status") == statusOf(outcome, Pass::Forward))
      break;
  }
  outcome.reason = json.at("reason");
  outcome.maxError = errorFrom(json);
  outcome.compileSeconds = json.at("compile_s");
  outcome.cachedSeconds = get<double>(json, "cached_s").value_or(0);
  outcome.timing = timingFrom(json);
  outcome.seconds = outcome.timing.median();
  if (!json.contains("backward"))
    return outcome;
  const JSON &inner = json.at("backward");
  Backward &backward = outcome.backward.emplace();
  for (Backward::Check check :
       {Backward::Unchecked, Backward::Wrong, Backward::Failed,
        Backward::Passed, Backward::NotRun}) {
    backward.check = check;
    if (inner.at("status") == statusOf(outcome, Pass::Backward))
      break;
  }
  backward.reason = inner.at("reason");
  backward.maxError = errorFrom(inner);
  backward.compileSeconds = get<double>(inner, "compile_s").value_or(0);
  backward.cachedSeconds = get<double>(inner, "cached_s").value_or(0);
  backward.timing = timingFrom(inner);
  return outcome;
}

static std::optional<DeviceState> stateFrom(const JSON &json, const char *key) {
  if (!json.contains(key))
    return std::nullopt;
  const JSON &from = json.at(key);
  DeviceState state;
  state.coreMHz = from.at("core_mhz");
  state.memoryMHz = from.at("memory_mhz");
  state.celsius = from.at("celsius");
  state.watts = from.at("watts");
  state.reasons = from.at("reasons");
  state.powerLimited = from.at("power_limited_s");
  state.thermallyLimited = from.at("thermally_limited_s");
  return state;
}

static ProblemSizes sizesFrom(const JSON &json) {
  ProblemSizes s;
  s.batch = json.at("batch");
  s.heads = json.at("heads");
  s.kvHeads = json.at("kv_heads");
  s.queries = json.at("queries");
  s.keys = json.at("keys");
  s.headDim = json.at("head_dim");
  s.valueDim = json.at("value_dim");
  s.sequences = json.at("sequences");
  return s;
}

static std::pair<size_t, Row>
rowFrom(const JSON &json, const std::vector<std::string> &backends) {
  Row row;
  row.pattern = json.at("attn_type");
  row.type = json.at("dtype");
  row.shape = json.at("shape");
  row.sizes = sizesFrom(json.at("sizes"));
  row.elementBytes = json.at("element_bytes");
  row.allPairs = json.at("all_pairs");
  row.pairs = get<double>(json, "unmasked_pairs");
  row.flopsPerPair = json.at("flops_per_pair");
  row.bytes = get<double>(json, "bytes_moved");
  for (const auto &[name, value] : json.at("quantities").items())
    row.quantities.push_back({name, value.get<double>()});
  row.repeat = json.at("repeat");
  row.remark = json.at("remark");
  row.crashed = json.value("crashed", false);
  const JSON &conditions = json.at("conditions");
  row.conditions.before = stateFrom(conditions, "before");
  row.conditions.after = stateFrom(conditions, "after");
  row.conditions.seconds = conditions.at("seconds");
  row.conditions.throttled = conditions.at("throttled");
  for (const std::string &backend : backends)
    row.outcomes.push_back(outcomeFrom(json.at("backends").at(backend)));
  return {json.at("index").get<size_t>(), std::move(row)};
}

static RunInfo runFrom(const JSON &json) {
  RunInfo run;
  run.version = json.at("version");
  run.commit = json.at("commit");
  run.started = json.at("started");
  run.commandLine = json.at("command_line");
  run.configFile = json.at("config_file");
  run.target = json.at("target");
  run.device = json.at("device");
  for (const auto &[name, value] : json.at("facts").items())
    run.facts.push_back({name, value.get<std::string>()});
  run.backends = json.at("backends").get<std::vector<std::string>>();
  const JSON &ceilings = json.at("ceilings");
  for (const auto &[type, flops] : ceilings.at("gemm_flops").items())
    run.ceilings.gemm[type] = flops.get<double>();
  run.ceilings.copy = ceilings.at("copy_bytes_per_second");
  run.ceilings.read =
      get<double>(ceilings, "read_bytes_per_second").value_or(0);
  run.ceilings.emptyLaunch =
      get<double>(ceilings, "empty_launch_us").value_or(0) * 1e-6;
  run.caseCount = json.at("case_count");
  run.fingerprint = json.at("fingerprint");
  return run;
}

static KernelCount kernelFrom(const JSON &json) {
  KernelCount kernel;
  kernel.backend = json.at("backend");
  kernel.of = json.at("of");
  kernel.compiles = json.at("compiles");
  kernel.seconds = json.at("seconds");
  kernel.cached = json.value("cached", 0);
  return kernel;
}

/// Parses `text`, checks that it is `format`, and gives it to `read`.
template <typename Read>
static auto parse(const std::string &text, const char *format, Read read)
    -> Result<decltype(read(JSON()))> {
  try {
    JSON json = JSON::parse(text);
    if (format && json.value("format", "") != format)
      return Error{std::string("expects a file of the format '") + format +
                   "'"};
    if (format && json.at("format_version") != formatVersion)
      return Error{"expects version " + std::to_string(formatVersion) +
                   " of the format, got " + json["format_version"].dump()};
    return read(json);
  } catch (const JSON::exception &exception) {
    std::string message = exception.what(); // "[json.exception...] what"
    size_t end = message.find("] ");
    return Error{end == std::string::npos ? message : message.substr(end + 2)};
  }
}

Result<Results> attn::bench::resultsFromJSON(const std::string &text) {
  return parse(text, "attn-bench", [](const JSON &json) {
    Results results;
    results.run = runFrom(json.at("run"));
    for (const JSON &item : json.at("cases"))
      results.rows.push_back(rowFrom(item, results.run.backends));
    for (const JSON &kernel : json.value("kernels", JSON::array()))
      results.kernels.push_back(kernelFrom(kernel));
    results.complete = json.at("complete");
    results.finished = json.at("finished");
    return results;
  });
}

Result<RunInfo> attn::bench::runFromLine(const std::string &line) {
  return parse(line, "attn-bench journal",
               [](const JSON &json) { return runFrom(json.at("run")); });
}

Result<std::pair<size_t, Row>>
attn::bench::rowFromLine(const std::string &line,
                         const std::vector<std::string> &backends) {
  return parse(line, nullptr,
               [&](const JSON &json) { return rowFrom(json, backends); });
}

/// Reads one line of a journal after the first into `results`. False: it is
/// about a case that the run does not have.
static bool readLine(Results &results, const JSON &json) {
  for (const char *key : {"begun", "left", "crashed", "index"}) {
    // A row says of itself whether the case crashed.
    if (!json.contains(key) || !json.at(key).is_number())
      continue;
    size_t index = json.at(key);
    if (index >= results.run.caseCount)
      return false;
    if (key == std::string("index")) {
      results.setRow(index, rowFrom(json, results.run.backends).second);
      results.unended.erase(index);
      return true;
    }
    Unended &unended = results.unended[index];
    if (key == std::string("crashed"))
      unended.crash = json.at("how");
    else
      unended = {unended.times + (key == std::string("begun") ? 1 : -1), ""};
    return true;
  }
  return false;
}

Result<Results>
attn::bench::resultsFromJournal(const std::vector<std::string> &lines) {
  Results results;
  ATTN_TRY_ASSIGN(results.run, runFromLine(lines.empty() ? "" : lines[0]));
  results.lines = 1;
  for (size_t i = 1; i < lines.size(); ++i, ++results.lines)
    if (Result<bool> read =
            parse(lines[i], nullptr,
                  [&](const JSON &json) { return readLine(results, json); });
        !read || !*read)
      break;
  return results;
}

const Row &Results::setRow(size_t index, Row row) {
  auto place = std::lower_bound(
      rows.begin(), rows.end(), index,
      [](const auto &entry, size_t i) { return entry.first < i; });
  if (place == rows.end() || place->first != index)
    place = rows.insert(place, {index, Row()});
  place->second = std::move(row);
  return place->second;
}
