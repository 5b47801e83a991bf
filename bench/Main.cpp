// From the command line to the report.
#include "Main.h"

#include "CommandLine.h"
#include "Commands.h"
#include "ConfigFile.h"
#include "Interrupt.h"
#include "Repeat.h"
#include "Report.h"
#include "Run.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

using namespace attn;
using namespace attn::bench;

enum ExitCode { success = 0, fault = 1, badInput = 2, interrupted = 130 };

static int complain(const std::string &message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return badInput;
}

/// Where a run from a file goes that names no place, as the seed does it.
static std::string defaultSavePath() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  char text[64];
  localtime_r(&now, &parts);
  std::strftime(text, sizeof(text), "benchmark_results_%Y%m%d_%H%M%S.csv",
                &parts);
  return text;
}

static Result<Config> readConfig(const CommandLine &line) {
  Config config;
  if (!line.configPath.empty()) {
    Result<std::vector<Setting>> file = readConfigFile(line.configPath);
    if (!file)
      return Error{file.error()};
    if (Result<void> applied = applySettings(config, *file); !applied)
      return Error{applied.error()};
  }
  if (Result<void> applied = applySettings(config, line.settings); !applied)
    return Error{applied.error()};
  if (config.decoding && config.backward)
    return errorAt("attn-bench", "expects 'decoding' or 'calculate_bwd', got "
                                 "both: there is no backward pass of decoding");
  if (config.savePath.text.empty() && line.start == Start::Resume)
    return errorAt("attn-bench", "expects --save-path with '--resume': the "
                                 "files of the run that goes on");
  if (config.savePath.text.empty() && !line.configPath.empty())
    config.savePath = {defaultSavePath(), "attn-bench"};
  return config;
}

/// The device that the configuration asks for; without a wish a GPU if there is
/// one.
static Result<std::unique_ptr<Device>> createDevice(const Config &config) {
  if (config.target == Target::CPU)
    return createCPUDevice();
  Result<std::unique_ptr<Device>> cuda = createCUDADevice();
  if (cuda)
    return cuda;
  if (config.target == Target::CUDA)
    return errorAt("attn-bench", "there is no target 'cuda': " + cuda.error());
  return createCPUDevice();
}

/// The end of a run: what a reader sees, and the exit code.
static int report(const Recorder &recorder, const Result<void> &ran) {
  std::vector<Row> rows = recorder.rows();
  std::printf("%s", reportText(recorder.run().backends, rows).c_str());
  if (!ran)
    return complain("attn-bench: error: " + ran.error());
  const OutputPaths *outputs = recorder.outputs();
  if (outputs)
    std::printf("\nEverything: %s; for a browser: %s\n", outputs->json.c_str(),
                outputs->html.c_str());
  if (!recorder.isFinished()) {
    std::fprintf(stderr, "attn-bench: interrupted after %zu of %zu cases%s\n",
                 rows.size(), recorder.run().caseCount,
                 outputs ? "; --resume continues" : "");
    return interrupted;
  }
  bool faulty = std::any_of(rows.begin(), rows.end(),
                            [](const Row &row) { return isFault(row); });
  return faulty ? fault : success;
}

static Result<std::unique_ptr<Recorder>>
openRecorder(const Word &savePath, RunInfo run, Start start) {
  if (savePath.text.empty())
    return std::make_unique<Recorder>(std::move(run));
  Result<std::unique_ptr<Recorder>> recorder =
      Recorder::open(savePath.text, std::move(run), start);
  if (!recorder)
    return errorAt(savePath.where, recorder.error());
  return recorder;
}

/// The tile map of the first case that the configuration gives this mod.
static int runShowMask(Config config, const CommandLine &line) {
  const MaskView &view = *line.showMask;
  config.mods = {view.mod};
  Result<std::vector<LoadedMod>> mods = loadMods(config.mods, line.configPath);
  if (!mods)
    return complain(mods.error());
  std::vector<Case> cases = listCases(config, *mods);
  if (cases.empty() || !cases[0].refusal.empty())
    return complain("attn-bench: error: " +
                    (cases.empty() ? "no case" : cases[0].refusal));
  Result<std::string> text = showMask((*mods)[0], cases[0].sizes, view);
  if (!text)
    return complain(text.error());
  std::printf("%s", text->c_str());
  return success;
}

static int runConfig(const Config &config, const CommandLine &line, int argc,
                     char **argv) {
  Result<std::vector<LoadedMod>> mods = loadMods(config.mods, line.configPath);
  if (!mods)
    return complain(mods.error());
  Result<std::unique_ptr<Device>> device = createDevice(config);
  if (!device)
    return complain(device.error());
  const Word &path = config.savePath;
  if (!path.text.empty())
    if (Result<void> ok = Recorder::checkWritable(path.text); !ok)
      return complain(errorAt(path.where, ok.error()).message);

  for (const std::string &missing : missingFeatures(config))
    std::fprintf(stderr, "attn-bench: note: %s\n", missing.c_str());
  std::vector<std::string> backends = backendNames(config);
  std::vector<Case> cases = listCases(config, *mods);
  Target target = (*device)->target();
  std::printf("Device: %s\n\n", (*device)->description().c_str());
  if (line.dryRun) {
    std::printf("%s", describeCases(cases, target, backends.size()).c_str());
    return success;
  }
  std::vector<std::string> repeats = repeatCommands(config, cases, target);
  Result<std::unique_ptr<Recorder>> recorder = openRecorder(
      path,
      describeRun(argc, argv, line.configPath, **device, backends, repeats),
      line.start);
  if (!recorder)
    return complain(recorder.error());
  if (line.start == Start::Resume && !(*recorder)->isResumed())
    std::fprintf(stderr,
                 "attn-bench: note: there is no run to resume at '%s'; "
                 "a new one starts\n",
                 path.text.c_str());
  if ((*recorder)->isFinished()) {
    std::fprintf(stderr, "attn-bench: note: this run was finished before\n");
    return report(**recorder, {});
  }
  catchInterrupts();
  Result<void> ran = runCases(config, cases, repeats, **device, **recorder);
  return report(**recorder, ran);
}

int attn::bench::runTool(int argc, char **argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::string command = words.empty() ? "" : words[0];
  if (command == "compare" || command == "report") {
    words.erase(words.begin());
    return command == "compare" ? runCompare(words) : runReport(words);
  }
  Result<CommandLine> line = parseCommandLine(argc, argv);
  if (!line)
    return complain(line.error());
  if (line->help) {
    std::printf("%s", helpText());
    return success;
  }
  Result<Config> config = readConfig(*line);
  if (!config)
    return complain(config.error());
  if (line->showMask)
    return runShowMask(*config, *line);
  return runConfig(*config, *line, argc, argv);
}
