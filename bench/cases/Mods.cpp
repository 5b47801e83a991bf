// Mod files by name or path.
#include "cases/Mods.h"

#include "config/Files.h"
#include "support/Names.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <filesystem>

using namespace attn;
using namespace attn::bench;

namespace fs = std::filesystem;

/// Where named mods are.
static std::vector<fs::path> modDirectories(const std::string &configPath) {
  std::vector<fs::path> directories;
  for (const fs::path &directory : configDirectories())
    directories.push_back(directory / "mods");
  if (!configPath.empty())
    directories.push_back(fs::path(configPath).parent_path() / "mods");
  return directories;
}

static std::vector<std::string>
knownMods(const std::vector<fs::path> &directories) {
  std::vector<std::string> names;
  for (const fs::path &directory : directories) {
    std::error_code code;
    for (const auto &entry : fs::directory_iterator(directory, code))
      if (entry.path().extension() == ".mlir")
        names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

static Result<std::string> findMod(const Word &word,
                                   const std::vector<fs::path> &directories) {
  std::error_code code;
  const std::string &text = word.text;
  bool isPath = text.find('/') != std::string::npos ||
                fs::path(text).extension() == ".mlir";
  if (isPath) {
    if (fs::is_regular_file(text, code))
      return text;
    return errorAt(word.where, "there is no mod file '" + text + "'");
  }
  for (const fs::path &directory : directories) {
    fs::path path = directory / (text + ".mlir");
    if (fs::is_regular_file(path, code))
      return path.string();
  }
  std::vector<std::string> known = knownMods(directories);
  if (known.empty())
    return errorAt(word.where, "there is no directory of mods in which to "
                               "find '" +
                                   text + "'");
  return errorAt(word.where, unknownName("pattern", text, known));
}

Result<std::vector<LoadedMod>>
attn::bench::loadMods(const std::vector<Word> &words,
                      const std::string &configPath, Positions positions) {
  std::vector<fs::path> directories = modDirectories(configPath);
  std::vector<LoadedMod> mods;
  for (Word word : words) {
    if (word.where.empty())
      word.where = "attn-bench";
    ATTN_TRY_ASSIGN(std::string path, findMod(word, directories));
    Result<Mod> mod = Mod::fromFile(path);
    if (mod && positions != Positions::Own)
      mod = mod->withQueryOffset(positions == Positions::Lengths
                                     ? QueryOffset::PerBatch
                                     : QueryOffset::Scalar);
    if (mod && positions == Positions::Lengths)
      mod = mod->withLengths();
    ATTN_TRY(mod);
    mods.push_back({word.text, path, std::move(*mod)});
  }
  return mods;
}
