// The gradients of the API: what is common to all targets.
#include "GradientImpl.h"

#include "CaptureViews.h"
#include "HostMemory.h"
#include "KernelImpl.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>

using namespace attn;

Result<GradientKernel>
GradientKernel::compile(const Mod &mod, const KernelSpec &spec,
                        const std::vector<std::string> &names) {
  if (spec.target != Target::CPU)
    return Error{"expects the target CPU: there are no kernels of gradients "
                 "for GPUs yet"};
  auto start = std::chrono::steady_clock::now();
  ATTN_TRY_ASSIGN(std::vector<int64_t> wrt, findCaptures(mod, names));
  GradientImpl impl = createCPUGradients(mod, spec, wrt);
  ATTN_TRY(impl);
  (*impl)->captures = mod.captures();
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  (*impl)->compileSeconds = time.count();
  GradientKernel kernel;
  kernel.pimpl = *impl;
  return kernel;
}

static int64_t rowsOf(const TensorView &query) {
  return query.sizes[0] * query.sizes[1] * query.sizes[2];
}

/// Of delta, in whole steps of 16 bytes, behind which the sums for captures
/// have theirs.
static int64_t deltaFloats(int64_t rows, const CaptureWorkspace &sums) {
  return sums.floats() ? (rows + 3) / 4 * 4 : rows;
}

int64_t
GradientKernel::workspaceBytes(const ProblemSizes &sizes,
                               const std::vector<CaptureView> &captures) const {
  CaptureWorkspace sums(pimpl->sums, sizes, pimpl->queryTile, captures);
  int64_t rows = sizes.batch * sizes.heads * sizes.queries;
  return (deltaFloats(rows, sums) + sums.floats()) *
         static_cast<int64_t>(sizeof(float));
}

/// A tensor against the one whose shape it has.
static Result<void> checkLike(const char *name, const TensorView &view,
                              const char *like, const TensorView &wanted) {
  if (view.type != wanted.type)
    return Error{std::string("expects '") + name + "' of " +
                 toString(wanted.type) + ", got " + toString(view.type)};
  static const char *const dims[] = {"batch size", "number of heads", "length",
                                     "head dimension"};
  for (size_t i = 0; i < 4; ++i)
    if (view.sizes[i] != wanted.sizes[i])
      return Error{std::string("expects '") + name + "' " + dims[i] + " " +
                   std::to_string(wanted.sizes[i]) + " like '" + like +
                   "', got " + std::to_string(view.sizes[i])};
  bool empty = false;
  for (int64_t size : view.sizes)
    empty |= size == 0;
  if (!empty && !view.data)
    return Error{std::string("expects memory for '") + name + "', got null"};
  return {};
}

static Result<void> checkGradCaptures(const GradientKernel::Impl &kernel,
                                      const GradientArguments &a) {
  if (a.gradCaptures.size() != kernel.wrt.size())
    return Error{"expects " + std::to_string(kernel.wrt.size()) +
                 " gradients of captures, got " +
                 std::to_string(a.gradCaptures.size())};
  for (size_t i = 0; i < kernel.wrt.size(); ++i)
    if (!a.gradCaptures[i] && elementsOf(a.captures[kernel.wrt[i]]) != 0)
      return Error{"expects memory for the gradient of '" +
                   kernel.captures[kernel.wrt[i]].name + "', got null"};
  return {};
}

static Result<void> checkGradients(const GradientKernel::Impl &kernel,
                                   const GradientArguments &a) {
  const std::tuple<const char *, const TensorView &, const char *,
                   const TensorView &>
      pairs[] = {{"gradOut", a.gradOut, "out", a.out},
                 {"gradQuery", a.gradQuery, "query", a.query},
                 {"gradKey", a.gradKey, "key", a.key},
                 {"gradValue", a.gradValue, "value", a.value}};
  for (const auto &[name, view, like, wanted] : pairs)
    ATTN_TRY(checkLike(name, view, like, wanted));
  if (!kernel.spec.lse && a.gradLse)
    return Error{"expects no 'gradLse': the kernel was compiled without it"};
  ATTN_TRY(checkGradCaptures(kernel, a));
  if (rowsOf(a.query) == 0)
    return {};
  if (!a.lse)
    return Error{"expects memory for 'lse', got null"};
  if (kernel.spec.lse && !a.gradLse)
    return Error{"expects memory for 'gradLse', got null"};
  return {};
}

/// The gradients of captures, by the number of the capture; zero.
static std::vector<float *>
clearGradCaptures(const GradientKernel::Impl &kernel,
                  const GradientArguments &a) {
  std::vector<float *> gradients(kernel.captures.size());
  for (size_t i = 0; i < kernel.wrt.size(); ++i) {
    float *gradient = a.gradCaptures[i];
    std::fill(gradient, gradient + elementsOf(a.captures[kernel.wrt[i]]), 0.0f);
    gradients[kernel.wrt[i]] = gradient;
  }
  return gradients;
}

static Bindings bindGradients(const GradientKernel::Impl &kernel,
                              const GradientArguments &a, float *delta) {
  Bindings bindings;
  const std::pair<Role, const TensorView &> tensors[] = {
      {Role::Query, a.query},     {Role::Key, a.key},
      {Role::Value, a.value},     {Role::Out, a.out},
      {Role::GradOut, a.gradOut}, {Role::GradQuery, a.gradQuery},
      {Role::GradKey, a.gradKey}, {Role::GradValue, a.gradValue}};
  for (const auto &[role, view] : tensors)
    bindTensor(bindings, role, view);
  std::vector<int64_t> rows{a.query.sizes[0], a.query.sizes[1],
                            a.query.sizes[2]};
  bindings.memory({Role::Lse}, a.lse, rows);
  bindings.memory({Role::Delta}, delta, rows);
  if (a.gradLse)
    bindings.memory({Role::GradLse}, a.gradLse, rows);
  bindCaptures(bindings, kernel.captures, a.captures);
  for (size_t i = 0; i < kernel.wrt.size(); ++i)
    bindings.memory({Role::GradCapture, kernel.wrt[i]}, a.gradCaptures[i],
                    {elementsOf(a.captures[kernel.wrt[i]])});
  return bindings;
}

Result<void> GradientKernel::run(const GradientArguments &a) const {
  AttentionOperands operands{a.query, a.key, a.value, a.captures, a.out};
  ATTN_TRY(checkOperands(pimpl->spec, pimpl->captures, operands));
  ATTN_TRY(checkGradients(*pimpl, a));
  std::vector<float *> gradCaptures = clearGradCaptures(*pimpl, a);
  // No pair of positions: no mod is evaluated.
  if (rowsOf(a.query) == 0 || a.key.sizes[2] == 0) {
    for (const TensorView &view : {a.gradQuery, a.gradKey, a.gradValue})
      writeZeros(view);
    return {};
  }
  ProblemSizes sizes;
  sizes.batch = a.query.sizes[0], sizes.heads = a.query.sizes[1];
  sizes.queries = a.query.sizes[2], sizes.keys = a.key.sizes[2];
  CaptureWorkspace sums(pimpl->sums, sizes, pimpl->queryTile, a.captures);
  int64_t deltas = deltaFloats(rowsOf(a.query), sums);
  std::vector<float> own;
  if (!a.workspace)
    own.resize(static_cast<size_t>(deltas + sums.floats()));
  float *workspace =
      a.workspace ? static_cast<float *>(a.workspace) : own.data();
  Bindings bindings = bindGradients(*pimpl, a, workspace);
  sums.bind(bindings, workspace + deltas, gradCaptures);
  return pimpl->run(a, sums, bindings);
}

double GradientKernel::compileSeconds() const { return pimpl->compileSeconds; }
const std::string &GradientKernel::schedule() const { return pimpl->schedule; }
