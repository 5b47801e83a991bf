// What comes before and behind an attention: appends to a cache, and merges.
#include "Handles.h"
#include "Values.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::capi;

// ===--- merges
// -----------------------------------------------------------===//

static Result<MergeSpec> specOf(const attn_merge_spec *given) {
  ATTN_TRY_ASSIGN(attn_merge_spec s, copyOf(given, "spec"));
  MergeSpec spec;
  ATTN_TRY_ASSIGN(spec.target, targetOf(s.target, "spec"));
  ATTN_TRY_ASSIGN(spec.type, typeOf(s.type, "spec"));
  spec.valueDim = s.value_dim;
  spec.parts = s.parts;
  spec.sink = s.sink, spec.lse = s.lse;
  if (s.device)
    spec.device = *s.device;
  return spec;
}

attn_status attn_merge_compile(const attn_merge_spec *spec,
                               attn_merge **merge) {
  ATTN_EXPECT(expect(merge, "merge"));
  *merge = nullptr;
  Result<MergeSpec> read = specOf(spec);
  ATTN_EXPECT(read);
  Result<MergeKernel> compiled = MergeKernel::compile(*read);
  if (!compiled)
    return statusOf(compiled);
  return give(merge, std::move(*compiled));
}

void attn_merge_retain(attn_merge *merge) { retain(merge); }
void attn_merge_release(attn_merge *merge) { release(merge); }

static Result<std::vector<AttentionPart>> partsOf(const attn_part *given,
                                                  size_t count) {
  std::vector<AttentionPart> parts;
  if (!count)
    return parts;
  constexpr size_t most = 16; // of any kernel
  if (count > most)
    return Error{"expects at most 16 parts, got " + std::to_string(count)};
  ATTN_TRY_ASSIGN(size_t size, sizeOf(given, "parts"));
  for (size_t i = 0; i < count; ++i) {
    if (given->size != size)
      return Error{"expects parts of one size, got " + std::to_string(size) +
                   " bytes and " + std::to_string(given->size)};
    ATTN_TRY_ASSIGN(attn_part p, copyOf(given, "parts"));
    given = reinterpret_cast<const attn_part *>(
        reinterpret_cast<const char *>(given) + size);
    AttentionPart part;
    ATTN_TRY_ASSIGN(part.out, tensorOf(p.out, "out"));
    part.lse = p.lse;
    parts.push_back(part);
  }
  return parts;
}

static Result<MergeArguments> argumentsOf(const attn_merge_arguments *given) {
  ATTN_TRY_ASSIGN(attn_merge_arguments a, copyOf(given, "arguments"));
  MergeArguments arguments;
  ATTN_TRY_ASSIGN(arguments.parts, partsOf(a.parts, a.part_count));
  ATTN_TRY_ASSIGN(arguments.out, tensorOf(a.out, "out"));
  arguments.sink = a.sink, arguments.lse = a.lse;
  arguments.stream = a.stream;
  return arguments;
}

attn_status attn_merge_run(const attn_merge *merge,
                           const attn_merge_arguments *arguments) {
  ATTN_EXPECT(expect(merge, "merge"));
  Result<MergeArguments> read = argumentsOf(arguments);
  ATTN_EXPECT(read);
  return statusOf(merge->kernel.run(*read));
}

// ===--- appends
// ----------------------------------------------------------===//

static Result<AppendSpec> specOf(const attn_append_spec *given) {
  ATTN_TRY_ASSIGN(attn_append_spec s, copyOf(given, "spec"));
  AppendSpec spec;
  ATTN_TRY_ASSIGN(spec.target, targetOf(s.target, "spec"));
  ATTN_TRY_ASSIGN(spec.type, typeOf(s.type, "spec"));
  spec.headDim = s.head_dim;
  spec.valueDim = s.value_dim ? s.value_dim : s.head_dim;
  spec.ragged = s.ragged, spec.paged = s.paged, spec.checked = s.checked;
  if (s.device)
    spec.device = *s.device;
  return spec;
}

attn_status attn_append_compile(const attn_append_spec *spec,
                                attn_append **append) {
  ATTN_EXPECT(expect(append, "append"));
  *append = nullptr;
  Result<AppendSpec> read = specOf(spec);
  ATTN_EXPECT(read);
  Result<AppendKernel> compiled = AppendKernel::compile(*read);
  if (!compiled)
    return statusOf(compiled);
  return give(append, std::move(*compiled));
}

void attn_append_retain(attn_append *append) { retain(append); }
void attn_append_release(attn_append *append) { release(append); }

static Result<AppendArguments> argumentsOf(const attn_append_arguments *given) {
  ATTN_TRY_ASSIGN(attn_append_arguments a, copyOf(given, "arguments"));
  AppendArguments arguments;
  ATTN_TRY_ASSIGN(arguments.newKey, tensorOf(a.new_key, "new_key"));
  ATTN_TRY_ASSIGN(arguments.newValue, tensorOf(a.new_value, "new_value"));
  ATTN_TRY_ASSIGN(arguments.key, tensorOf(a.key, "key"));
  ATTN_TRY_ASSIGN(arguments.value, tensorOf(a.value, "value"));
  ATTN_TRY_ASSIGN(arguments.starts, startsOf(a.starts, "starts"));
  if (a.pages) {
    ATTN_TRY_ASSIGN(arguments.pages, captureOf(a.pages, "pages"));
  }
  arguments.lengths = a.lengths;
  arguments.stream = a.stream;
  return arguments;
}

attn_status attn_append_run(const attn_append *append,
                            const attn_append_arguments *arguments) {
  ATTN_EXPECT(expect(append, "append"));
  Result<AppendArguments> read = argumentsOf(arguments);
  ATTN_EXPECT(read);
  return statusOf(append->kernel.run(*read));
}
