// Configurations by name.
#include "config/Files.h"

#include "support/Names.h"

#include <algorithm>

using namespace attn;
using namespace attn::bench;

namespace fs = std::filesystem;

std::vector<fs::path> attn::bench::configDirectories() {
  std::vector<fs::path> directories;
  std::error_code code;
  fs::path tool = fs::read_symlink("/proc/self/exe", code);
  if (!code)
    for (const char *relative :
         {"../../configs", "../configs", "../share/attn"})
      directories.push_back((tool.parent_path() / relative).lexically_normal());
  return directories;
}

std::string attn::bench::workerDirectory() {
  std::error_code code;
  for (const fs::path &configs : configDirectories())
    for (const fs::path &directory :
         {configs.parent_path() / "bench/worker",
          configs.parent_path() / "worker", configs / "worker"})
      if (fs::is_regular_file(directory / "__main__.py", code))
        return directory.string();
  return "";
}

/// The name by which a configuration file can be asked for.
static std::string nameOf(const fs::path &file) {
  static const std::string prefix = "config_";
  std::string name = file.stem().string();
  return name.compare(0, prefix.size(), prefix) ? name
                                                : name.substr(prefix.size());
}

Result<std::string> attn::bench::findConfig(const std::string &word) {
  std::error_code code;
  fs::path path(word);
  if (fs::exists(path, code) || path.has_parent_path())
    return word;
  std::vector<std::string> known;
  for (const fs::path &directory : configDirectories())
    for (const fs::path &folder : {directory, directory / "presets"})
      for (const auto &entry : fs::directory_iterator(folder, code)) {
        if (entry.path().extension() != ".yaml")
          continue;
        const fs::path &file = entry.path();
        known.push_back(nameOf(file));
        if (known.back() == word || file.stem() == word ||
            file.filename() == word)
          return file.string();
      }
  if (path.has_extension())
    return word; // which then cannot be read
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  return errorAt("attn-bench", unknownName("configuration", word, known));
}
