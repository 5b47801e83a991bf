// The run's description.
#include "results/RunInfo.h"

#include "cases/Repeat.h"
#include "support/Parallel.h"
#include "support/TextFile.h"

#include "attn/API/Version.h"

#include <cstring>
#include <ctime>
#include <filesystem>
#include <link.h>
#include <sys/utsname.h>

using namespace attn;
using namespace attn::bench;

std::string attn::bench::timeNow() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  char text[32];
  gmtime_r(&now, &parts);
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

static std::string systemName() {
  utsname names{};
  if (uname(&names))
    return "unknown";
  return std::string(names.sysname) + " " + names.release + ", " +
         names.machine;
}

std::string attn::bench::loadedLibraries() {
  std::vector<std::string> names;
  auto visit = [](dl_phdr_info *info, size_t, void *data) {
    for (const char *part : {"libopenblas", "libcublas.so", "libcudnn.so",
                             "libcuda.so", "libnvidia-ml.so"}) {
      std::error_code code;
      auto file = std::filesystem::canonical(info->dlpi_name, code);
      if (!code && std::strstr(info->dlpi_name, part))
        static_cast<std::vector<std::string> *>(data)->push_back(
            file.filename().string());
    }
    return 0;
  };
  dl_iterate_phdr(visit, &names);
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// FNV-1a, which is the same in every build.
static std::string hashOf(const std::vector<std::string> &lines) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::string &line : lines)
    for (unsigned char c : line + "\n")
      hash = (hash ^ c) * 0x100000001b3;
  char text[32];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(hash));
  return text;
}

RunInfo attn::bench::describeRun(int argc, char **argv,
                                 const std::string &configFile,
                                 const Device &device,
                                 const std::vector<std::string> &backends,
                                 const std::vector<std::string> &repeats,
                                 const std::vector<LoadedMod> &mods) {
  RunInfo run;
  run.version = attn::version();
  run.commit = attn::commit();
  run.started = timeNow();
  for (int i = 0; i < argc; ++i)
    run.commandLine += (i ? " " : "") + shellQuoted(argv[i]);
  run.configFile = configFile;
  run.target = device.target() == Target::CPU ? "cpu" : "cuda";
  run.device = device.description();
  run.facts = {{"system", systemName()},
               {"cores", std::to_string(coreCount())},
               {"compiler", ATTN_COMPILER}};
  run.backends = backends;
  run.caseCount = repeats.size();
  std::vector<std::string> identity = repeats;
  identity.insert(identity.end(), {run.device, run.version, run.commit});
  // A mod may be changed between two runs.
  for (const LoadedMod &mod : mods)
    if (Result<std::string> text = readFile(mod.path))
      identity.push_back(*text);
  run.fingerprint = hashOf(identity);
  return run;
}
