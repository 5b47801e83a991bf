// See OutputPaths.h.
#include "results/OutputPaths.h"

#include "support/TextFile.h"

#include "attn/Support/Try.h"

#include <filesystem>

using namespace attn;
using namespace attn::bench;

/// `path` without the extension of one of the files.
static std::string stemOf(const std::string &path) {
  std::filesystem::path parts = path;
  for (const char *extension : {".csv", ".json", ".html", ".journal"})
    if (parts.extension() == extension)
      return path.substr(0, path.size() - std::string(extension).size());
  return path;
}

Result<OutputPaths> OutputPaths::of(const std::string &savePath) {
  OutputPaths paths;
  std::string stem = stemOf(savePath);
  paths.csv = savePath;
  if (stem != savePath)
    paths.csv = stem + ".csv";
  ATTN_TRY_ASSIGN(Destination place, destinationOf(paths.csv));
  // A folder is a mistake, which checkWritable() finds.
  std::error_code code;
  paths.isStream =
      !place.isRegular && !std::filesystem::is_directory(place.path, code);
  if (paths.isStream)
    return paths;
  paths.json = stem + ".json";
  paths.html = stem + ".html";
  paths.journal = stemOf(place.path) + ".journal";
  return paths;
}

Result<void> OutputPaths::checkWritable() const {
  for (const std::string &path : {csv, journal, json, html})
    if (!path.empty())
      ATTN_TRY(bench::checkWritable(path));
  return {};
}
