// From the command line to the report.
#include "Main.h"

#include "cases/Repeat.h"
#include "commands/CommandLine.h"
#include "commands/Commands.h"
#include "config/ConfigFile.h"
#include "report/Report.h"
#include "run/Preflight.h"
#include "run/Run.h"
#include "support/CrashNote.h"
#include "support/Interrupt.h"
#include "support/Output.h"

#include "attn/API/Cache.h"
#include "attn/API/Version.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <new>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

enum ExitCode { success = 0, fault = 1, badInput = 2, interrupted = 130 };

static int complain(const std::string &message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return badInput;
}

static void say(const std::vector<std::string> &notes) {
  for (const std::string &note : notes)
    std::fprintf(stderr, "%s\n", note.c_str());
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
    ATTN_TRY_ASSIGN(std::vector<Setting> file, readConfigFile(line.configPath));
    ATTN_TRY(applySettings(config, file));
  }
  ATTN_TRY(applySettings(config, line.settings));
  ATTN_TRY(checkConfig(config));
  bool resumes = line.start == Start::Resume || line.start == Start::Retry;
  if (config.savePath.text.empty() && resumes)
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

/// What the cache on disk was good for, if there is one.
static std::string codeText() {
  std::string directory = cacheDirectory();
  CodeCounts counts = codeCounts();
  if (directory.empty())
    return "";
  return "\nCode: " + std::to_string(counts.compiled) + " compiled, " +
         std::to_string(counts.cached) + " from the cache in " + directory +
         "\n";
}

/// The end of a run: what a reader sees, and the exit code. `dynamic`: how
/// often kernels were compiled is part of it.
static int report(const Recorder &recorder, const Result<void> &ran,
                  bool dynamic) {
  std::vector<Row> rows = recorder.rows();
  print(reportText(recorder.run().backends, rows, recorder.run().ceilings));
  if (dynamic)
    print(kernelText(recorder.kernels()));
  print(codeText());
  if (!ran)
    return complain("attn-bench: error: " + ran.error());
  const OutputPaths *outputs = recorder.outputs();
  if (outputs)
    print("\nEverything: " + outputs->json +
          "; for a browser: " + outputs->html + "\n");
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

static Positions positionsOf(const Config &config) {
  if (!config.keyLengths.empty())
    return Positions::Lengths;
  return config.decoding ? Positions::Offset : Positions::Own;
}

/// The tile map of the first case that the configuration gives this mod.
static int runShowMask(Config config, const CommandLine &line) {
  const MaskView &view = *line.showMask;
  config.mods = {view.mod};
  Result<std::vector<LoadedMod>> mods =
      loadMods(config.mods, line.configPath, positionsOf(config));
  if (!mods)
    return complain(mods.error());
  Case item = firstCase(config, *mods);
  if (!item.refusal.empty())
    return complain("attn-bench: error: " + item.refusal);
  Result<std::string> text = showMask(item, view);
  if (!text)
    return complain(text.error());
  print(*text);
  return success;
}

/// What else there is to say before anything runs; then it is too late for
/// hours. Errors: nothing of it could run, or be written.
static Result<void> checkBefore(const Config &config,
                                const std::vector<Case> &cases,
                                const Device &device,
                                std::vector<std::string> &notes) {
  for (const auto &[key, texts] : config.notes)
    notes.insert(notes.end(), texts.begin(), texts.end());
  for (const std::string &missing : missingFeatures(config))
    notes.push_back("attn-bench: note: " + missing);
  const Word &path = config.savePath;
  if (!path.text.empty()) {
    Result<OutputPaths> paths = OutputPaths::of(path.text);
    Result<void> ok =
        paths ? paths->checkWritable() : Result<void>(Error{paths.error()});
    if (!ok)
      return errorAt(path.where, ok.error());
    if (paths->isStream)
      notes.push_back("attn-bench: note: '" + path.text +
                      "' is no regular file: it gets the CSV rows at the end, "
                      "and there is no other file");
  }
  return checkSchedules(config, cases, device.target(), notes);
}

/// Measures the cases and reports. A run that does not end when it is told to
/// is ended with the rows that there are.
static int measure(const Config &config, const std::vector<Case> &cases,
                   const std::vector<std::string> &repeats, Device &device,
                   Recorder &recorder) {
  // Whoever has it reports; then the process ends.
  static std::mutex reporting;
  catchInterrupts(noteLeft, /*grace=*/10, [&] {
    reporting.lock();
    std::fprintf(stderr, "attn-bench: error: the run did not end within 10 s, "
                         "and is given up\n");
    report(recorder, {}, config.dynamic);
  });
  Result<void> ran = runCases(config, cases, repeats, device, recorder);
  reporting.lock();
  return report(recorder, ran, config.dynamic);
}

static int runConfig(const Config &config, const CommandLine &line, int argc,
                     char **argv) {
  Result<std::vector<LoadedMod>> mods =
      loadMods(config.mods, line.configPath, positionsOf(config));
  if (!mods)
    return complain(mods.error());
  std::vector<std::string> notes;
  Result<std::vector<Case>> cases = listCases(config, *mods, notes);
  if (!cases)
    return complain(cases.error());
  Result<std::unique_ptr<Device>> device = createDevice(config);
  if (!device)
    return complain(device.error());
  Result<void> fine = checkBefore(config, *cases, **device, notes);
  say(notes);
  if (!fine)
    return complain(fine.error());
  std::vector<std::string> backends = backendNames(config);
  Target target = (*device)->target();
  print("Device: " + (*device)->description() + "\n\n");
  if (!printFailure().empty())
    return badInput;
  if (line.dryRun) {
    markTooLarge(*cases, **device);
    print(
        describeCases(*cases, target, backends.size(), secondsToTune(config)));
    return success;
  }
  const Word &path = config.savePath;
  std::vector<std::string> repeats = repeatCommands(config, *cases, target);
  Result<std::unique_ptr<Recorder>> recorder =
      openRecorder(path,
                   describeRun(argc, argv, line.configPath, **device, backends,
                               repeats, *mods),
                   line.start);
  if (!recorder)
    return complain(recorder.error());
  bool resumes = line.start == Start::Resume || line.start == Start::Retry;
  if (resumes && !(*recorder)->isResumed())
    std::fprintf(stderr,
                 "attn-bench: note: there is no run to resume at '%s'; "
                 "a new one starts\n",
                 path.text.c_str());
  if ((*recorder)->isFinished()) {
    std::fprintf(stderr, "attn-bench: note: this run was finished before\n");
    return report(**recorder, {}, config.dynamic);
  }
  return measure(config, *cases, repeats, **device, **recorder);
}

static int runCommand(int argc, char **argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::string command = words.empty() ? "" : words[0];
  bool isSubcommand = command == "compare" || command == "report";
  if (isSubcommand)
    words.erase(words.begin());
  auto asks = [&](const char *flag) {
    return std::find(words.begin(), words.end(), flag) != words.end();
  };
  if (isSubcommand && !asks("--help") && !asks("-h") && !asks("--version"))
    return command == "compare" ? runCompare(words) : runReport(words);
  if (isSubcommand)
    ++argv, --argc;
  Result<CommandLine> line = parseCommandLine(argc, argv);
  if (!line)
    return complain(line.error());
  if (line->version || line->help) {
    print(line->version ? versionText("attn-bench") + "\n" : helpText());
    return success;
  }
  Result<Config> config = readConfig(*line);
  if (!config)
    return complain(config.error());
  useCache();
  if (line->showMask)
    return runShowMask(*config, *line);
  return runConfig(*config, *line, argc, argv);
}

/// In place of an exception, which nobody here would catch.
[[noreturn]] static void endWithoutMemory() {
  static const char message[] = "attn-bench: error: out of memory\n";
  (void)!write(STDERR_FILENO, message, sizeof(message) - 1);
  std::abort(); // so that the case is noted
}

int attn::bench::runTool(int argc, char **argv) {
  guardOutput();
  std::set_new_handler(endWithoutMemory);
  int code = runCommand(argc, argv);
  if (printFailure().empty())
    return code;
  complain("attn-bench: error: cannot write the standard output: " +
           printFailure());
  return code == success ? badInput : code;
}
