// See Arguments.h.
#include "Arguments.h"

#include "Handles.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::capi;

Result<AttentionArguments>
attn::capi::argumentsOf(const attn_arguments *given,
                        const std::vector<CaptureInfo> &captures) {
  ATTN_TRY_ASSIGN(attn_arguments a, copyOf(given, "arguments"));
  AttentionArguments arguments;
  ATTN_TRY_ASSIGN(arguments.query, tensorOf(a.query, "query"));
  ATTN_TRY_ASSIGN(arguments.key, tensorOf(a.key, "key"));
  ATTN_TRY_ASSIGN(arguments.value, tensorOf(a.value, "value"));
  ATTN_TRY_ASSIGN(arguments.out, tensorOf(a.out, "out"));
  ATTN_TRY_ASSIGN(arguments.captures,
                  capturesOf(a.captures, a.capture_count, captures));
  ATTN_TRY_ASSIGN(arguments.queryStarts,
                  startsOf(a.query_starts, "query_starts"));
  ATTN_TRY_ASSIGN(arguments.keyStarts, startsOf(a.key_starts, "key_starts"));
  if (a.pages) {
    ATTN_TRY_ASSIGN(arguments.pages, captureOf(a.pages, "pages"));
  }
  arguments.lse = a.lse;
  arguments.stream = a.stream;
  arguments.tiles = a.tiles ? &a.tiles->lists : nullptr;
  arguments.workspace = {a.workspace, a.workspace_bytes};
  return arguments;
}

//===--- gradients --------------------------------------------------------===//

Result<std::vector<std::string>>
attn::capi::namesOf(const char *const *names, size_t count, size_t most) {
  if (count > most)
    return Error{"expects 'wrt' to name at most " + std::to_string(most) +
                 " captures, got " + std::to_string(count)};
  std::vector<std::string> result;
  if (count)
    ATTN_TRY(expect(names, "wrt"));
  for (size_t i = 0; i < count; ++i) {
    ATTN_TRY(expect(names[i], "wrt"));
    result.push_back(names[i]);
  }
  return result;
}

static Result<void> readTensors(const attn_gradient_arguments &a,
                                GradientArguments &arguments) {
  ATTN_TRY_ASSIGN(arguments.query, tensorOf(a.query, "query"));
  ATTN_TRY_ASSIGN(arguments.key, tensorOf(a.key, "key"));
  ATTN_TRY_ASSIGN(arguments.value, tensorOf(a.value, "value"));
  ATTN_TRY_ASSIGN(arguments.out, tensorOf(a.out, "out"));
  ATTN_TRY_ASSIGN(arguments.gradOut, tensorOf(a.grad_out, "grad_out"));
  ATTN_TRY_ASSIGN(arguments.gradQuery, tensorOf(a.grad_query, "grad_query"));
  ATTN_TRY_ASSIGN(arguments.gradKey, tensorOf(a.grad_key, "grad_key"));
  ATTN_TRY_ASSIGN(arguments.gradValue, tensorOf(a.grad_value, "grad_value"));
  return {};
}

Result<GradientArguments>
attn::capi::argumentsOf(const attn_gradient_arguments *given,
                        const std::vector<CaptureInfo> &captures, size_t wrt) {
  ATTN_TRY_ASSIGN(attn_gradient_arguments a, copyOf(given, "arguments"));
  GradientArguments arguments;
  ATTN_TRY(readTensors(a, arguments));
  ATTN_TRY_ASSIGN(arguments.captures,
                  capturesOf(a.captures, a.capture_count, captures));
  if (a.grad_capture_count != wrt)
    return Error{"expects " + std::to_string(wrt) +
                 " gradients of captures, got " +
                 std::to_string(a.grad_capture_count)};
  if (wrt) {
    ATTN_TRY(expect(a.grad_captures, "grad_captures"));
    arguments.gradCaptures.assign(a.grad_captures, a.grad_captures + wrt);
  }
  arguments.lse = a.lse, arguments.gradLse = a.grad_lse;
  arguments.tiles = a.tiles ? &a.tiles->tiles : nullptr;
  arguments.stream = a.stream;
  arguments.workspace = a.workspace;
  arguments.workspaceBytes = a.workspace_bytes;
  return arguments;
}
