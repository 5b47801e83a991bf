// The functions of generated objects. See Interface.h.
#include "Interface.h"

#include <cctype>
#include <map>

using namespace attn;
using namespace attn::aot;

static constexpr const char *args = "const @_args *args";
static constexpr const char *backwardArgs = "const @_backward_args *args";

std::vector<EntryPoint> aot::entryPointsOf(const Interface &interface) {
  std::vector<EntryPoint> all{
      {"load",
       "attn_aot_load",
       "int",
       {"int device"},
       true,
       "Loads the kernels for a GPU by its number, or for the CPU (-1); again "
       "for another device."},
      {"unload",
       "attn_aot_unload",
       "void",
       {},
       true,
       "Of all devices. No other call may be running."},
      {"supports",
       "attn_aot_supports",
       "int",
       {args},
       true,
       "Whether forward() takes these, as far as the host knows."},
      {"prepare",
       "attn_aot_prepare",
       "int",
       {args},
       true,
       "Loads all that launches of these sizes take whose tensors begin at "
       "multiples of\n * 16 bytes and whose captures have an innermost stride "
       "of 1. After it forward()\n * neither allocates memory of the device "
       "nor waits, given a workspace and tiles\n * where they are needed. "
       "Other memory: its first launch loads what it takes."},
      {"workspace_bytes",
       "attn_aot_workspace_bytes",
       "int",
       {args, "int64_t *bytes"},
       true,
       "Of memory of the device, for launches as prepare() has them; may be "
       "0."},
      {"find_tiles",
       "attn_aot_find_tiles",
       "int",
       {args, "void *stream", "void **tiles"},
       true,
       "For args->tiles, until lengths or captured tensors change, for "
       "launches as\n * prepare() has them; null where the kernel finds tiles "
       "itself."},
      {"free_tiles",
       "attn_aot_free_tiles",
       "void",
       {"void *tiles"},
       false,
       "Null is fine."},
      {"forward",
       "attn_aot_forward",
       "int",
       {args, "void *workspace", "int64_t bytes", "void *stream"},
       true,
       "`workspace`: of workspace_bytes(), aligned to 16 bytes; null: memory "
       "of "
       "its own.\n * `stream`: a CUstream; not for the CPU, where it returns "
       "when all is done."},
      {"error_string",
       "attn_aot_error_string",
       "const char *",
       {"int code"},
       false,
       "What a code means."},
      {"error_detail",
       "attn_aot_error_detail",
       "const char *",
       {},
       false,
       "Why the last call of this thread that failed did."}};
  if (!interface.first().hasGradients())
    return all;
  const EntryPoint backward[] = {
      {"backward_prepare",
       "attn_aot_backward_prepare",
       "int",
       {backwardArgs},
       true,
       "As prepare(), for backward()."},
      {"backward_workspace_bytes",
       "attn_aot_backward_workspace_bytes",
       "int",
       {backwardArgs, "int64_t *bytes"},
       true,
       "As workspace_bytes(), for backward()."},
      {"find_backward_tiles",
       "attn_aot_find_backward_tiles",
       "int",
       {backwardArgs, "void *stream", "void **tiles"},
       true,
       "As find_tiles(), for backward()."},
      {"backward",
       "attn_aot_backward",
       "int",
       {backwardArgs, "void *workspace", "int64_t bytes", "void *stream"},
       true,
       "The gradients; all that args names is written."}};
  all.insert(all.end() - 2, std::begin(backward), std::end(backward));
  return all;
}

/// With nothing that an identifier cannot have behind its first letter.
static std::string wordOf(const std::string &name) {
  std::string result;
  for (char c : name)
    result += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return result;
}

std::string aot::identifierOf(const std::string &name) {
  std::string result = wordOf(name);
  bool isDigit =
      result.empty() || std::isdigit(static_cast<unsigned char>(result[0]));
  return isDigit ? "attn_" + result : result;
}

std::string aot::fieldOf(const CaptureInfo &capture) {
  return wordOf(capture.name);
}

/// Gradients of captures are members beside those of the operands.
static Result<void> checkGradientNames(const KernelPackage &package) {
  if (!package.hasGradients())
    return {};
  for (int64_t number : package.wrt()) {
    const CaptureInfo &capture = package.captures()[number];
    for (const char *taken : {"query", "key", "value", "out", "lse"})
      if (fieldOf(capture) == taken)
        return Error{"expects captures of 'wrt' with other names than operands "
                     "have, got '" +
                     capture.name + "'"};
  }
  return {};
}

Result<void> aot::checkNames(const Interface &interface) {
  if (identifierOf(interface.prefix) != interface.prefix)
    return Error{"--name: expects an identifier of C, got '" +
                 interface.prefix + "'"};
  // The runtime's own functions, such as attn_aot_backward_prepare.
  if (interface.prefix.rfind("attn_aot", 0) == 0)
    return Error{"--name: expects a name that does not begin with 'attn_aot', "
                 "got '" +
                 interface.prefix + "'"};
  std::map<std::string, std::string> fields;
  for (const CaptureInfo &capture : interface.first().captures()) {
    auto [known, isNew] = fields.emplace(fieldOf(capture), capture.name);
    if (!isNew)
      return Error{"expects captures whose names differ in letters and digits, "
                   "got '" +
                   known->second + "' and '" + capture.name + "'"};
  }
  return checkGradientNames(interface.first());
}

std::string aot::withPrefix(const Interface &interface, std::string text) {
  for (size_t at; (at = text.find('@')) != text.npos;)
    text.replace(at, 1, interface.prefix);
  return text;
}
