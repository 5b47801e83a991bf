// From the command line to the report.
#include "Main.h"

#include "Cases.h"
#include "CommandLine.h"
#include "ConfigFile.h"
#include "Interrupt.h"
#include "Registry.h"
#include "Runner.h"

#include <cstdio>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

enum ExitCode { success = 0, fault = 1, badInput = 2, interrupted = 130 };

static int complain(const std::string &message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return badInput;
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

static std::string formatSeconds(double seconds) {
  char text[64];
  if (seconds < 120)
    std::snprintf(text, sizeof(text), "%.1f s", seconds);
  else
    std::snprintf(text, sizeof(text), "%.1f min", seconds / 60);
  return text;
}

/// Lists the cases instead of running them.
static void printCases(const std::vector<Case> &cases, Target target,
                       size_t backends) {
  std::vector<Cells> rows;
  double total = 0;
  for (const Case &item : cases) {
    double seconds = secondsExpected(item, target, backends);
    bool runs = item.refusal.empty();
    total += runs ? seconds : 0;
    rows.push_back({item.mod->label, toString(item.type), item.shape,
                    runs ? formatBytes(bytesNeeded(item, target)) : "",
                    runs ? formatSeconds(seconds) : "", item.refusal});
  }
  std::string table =
      markdownTable({"attn_type", "dtype", "shape(B,Hq,M,Hkv,N,D)", "memory",
                     "estimated time", "remarks"},
                    rows);
  std::printf("%s\n%zu cases, about %s (estimated)\n", table.c_str(),
              cases.size(), formatSeconds(total).c_str());
}

/// One line that is overwritten on a terminal, else one line for each case.
static void printProgress(size_t index, size_t count, const Case &item) {
  bool terminal = isatty(STDERR_FILENO);
  std::fprintf(stderr, "%s[%zu/%zu] %s %s %s%s", terminal ? "\r\x1b[K" : "",
               index + 1, count, item.mod->label.c_str(), toString(item.type),
               item.shape.c_str(), terminal ? "" : "\n");
}

static int runCases(const Config &config, const std::vector<Case> &cases,
                    Device &device, const std::vector<std::string> &names) {
  Report report(names);
  if (!config.savePath.text.empty())
    if (Result<void> opened = report.open(config.savePath.text); !opened)
      return complain(errorAt(config.savePath.where, opened.error()).message);
  catchInterrupts();
  std::vector<std::unique_ptr<Backend>> backends;
  for (const std::string &name : names)
    backends.push_back(createBackend(name, device, config.schedule));
  TimingOptions timing;
  timing.hot = config.hot;
  Runner runner(device, std::move(backends), timing);
  for (size_t i = 0; i < cases.size() && !isInterrupted(); ++i) {
    printProgress(i, cases.size(), cases[i]);
    if (Result<void> added = report.add(runner.run(cases[i])); !added)
      return complain("attn-bench: error: " + added.error());
  }
  if (isatty(STDERR_FILENO))
    std::fprintf(stderr, "\r\x1b[K");
  std::printf("%s", report.text().c_str());
  if (isInterrupted()) {
    std::fprintf(stderr, "attn-bench: interrupted\n");
    return interrupted;
  }
  return report.hasFault() ? fault : success;
}

static int runConfig(const Config &config, const CommandLine &line) {
  Result<std::vector<LoadedMod>> mods = loadMods(config.mods, line.configPath);
  if (!mods)
    return complain(mods.error());
  Result<std::unique_ptr<Device>> device = createDevice(config);
  if (!device)
    return complain(device.error());
  const std::string &path = config.savePath.text;
  if (!path.empty())
    if (Result<void> writable = Report::checkWritable(path); !writable)
      return complain(errorAt(config.savePath.where, writable.error()).message);

  for (const std::string &missing : missingFeatures(config))
    std::fprintf(stderr, "attn-bench: note: %s\n", missing.c_str());
  std::vector<std::string> backends = {"compiled"};
  backends.insert(backends.end(), config.backends.begin(),
                  config.backends.end());
  std::vector<Case> cases = listCases(config, *mods);
  std::printf("Device: %s\n\n", (*device)->description().c_str());
  if (!line.dryRun)
    return runCases(config, cases, **device, backends);
  printCases(cases, (*device)->target(), backends.size());
  return success;
}

int attn::bench::runTool(int argc, char **argv) {
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
  return runConfig(*config, *line);
}
