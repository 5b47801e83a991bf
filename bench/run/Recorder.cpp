// Rows into files.
#include "run/Recorder.h"

#include "report/HTML.h"
#include "report/Report.h"
#include "support/CrashNote.h"
#include "support/Output.h"
#include "support/TextFile.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

Recorder::~Recorder() {
  if (stream >= 0)
    ::close(stream);
}

/// For --retry-crashed: cases in which the process crashed have no row.
void Recorder::dropCrashed() {
  auto &rows = results.rows;
  rows.erase(
      std::remove_if(rows.begin(), rows.end(),
                     [](const auto &entry) { return entry.second.crashed; }),
      rows.end());
  results.unended.clear();
}

/// Takes over the rows of an unfinished run, if it is the same run.
Result<void> Recorder::readJournal(Start start) {
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
  if (start == Start::Retry)
    dropCrashed();
  // What comes after a broken line is measured again.
  return journal->keep(results.lines);
}

/// Takes over a finished run, if it is the same run. If crashed cases are to be
/// measured again, it goes on as an unfinished one.
Result<void> Recorder::readFinished(Start start) {
  Result<std::string> text = readFile(paths->json);
  if (!text)
    return {};
  Result<Results> old = resultsFromJSON(*text);
  if (!old || !old->complete || old->run.fingerprint != results.run.fingerprint)
    return {};
  results = std::move(*old);
  resumed = true;
  size_t all = results.rows.size();
  if (start == Start::Retry)
    dropCrashed();
  if (results.rows.size() == all)
    return {};
  results.complete = false;
  ATTN_TRY(journal->keep(0));
  ATTN_TRY(journal->append(toLine(results.run)));
  for (const auto &[index, row] : results.rows)
    ATTN_TRY(journal->append(toLine(index, row, results.run.backends)));
  return {};
}

Result<std::unique_ptr<Recorder>> Recorder::open(const std::string &savePath,
                                                 RunInfo run, Start start) {
  auto recorder = std::make_unique<Recorder>(std::move(run));
  ATTN_TRY_ASSIGN(OutputPaths found, OutputPaths::of(savePath));
  const OutputPaths &paths = recorder->paths.emplace(std::move(found));
  bool resumes = start == Start::Resume || start == Start::Retry;
  if (paths.isStream) {
    if (resumes)
      return Error{"expects a regular file to resume from, got '" + savePath +
                   "'"};
    ATTN_TRY_ASSIGN(Destination place, destinationOf(paths.csv));
    ATTN_TRY_ASSIGN(recorder->stream, openStream(place));
    return recorder;
  }
  ATTN_TRY_ASSIGN(recorder->journal, Journal::open(paths.journal));
  size_t lines = recorder->journal->lines().size();
  if (lines > 1 && start == Start::Fresh) {
    Result<Results> old = resultsFromJournal(recorder->journal->lines());
    size_t rows = old ? old->rows.size() : lines - 1;
    if (rows)
      return Error{"'" + paths.journal + "' holds " + std::to_string(rows) +
                   " cases of an unfinished run; --resume continues it, "
                   "--overwrite drops it"};
  }
  if (lines > 1 && resumes)
    ATTN_TRY(recorder->readJournal(start));
  else if (resumes)
    ATTN_TRY(recorder->readFinished(start));
  if (!recorder->resumed)
    ATTN_TRY(recorder->journal->keep(0));
  if (recorder->isFinished())
    recorder->journal->remove();
  return recorder;
}

bool Recorder::has(size_t index) const {
  auto place = std::lower_bound(
      results.rows.begin(), results.rows.end(), index,
      [](const auto &entry, size_t i) { return entry.first < i; });
  return place != results.rows.end() && place->first == index;
}

std::string Recorder::crashOf(size_t index) const {
  auto found = results.unended.find(index);
  if (found == results.unended.end())
    return "";
  if (!found->second.crash.empty())
    return found->second.crash;
  // Once may have been somebody's kill -9.
  return found->second.times < 2
             ? ""
             : "the process ended " + std::to_string(found->second.times) +
                   " times in this case without a word";
}

std::vector<Row> Recorder::allRows() const {
  std::vector<Row> rows;
  for (const auto &[index, row] : results.rows)
    rows.push_back(row);
  return rows;
}

std::vector<Row> Recorder::rows() const {
  std::lock_guard<std::mutex> lock(mutex);
  return allRows();
}

Result<void> Recorder::writeCSV() const {
  return writeFile(paths->csv, reportCSV(results.run.backends, allRows(),
                                         results.run.ceilings));
}

Result<void> Recorder::begin(const Ceilings &ceilings) {
  if (!resumed)
    results.run.ceilings = ceilings;
  if (!journal)
    return {};
  if (!resumed)
    ATTN_TRY(journal->append(toLine(results.run)));
  columns.emplace(results.run.backends, allRows(), results.run.ceilings.read);
  return writeCSV();
}

Result<void> Recorder::beginCase(size_t index) {
  return journal ? journal->append(beginLine(index)) : Result<void>();
}

/// Appends a row to the CSV file, so that whoever follows the file sees rows
/// come.
Result<void> Recorder::appendToCSV(const Row &row) const {
  const char *path = paths->csv.c_str();
  int file = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  bool ok = file >= 0 && writeAll(file, csvLine(columns->csvCells(row)));
  Error error = fileError("write", paths->csv);
  if (file >= 0 && ::close(file) && ok) {
    ok = false;
    error = fileError("write", paths->csv);
  }
  return ok ? Result<void>() : error;
}

Result<void> Recorder::add(size_t index, const Row &row, bool interrupted) {
  std::lock_guard<std::mutex> lock(mutex);
  std::string line = toLine(index, row, results.run.backends);
  // What is shown now is what a resumed run would show, to the last digit.
  auto kept = rowFromLine(line, results.run.backends);
  if (!kept)
    return Error{"cannot keep a row: " + kept.error()};
  const Row &added = results.setRow(index, std::move(kept->second));
  if (!journal)
    return {};
  if (!interrupted)
    ATTN_TRY(journal->append(line));
  if (results.rows.back().first == index && !columns->lacks(added))
    return appendToCSV(added);
  columns.emplace(results.run.backends, allRows(), results.run.ceilings.read);
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
  std::lock_guard<std::mutex> lock(mutex);
  results.complete = complete;
  results.finished = timeNow();
  if (stream >= 0 &&
      !writeAll(stream, reportCSV(results.run.backends, allRows(),
                                  results.run.ceilings)))
    return fileError("write", paths->csv);
  if (!journal)
    return {};
  ATTN_TRY(writeFile(paths->json, toJSON(results)));
  ATTN_TRY(writeFile(paths->html, reportHTML(results)));
  if (complete)
    journal->remove();
  return {};
}
