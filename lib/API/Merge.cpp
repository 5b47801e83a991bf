// attn.merge of the API.
#include "attn/API/Merge.h"

#include "../Launch/KernelImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "ThreadKernel.h"

#include "attn/Conversion/ThreadKernels.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <algorithm>

using namespace attn;
using mlir::attn::MergeOp;

struct MergeKernel::Impl {
  MergeSpec spec;
  ThreadKernel code;
};

/// A function that returns the merge of its arguments.
static void appendMerge(mlir::ModuleOp module, const MergeSpec &spec) {
  mlir::MLIRContext *context = module.getContext();
  int64_t any = mlir::ShapedType::kDynamic;
  mlir::Type f32 = mlir::Float32Type::get(context);
  auto out = mlir::RankedTensorType::get({any, any, any, spec.valueDim},
                                         elementTypeOf(context, spec.type));
  auto lse = mlir::RankedTensorType::get({any, any, any}, f32);
  llvm::SmallVector<mlir::Type> types(spec.parts, out);
  types.append(spec.parts, lse);
  types.push_back(mlir::IntegerType::get(context, 32));
  if (spec.sink)
    types.push_back(mlir::RankedTensorType::get({any}, f32));
  llvm::SmallVector<mlir::Type> results{out};
  if (spec.lse)
    results.push_back(lse);

  auto builder = mlir::OpBuilder::atBlockEnd(module.getBody());
  mlir::Location loc = builder.getUnknownLoc();
  auto function = mlir::func::FuncOp::create(
      builder, loc, "merge", builder.getFunctionType(types, results));
  builder.setInsertionPointToStart(function.addEntryBlock());
  auto arguments = function.getArguments();
  auto parts = static_cast<size_t>(spec.parts);
  auto op = MergeOp::create(
      builder, loc, out, spec.lse ? lse : mlir::RankedTensorType(),
      arguments.take_front(parts), arguments.slice(parts, parts),
      arguments[2 * parts],
      spec.sink ? mlir::Value(arguments.back()) : mlir::Value());
  mlir::func::ReturnOp::create(builder, loc, op->getResults());
}

Result<MergeKernel> MergeKernel::compile(const MergeSpec &spec) {
  ATTN_TRY(checkElementType(spec.type));
  ATTN_TRY(checkChannels("value", spec.valueDim));
  if (spec.parts < 1 || spec.parts > MergeOp::mostParts)
    return Error{"expects 1 to " + std::to_string(MergeOp::mostParts) +
                 " parts, got " + std::to_string(spec.parts)};
  auto impl = std::make_shared<Impl>();
  impl->spec = spec;
  ATTN_TRY_ASSIGN(impl->code, ThreadKernel::compile(spec.target, spec.device,
                                                    [&](mlir::ModuleOp module) {
                                                      appendMerge(module, spec);
                                                    }));
  MergeKernel kernel;
  kernel.pimpl = std::move(impl);
  return kernel;
}

/// A part has the shape of the result.
static Result<void> checkPart(const MergeSpec &spec, const TensorView &out,
                              const AttentionPart &part) {
  ATTN_TRY(checkView("part", part.out, spec.type));
  static constexpr const char *names[] = {"batch size", "number of heads",
                                          "length", "value dimension"};
  for (int i = 0; i < 4; ++i)
    if (part.out.sizes[i] != out.sizes[i])
      return sizeMismatch("part", names[i], out.sizes[i], part.out.sizes[i]);
  return {};
}

static Result<void> checkMerge(const MergeSpec &spec, const MergeArguments &a) {
  auto count = static_cast<int64_t>(a.parts.size());
  if (count < 1 || count > spec.parts)
    return Error{"expects 1 to " + std::to_string(spec.parts) + " parts, got " +
                 std::to_string(count)};
  ATTN_TRY(checkView("out", a.out, spec.type));
  if (a.out.sizes[3] != spec.valueDim)
    return sizeMismatch("out", "value dimension", spec.valueDim,
                        a.out.sizes[3]);
  bool rows = a.out.sizes[0] && a.out.sizes[1] && a.out.sizes[2];
  for (const AttentionPart &part : a.parts) {
    ATTN_TRY(checkPart(spec, a.out, part));
    if (rows && !part.lse)
      return Error{"expects memory for the LSE of a part, got null"};
  }
  if (rows && spec.lse && !a.lse)
    return Error{"expects memory for 'lse', got null"};
  if (!spec.lse && a.lse)
    return Error{"expects no 'lse': the kernel was compiled without it"};
  if (rows && spec.sink && !a.sink)
    return Error{"expects memory for 'sink', got null"};
  if (!spec.sink && a.sink)
    return Error{"expects no 'sink': the kernel was compiled without it"};
  return {};
}

Result<void> MergeKernel::run(const MergeArguments &a) const {
  const MergeSpec &spec = pimpl->spec;
  ATTN_TRY(checkMerge(spec, a));
  auto [batch, heads, queries, channels] = a.out.sizes;
  std::vector<int64_t> rows{batch, heads, queries};
  Bindings bindings;
  auto count = static_cast<int32_t>(a.parts.size());
  for (int32_t i = 0; i < spec.parts; ++i) {
    // Nothing is read of one that is not there.
    const AttentionPart &part = a.parts[std::min(i, count - 1)];
    bindTensor(bindings, {Role::PartOut, i}, part.out);
    bindings.memory({Role::PartLse, i}, part.lse, rows);
  }
  bindings.scalar({Role::PartCount}, &count, sizeof count);
  bindings.memory({Role::Sink}, a.sink, {heads});
  bindTensor(bindings, Role::Out, a.out);
  bindings.memory({Role::Lse}, a.lse, rows);
  int64_t pieces = mlir::attn::countPieces(channels, mlir::attn::mergedPiece);
  return pimpl->code.run(batch * heads * queries * pieces, bindings, a.stream);
}

double MergeKernel::compileSeconds() const {
  return pimpl->code.compileSeconds();
}
