// Rows into files.
#include "Recorder.h"

#include "HTML.h"
#include "Report.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

OutputPaths::OutputPaths(const std::string &savePath) : csv(savePath) {
  static const std::string extension = ".csv";
  std::string stem = savePath;
  if (stem.size() > extension.size() &&
      !stem.compare(stem.size() - extension.size(), extension.size(),
                    extension))
    stem.resize(stem.size() - extension.size());
  journal = stem + ".journal";
  json = stem + ".json";
  html = stem + ".html";
}

Result<void> Recorder::checkWritable(const std::string &savePath) {
  auto failure = [&] {
    return Error{"cannot write '" + savePath + "': " + std::strerror(errno)};
  };
  bool exists = access(savePath.c_str(), F_OK) == 0;
  int descriptor =
      ::open(savePath.c_str(),
             exists ? O_WRONLY | O_APPEND : O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (descriptor < 0)
    return failure();
  ::close(descriptor);
  if (!exists)
    ::unlink(savePath.c_str());
  return {};
}

/// Takes over the rows of an unfinished run, if it is the same run.
Result<void> Recorder::readJournal() {
  Result<Results> old = resultsFromJournal(journal->lines());
  if (!old)
    return Error{"cannot resume from '" + paths->journal + "': " + old.error()};
  if (old->run.fingerprint != results.run.fingerprint)
    return Error{"cannot resume from '" + paths->journal +
                 "': it has other cases, settings, another device or another "
                 "version of attn; its run was: " +
                 old->run.commandLine};
  results = std::move(*old);
  resumed = true;
  // What comes after a broken line is measured again.
  return journal->keep(1 + results.rows.size());
}

/// Takes over a finished run, if it is the same run.
Result<void> Recorder::readFinished() {
  Result<std::string> text = readFile(paths->json);
  if (!text)
    return {};
  Result<Results> old = resultsFromJSON(*text);
  if (!old || !old->complete || old->run.fingerprint != results.run.fingerprint)
    return {};
  results = std::move(*old);
  resumed = true;
  return {};
}

Result<std::unique_ptr<Recorder>> Recorder::open(const std::string &savePath,
                                                 RunInfo run, Start start) {
  auto recorder = std::make_unique<Recorder>(std::move(run));
  const OutputPaths &paths = recorder->paths.emplace(savePath);
  Result<std::unique_ptr<Journal>> journal = Journal::open(paths.journal);
  if (!journal)
    return Error{journal.error()};
  recorder->journal = std::move(*journal);
  size_t lines = recorder->journal->lines().size();
  Result<void> ok;
  if (lines > 1 && start == Start::Fresh)
    return Error{"'" + paths.journal + "' holds " + std::to_string(lines - 1) +
                 " cases of an unfinished run; --resume continues it, "
                 "--overwrite drops it"};
  if (lines > 1 && start == Start::Resume)
    ok = recorder->readJournal();
  else if (start == Start::Resume)
    ok = recorder->readFinished();
  if (ok && !recorder->resumed)
    ok = recorder->journal->keep(0);
  if (ok && recorder->isFinished())
    recorder->journal->remove();
  if (!ok)
    return Error{ok.error()};
  return recorder;
}

bool Recorder::has(size_t index) const {
  return std::any_of(results.rows.begin(), results.rows.end(),
                     [&](const auto &entry) { return entry.first == index; });
}

std::vector<Row> Recorder::rows() const {
  std::vector<Row> rows;
  for (const auto &[index, row] : results.rows)
    rows.push_back(row);
  return rows;
}

Result<void> Recorder::writeCSV() const {
  return writeFile(paths->csv, reportCSV(results.run.backends, rows()));
}

Result<void> Recorder::begin(const Ceilings &ceilings) {
  if (!resumed)
    results.run.ceilings = ceilings;
  if (!paths)
    return {};
  if (!resumed)
    if (Result<void> ok = journal->append(toLine(results.run)); !ok)
      return ok;
  columns.emplace(results.run.backends, rows());
  return writeCSV();
}

/// Appends the last row to the CSV file, so that whoever follows the file sees
/// rows come.
Result<void> Recorder::appendToCSV() const {
  std::string line = csvLine(columns->csvCells(results.rows.back().second));
  std::FILE *file = std::fopen(paths->csv.c_str(), "a");
  bool ok = file && std::fputs(line.c_str(), file) >= 0;
  if (file && std::fclose(file))
    ok = false;
  if (!ok)
    return Error{"cannot write '" + paths->csv + "': " + std::strerror(errno)};
  return {};
}

Result<void> Recorder::add(size_t index, const Row &row, bool interrupted) {
  std::string line = toLine(index, row, results.run.backends);
  // What is shown now is what a resumed run would show, to the last digit.
  auto kept = rowFromLine(line, results.run.backends);
  if (!kept)
    return Error{"cannot keep a row: " + kept.error()};
  auto place = std::lower_bound(
      results.rows.begin(), results.rows.end(), index,
      [](const auto &entry, size_t i) { return entry.first < i; });
  place = results.rows.insert(place, std::move(*kept));
  if (!paths)
    return {};
  if (!interrupted)
    if (Result<void> ok = journal->append(line); !ok)
      return ok;
  bool last = std::next(place) == results.rows.end();
  if (last && !columns->lacks(place->second))
    return appendToCSV();
  columns.emplace(results.run.backends, rows());
  return writeCSV();
}

void Recorder::setFact(const std::string &name, const std::string &value) {
  if (value.empty())
    return;
  for (Fact &fact : results.run.facts)
    if (fact.first == name) {
      fact.second = value;
      return;
    }
  results.run.facts.push_back({name, value});
}

Result<void> Recorder::finish(bool complete) {
  results.complete = complete;
  results.finished = timeNow();
  if (!paths)
    return {};
  if (Result<void> ok = writeFile(paths->json, toJSON(results)); !ok)
    return ok;
  if (Result<void> ok = writeFile(paths->html, reportHTML(results)); !ok)
    return ok;
  if (complete)
    journal->remove();
  return {};
}
