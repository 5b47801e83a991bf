// attn.append of the API.
#include "attn/API/Append.h"

#include "../Launch/CaptureViews.h"
#include "../Launch/CheckedNumbers.h"
#include "../Launch/KernelImpl.h"
#include "ModImpl.h"
#include "ThreadKernel.h"

#include "attn/Conversion/ThreadKernels.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <algorithm>

using namespace attn;
using mlir::attn::AppendOp;

struct AppendKernel::Impl {
  AppendSpec spec;
  ThreadKernel code;
};

/// A function that returns the cache with rows appended.
static void appendAppend(mlir::ModuleOp module, const AppendSpec &spec) {
  mlir::MLIRContext *context = module.getContext();
  int64_t any = mlir::ShapedType::kDynamic;
  mlir::Type element = elementTypeOf(context, spec.type),
             i32 = mlir::IntegerType::get(context, 32);
  mlir::Type key =
      mlir::RankedTensorType::get({any, any, any, spec.headDim}, element);
  mlir::Type value =
      mlir::RankedTensorType::get({any, any, any, spec.valueDim}, element);
  mlir::Type numbers = mlir::RankedTensorType::get({any}, i32);
  llvm::SmallVector<mlir::Type> types{key, value, key, value, numbers};
  if (spec.ragged)
    types.push_back(numbers);
  if (spec.paged)
    types.push_back(mlir::RankedTensorType::get({any, any}, i32));

  auto builder = mlir::OpBuilder::atBlockEnd(module.getBody());
  mlir::Location loc = builder.getUnknownLoc();
  auto function = mlir::func::FuncOp::create(
      builder, loc, "append",
      builder.getFunctionType(types, mlir::TypeRange{key, value}));
  builder.setInsertionPointToStart(function.addEntryBlock());
  auto a = function.getArguments();
  auto op =
      AppendOp::create(builder, loc, key, value, a[0], a[1], a[2], a[3], a[4],
                       spec.ragged ? mlir::Value(a[5]) : mlir::Value(),
                       spec.paged ? mlir::Value(a.back()) : mlir::Value());
  mlir::func::ReturnOp::create(builder, loc, op->getResults());
}

Result<AppendKernel> AppendKernel::compile(const AppendSpec &spec) {
  ATTN_TRY(checkElementType(spec.type));
  ATTN_TRY(checkChannels("head", spec.headDim));
  ATTN_TRY(checkChannels("value", spec.valueDim));
  auto impl = std::make_shared<Impl>();
  impl->spec = spec;
  ATTN_TRY_ASSIGN(impl->code, ThreadKernel::compile(spec.target, spec.device,
                                                    [&](mlir::ModuleOp module) {
                                                      appendAppend(module,
                                                                   spec);
                                                    }));
  AppendKernel kernel;
  kernel.pimpl = std::move(impl);
  return kernel;
}

namespace {
struct Like {
  const char *name;
  const TensorView &view;
};
} // namespace

/// Sizes that two tensors have in common.
static Result<void>
checkLike(const Like &wanted, const Like &given,
          std::initializer_list<std::pair<int, const char *>> dimensions) {
  for (auto [i, what] : dimensions)
    if (given.view.sizes[i] != wanted.view.sizes[i])
      return sizeMismatch(given.name, what, wanted.view.sizes[i],
                          given.view.sizes[i]);
  return {};
}

static Result<void> checkShapes(const AppendSpec &spec,
                                const AppendArguments &a) {
  Like newKey{"new key", a.newKey}, newValue{"new value", a.newValue},
      key{"key", a.key}, value{"value", a.value};
  for (const Like &tensor : {newKey, newValue, key, value})
    ATTN_TRY(checkView(tensor.name, tensor.view, spec.type));
  for (auto [tensor, channels] :
       {std::pair(newKey, spec.headDim), std::pair(key, spec.headDim),
        std::pair(newValue, spec.valueDim), std::pair(value, spec.valueDim)})
    if (tensor.view.sizes[3] != channels)
      return sizeMismatch(tensor.name, "head dimension", channels,
                          tensor.view.sizes[3]);
  ATTN_TRY(
      checkLike(newKey, newValue,
                {{0, "batch size"}, {1, "number of heads"}, {2, "length"}}));
  ATTN_TRY(checkLike(newKey, key, {{1, "number of heads"}}));
  return checkLike(key, value,
                   {{0, spec.paged ? "number of pages" : "batch size"},
                    {1, "number of heads"},
                    {2, spec.paged ? "page rows" : "length"}});
}

static Result<void> checkAppend(const AppendSpec &spec,
                                const AppendArguments &a) {
  ATTN_TRY(checkShapes(spec, a));
  ATTN_TRY(checkStarts("new key", a.newKey, spec.ragged, a.starts));
  int64_t sequences = spec.ragged ? a.starts.sequences : a.newKey.sizes[0];
  if (!spec.paged && a.key.sizes[0] != sequences)
    return sizeMismatch("key", "batch size", sequences, a.key.sizes[0]);
  if (spec.paged && !a.pages)
    return Error{"expects 'pages' for a kernel of AppendSpec::paged, got none"};
  if (!spec.paged && a.pages)
    return Error{"expects no 'pages': the kernel was compiled without "
                 "AppendSpec::paged"};
  if (spec.paged)
    ATTN_TRY(checkPages(*a.pages, sequences, a.key.sizes[2]));
  if (sequences && !a.lengths)
    return Error{"expects memory for 'lengths', got null"};
  return {};
}

/// AppendSpec::checked.
static Result<void> checkPlaces(const AppendSpec &spec,
                                const ThreadKernel &code,
                                const AppendArguments &a, int64_t sequences) {
  CheckedNumbers numbers([&](void *to, const void *from, int64_t bytes) {
    return code.copyToHost(to, from, bytes, a.stream);
  });
  int64_t rows = a.newKey.sizes[2];
  std::vector<int32_t> starts;
  if (spec.ragged) {
    ATTN_TRY_ASSIGN(starts, numbers.starts("new key", a.starts, rows));
  }
  int64_t room = a.key.sizes[2] * (spec.paged ? a.pages->sizes[1] : int64_t(1));
  ATTN_TRY_ASSIGN(std::vector<int32_t> lengths,
                  numbers.lengths(CaptureView{a.lengths, {sequences}},
                                  [&](size_t) { return room; }));
  std::vector<CheckedNumbers::Keys> keys;
  for (size_t i = 0; i < lengths.size(); ++i) {
    int64_t added = spec.ragged ? starts[i + 1] - starts[i] : rows;
    keys.push_back({lengths[i], lengths[i] + added});
    if (keys.back().end > room)
      return Error{"expects a room of at least " +
                   std::to_string(keys.back().end) + " keys, got " +
                   std::to_string(room) + " for sequence " + std::to_string(i)};
  }
  return spec.paged ? numbers.pages(*a.pages, a.key, keys) : Result<void>();
}

Result<void> AppendKernel::run(const AppendArguments &a) const {
  const AppendSpec &spec = pimpl->spec;
  ATTN_TRY(checkAppend(spec, a));
  int64_t sequences = spec.ragged ? a.starts.sequences : a.newKey.sizes[0];
  if (sequences == 0)
    return {};
  if (spec.checked)
    ATTN_TRY(checkPlaces(spec, pimpl->code, a, sequences));
  Bindings bindings;
  bindTensor(bindings, Role::NewKey, a.newKey);
  bindTensor(bindings, Role::NewValue, a.newValue);
  bindTensor(bindings, Role::Key, a.key);
  bindTensor(bindings, Role::Value, a.value);
  bindings.memory({Role::Lengths}, a.lengths, {sequences});
  if (spec.ragged)
    bindings.memory({Role::KeyStarts}, a.starts.starts, {sequences + 1});
  if (spec.paged)
    bindings.memory({Role::Pages}, a.pages->data, a.pages->sizes,
                    stridesOf(*a.pages));
  auto [batch, heads, rows, channels] = a.newKey.sizes;
  int64_t pieces =
      mlir::attn::countPieces(std::max(spec.headDim, spec.valueDim),
                              mlir::attn::appendedBytes / byteWidth(spec.type));
  return pimpl->code.run(batch * rows * heads * pieces, bindings, a.stream);
}

double AppendKernel::compileSeconds() const {
  return pimpl->code.compileSeconds();
}
