// compare and report.
#include "commands/Commands.h"

#include "config/Setting.h"
#include "report/Compare.h"
#include "report/HTML.h"
#include "results/Journal.h"
#include "support/Output.h"
#include "support/TextFile.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

using namespace attn;
using namespace attn::bench;

static constexpr int badInput = 2;

static int complain(const std::string &message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return badInput;
}

static Result<Results> readResults(const std::string &path) {
  Result<std::string> text = readFile(path);
  if (!text)
    return errorAt(path, text.error());
  // The journal of an unfinished run does as well.
  Result<Results> results = resultsFromJournal(wholeLines(*text));
  if (!results)
    results = resultsFromJSON(*text);
  if (!results)
    return errorAt(path, results.error());
  return results;
}

/// Reads `--threshold PERCENT` or `--threshold=PERCENT` at `arguments[i]`.
static Result<double> readThreshold(const std::vector<std::string> &arguments,
                                    size_t &i) {
  static const std::string flag = "--threshold";
  std::string text;
  if (arguments[i].size() > flag.size())
    text = arguments[i].substr(flag.size() + 1);
  else if (i + 1 < arguments.size())
    text = arguments[++i];
  char *end = nullptr;
  double percent = std::strtod(text.c_str(), &end);
  if (text.empty() || *end || !(percent >= 0 && percent < 100))
    return errorAt("attn-bench", "expects a percentage between 0 and 100 after "
                                 "'--threshold', got '" +
                                     text + "'");
  return percent / 100;
}

int attn::bench::runCompare(const std::vector<std::string> &arguments) {
  std::vector<std::string> files;
  double threshold = 0.02;
  bool given = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &word = arguments[i];
    if (word == "--threshold" || word.rfind("--threshold=", 0) == 0) {
      if (given)
        return complain("attn-bench: error: expects '--threshold' once, got it "
                        "twice");
      given = true;
      Result<double> read = readThreshold(arguments, i);
      if (!read)
        return complain(read.error());
      threshold = *read;
    } else if (word.size() > 1 && word[0] == '-') {
      return complain("attn-bench: error: unknown flag '" + word +
                      "'; expects --threshold");
    } else {
      files.push_back(word);
    }
  }
  if (files.size() != 2)
    return complain("attn-bench: error: expects two JSON files after "
                    "'compare', got " +
                    std::to_string(files.size()));
  Result<Results> before = readResults(files[0]);
  if (!before)
    return complain(before.error());
  Result<Results> after = readResults(files[1]);
  if (!after)
    return complain(after.error());
  Comparison comparison = compareResults(*before, *after, threshold);
  print(comparison.text);
  return comparison.worse ? 1 : 0;
}

int attn::bench::runReport(const std::vector<std::string> &arguments) {
  for (const std::string &word : arguments)
    if (word.size() > 1 && word[0] == '-')
      return complain("attn-bench: error: unknown flag '" + word +
                      "'; 'report' has none");
  if (arguments.empty() || arguments.size() > 2)
    return complain(
        "attn-bench: error: expects a JSON file after 'report', and "
        "perhaps the HTML file, got " +
        std::to_string(arguments.size()) + " words");
  Result<Results> results = readResults(arguments[0]);
  if (!results)
    return complain(results.error());
  std::filesystem::path path = arguments[0];
  path.replace_extension(".html");
  if (arguments.size() == 2)
    path = arguments[1];
  std::error_code code;
  if (std::filesystem::equivalent(arguments[0], path, code))
    return complain("attn-bench: error: expects another file for the report "
                    "than the one that is read, got '" +
                    path.string() + "'");
  if (Result<void> written = writeFile(path, reportHTML(*results)); !written)
    return complain("attn-bench: error: " + written.error());
  print(path.string() + "\n");
  return 0;
}
