// Requests, answers, and what takes their place.
#include "backends/TorchWorker.h"

#include <cstdio>
#include <nlohmann/json.hpp>

using namespace attn;
using namespace attn::bench;
using nlohmann::json;

TorchWorker::TorchWorker(std::string python, std::string directory,
                         double timeoutSeconds)
    : python(std::move(python)), directory(std::move(directory)),
      timeoutSeconds(timeoutSeconds) {}

/// The text at `key`, or "".
static std::string textAt(const json &object, const char *key) {
  auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : "";
}

static Refusal::Kind kindOf(const std::string &word) {
  if (word == "unavailable")
    return Refusal::Unavailable;
  if (word == "unsupported")
    return Refusal::Unsupported;
  return word == "out_of_memory" ? Refusal::OutOfMemory : Refusal::Failed;
}

/// The start of what the worker sent, with nothing that a table cannot hold.
static std::string excerptOf(const std::string &line) {
  std::string text = line.substr(0, 40);
  for (char &c : text)
    if (c < ' ' || c > '~')
      c = '?';
  return "'" + text + (line.size() > 40 ? "...'" : "'");
}

static std::string versionsIn(const json &answer) {
  std::string text = "Python " + textAt(answer, "python") + ", PyTorch " +
                     textAt(answer, "torch");
  if (std::string cuda = textAt(answer, "cuda"); !cuda.empty())
    text += " (CUDA " + cuda + ")";
  auto packages = answer.find("packages");
  if (packages != answer.end() && packages->is_object())
    for (auto &[name, version] : packages->items())
      if (version.is_string())
        text += ", " + name + " " + version.get<std::string>();
  return text;
}

/// Ends the worker, whose state is not known any more.
Refusal TorchWorker::fail(const std::string &reason) {
  process.kill();
  return {Refusal::Failed, "the PyTorch worker " + reason};
}

std::optional<Refusal> TorchWorker::start() {
  Result<Process> child = Process::start({python, directory});
  if (!child) {
    permanent = Refusal{Refusal::Unavailable, child.error()};
    return permanent;
  }
  process = std::move(*child);
  ++started;
  json request = {{"op", "hello"}}, answer;
  if (std::optional<Refusal> refusal = exchange(request, answer)) {
    process.kill();
    // Where not even this works, other cases need not wait for it.
    if (refusal->reason != "interrupted")
      permanent = refusal;
    return refusal;
  }
  versionText = versionsIn(answer);
  return std::nullopt;
}

std::optional<Refusal> TorchWorker::exchange(json &request, json &answer) {
  request["id"] = ++requests;
  process.writeLine(
      request.dump(-1, ' ', true, json::error_handler_t::replace));
  Process::Answer line = process.readLine(timeoutSeconds);
  char text[64];
  switch (line.kind) {
  case Process::Answer::Line:
    break;
  case Process::Answer::TimedOut:
    std::snprintf(text, sizeof(text), "gave no answer within %g s",
                  timeoutSeconds);
    return fail(text);
  case Process::Answer::Ended:
    return fail(line.text);
  case Process::Answer::Interrupted:
    process.kill();
    return Refusal{Refusal::Failed, "interrupted"};
  }
  answer = json::parse(line.text, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object())
    return fail("answered with what is no JSON object: " +
                excerptOf(line.text));
  if (answer.value("id", json()) != request["id"])
    return fail("answered to another request: " + excerptOf(line.text));
  auto ok = answer.find("ok");
  if (ok != answer.end() && ok->is_boolean() && ok->get<bool>())
    return std::nullopt;
  if (auto fatal = answer.find("fatal");
      fatal != answer.end() && fatal->is_boolean() && fatal->get<bool>())
    process.kill();
  std::string reason = textAt(answer, "reason");
  return Refusal{kindOf(textAt(answer, "kind")),
                 reason.empty() ? "the PyTorch worker gave no reason" : reason};
}

std::optional<Refusal> TorchWorker::ask(json &request, json &answer) {
  if (permanent)
    return permanent;
  if (!process.isRunning())
    if (std::optional<Refusal> refusal = start())
      return refusal;
  return exchange(request, answer);
}
