// Launching attention: what is common to all targets.
#include "CaptureViews.h"
#include "CheckedNumbers.h"
#include "KernelImpl.h"
#include "PlannedKernels.h"

#include "attn/Support/Try.h"

using namespace attn;

void attn::bindTensor(Bindings &bindings, const RoleName &name,
                      const TensorView &view) {
  const auto &strides = view.strides;
  bindings.memory(name, view.data, view.sizes,
                  {strides[0], strides[1], strides[2], 1});
  if (view.type == ElementType::F16)
    bindings.markF16(name);
}

static void bindStarts(Bindings &bindings, Role role,
                       const SequenceStarts &starts) {
  if (starts.starts)
    bindings.memory({role}, starts.starts, {starts.sequences + 1});
}

Bindings attn::bindingsOf(const AttentionKernel::Impl &kernel,
                          const KernelArguments &a) {
  Bindings bindings;
  bindTensor(bindings, Role::Query, a.query);
  bindTensor(bindings, Role::Key, a.key);
  bindTensor(bindings, Role::Value, a.value);
  bindTensor(bindings, Role::Out, a.out);
  if (kernel.spec.lse)
    bindings.memory({Role::Lse}, a.lse,
                    {a.query.sizes[0], a.query.sizes[1], a.query.sizes[2]});
  bindCaptures(bindings, kernel.captures, a.captures);
  bindStarts(bindings, Role::QueryStarts, a.queryStarts);
  bindStarts(bindings, Role::KeyStarts, a.keyStarts);
  if (a.pages && a.pages->strides.empty())
    bindings.memory({Role::Pages}, a.pages->data, a.pages->sizes);
  else if (a.pages)
    bindings.memory({Role::Pages}, a.pages->data, a.pages->sizes,
                    stridesOf(*a.pages));
  return bindings;
}

bool AttentionKernel::needsTileLists() const {
  return pimpl->finder.has_value();
}
int64_t AttentionKernel::queryTile() const { return pimpl->queryTile; }
int64_t AttentionKernel::keyTile() const { return pimpl->keyTile; }

Result<TileLists>
AttentionKernel::findTiles(const ProblemSizes &sizes,
                           const std::vector<CaptureView> &captures,
                           void *stream) const {
  return findTiles(sizes, captures, stream, {});
}

Result<TileLists>
AttentionKernel::findTiles(const ProblemSizes &sizes,
                           const std::vector<CaptureView> &captures,
                           void *stream, const TileLists &reuse) const {
  if (!pimpl->finder)
    return Error{
        "expects a kernel that needs lists of tiles: this one computes "
        "which tiles it visits"};
  return pimpl->finder->find(sizes, captures, stream, reuse);
}

Result<void> AttentionKernel::run(const TensorView &query,
                                  const TensorView &key,
                                  const TensorView &value,
                                  const std::vector<CaptureView> &captures,
                                  const TensorView &out, float *lse,
                                  void *stream, const TileLists *tiles) const {
  AttentionArguments arguments;
  arguments.query = query, arguments.key = key, arguments.value = value;
  arguments.captures = captures;
  arguments.out = out, arguments.lse = lse;
  arguments.stream = stream, arguments.tiles = tiles;
  return run(arguments);
}

Result<void> AttentionKernel::run(const AttentionArguments &a) const {
  KernelArguments arguments{a.query,
                            a.key,
                            a.value,
                            a.captures,
                            a.out,
                            a.lse,
                            a.stream,
                            pimpl->finder ? a.tiles : nullptr,
                            a.queryStarts,
                            a.keyStarts,
                            a.pages ? &*a.pages : nullptr,
                            a.workspace};
  ATTN_TRY(checkArguments(*pimpl, arguments));
  if (pimpl->spec.checked)
    ATTN_TRY(checkNumbers(*pimpl, arguments));
  if (arguments.keys() == 0)
    return pimpl->writeEmptyRows(arguments);
  return pimpl->run(arguments);
}

Result<int64_t> AttentionKernel::workspaceBytes(const SizeRange &range) const {
  ATTN_TRY(checkRange(range));
  return pimpl->workspaceBytes(range);
}
Result<int64_t>
AttentionKernel::workspaceBytes(const ProblemSizes &sizes) const {
  return workspaceBytes(SizeRange{sizes, sizes});
}

Result<void> AttentionKernel::prepare(const SizeRange &range) const {
  ATTN_TRY(checkRange(range));
  return pimpl->prepare(&range);
}
Result<void> AttentionKernel::prepare(const ProblemSizes &sizes) const {
  return prepare(SizeRange{sizes, sizes});
}
Result<void> AttentionKernel::prepare() const {
  return pimpl->prepare(nullptr);
}

Result<int64_t> AttentionKernel::spilledBytes(const ProblemSizes &sizes) const {
  SizeRange range{sizes, sizes};
  ATTN_TRY(checkRange(range));
  return pimpl->spilledBytes(range);
}

double AttentionKernel::compileSeconds() const { return pimpl->compileSeconds; }

const std::string &AttentionKernel::schedule() const { return pimpl->schedule; }
