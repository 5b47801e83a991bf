// The adjoint program of a mod on materialised scores, on the CPU.
#include "../Launch/CaptureGradients.h"
#include "../Launch/CaptureViews.h"
#include "../Launch/HostMemory.h"
#include "HostCode.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "ModKernels.h"

#include "attn/API/Gradient.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Attn/Transforms/Differentiate.h"
#include "attn/Pipelines/CPU.h"
#include "attn/Runtime/TaskCall.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"

// Within namespace mlir, `attn` is the dialect.
namespace api = ::attn;
using namespace mlir;
using api::Role;

struct api::ScoreGradient::Impl {
  std::shared_ptr<const api::HostCode>
      code; ///< null: the score program is absent
  api::Signature signature;
  std::vector<api::CaptureInfo> captures;
  std::vector<int64_t> wrt; ///< captures
};

static constexpr const char *functionName = "score_gradients";

namespace {
/// Builds the function that does the row of a task: gradients of scores become
/// those of scaled dot products, in place.
class RowBuilder {
public:
  RowBuilder(func::FuncOp function, mlir::attn::ModOp mod)
      : b(ImplicitLocOpBuilder::atBlockBegin(function.getLoc(),
                                             &function.getBody().front())),
        function(function), mod(mod) {}

  void build() {
    Value scores = parameter(Role::Scores),
          gradients = parameter(Role::GradScores), row = parameter(Role::Task);
    Value queries = parameter(Role::QueryCount);
    Value head = arith::AddIOp::create(b, parameter(Role::FirstHead),
                                       arith::DivUIOp::create(b, row, queries));
    Value heads = parameter(Role::HeadCount);
    Value positions[] = {toI32(arith::DivUIOp::create(b, head, heads)),
                         toI32(arith::RemUIOp::create(b, head, heads)),
                         toI32(arith::RemUIOp::create(b, row, queries))};
    SmallVector<Value> captures = this->captures();
    Value zero = arith::ConstantIndexOp::create(b, 0);
    Value one = arith::ConstantIndexOp::create(b, 1);
    auto loop =
        scf::ForOp::create(b, zero, memref::DimOp::create(b, scores, 1), one);
    Value key = loop.getInductionVar();
    b.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> at{row, key};
    Value s = arith::MulFOp::create(b, memref::LoadOp::create(b, scores, at),
                                    parameter(Role::Scale));
    Value g = memref::LoadOp::create(b, gradients, at);
    Value zero64 = arith::ConstantOp::create(b, b.getF64FloatAttr(0));
    auto counts = scf::IfOp::create(
        b, arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, g, zero64));
    b.setInsertionPointToStart(counts.thenBlock());
    Value ds = mlir::attn::inlineProgram(
        b, mod.getAdjoint(), captures,
        {narrow(s), narrow(g), positions[0], positions[1], positions[2],
         toI32(key)},
        mlir::attn::loadFromMemory,
        [&](OpBuilder &nested, mlir::attn::AccumulateOp part,
            ValueRange indices, Value value) {
          ImplicitLocOpBuilder at(part.getLoc(), nested);
          accumulate(at, part, indices, value);
        });
    memref::StoreOp::create(b, arith::ExtFOp::create(b, b.getF64Type(), ds),
                            gradients, at);
    b.setInsertionPointToEnd(&function.getBody().front());
    func::ReturnOp::create(b);
  }

private:
  /// To the sums, magnitudes and counts of the capture, clamped as a load is.
  void accumulate(ImplicitLocOpBuilder &b, mlir::attn::AccumulateOp part,
                  ValueRange indices, Value value) {
    Value memory = mlir::attn::parameterOf(
        function, Role::Workspace,
        cast<BlockArgument>(part.getTable()).getArgNumber());
    auto constant = [&](int64_t number) -> Value {
      return arith::ConstantIndexOp::create(b, number);
    };
    SmallVector<Value> at{Value()};
    for (auto [i, index] : llvm::enumerate(indices)) {
      Value position = arith::IndexCastOp::create(b, b.getIndexType(), index);
      if (!isa<BlockArgument>(part.getIndices()[i])) {
        Value last = arith::SubIOp::create(
            b, memref::DimOp::create(b, memory, i + 1), constant(1));
        position = arith::MaxSIOp::create(
            b, arith::MinSIOp::create(b, position, last), constant(0));
      }
      at.push_back(position);
    }
    Value added = arith::ExtFOp::create(b, b.getF64Type(), value);
    Value one = arith::ConstantOp::create(b, b.getF64FloatAttr(1));
    Value additions[] = {added, math::AbsFOp::create(b, added), one};
    for (auto [i, addition] : llvm::enumerate(additions)) {
      at[0] = constant(i);
      Value sum = memref::LoadOp::create(b, memory, at);
      memref::StoreOp::create(b, arith::AddFOp::create(b, sum, addition),
                              memory, at);
    }
  }

  Value parameter(Role role) { return mlir::attn::parameterOf(function, role); }
  Value toI32(Value index) {
    return arith::IndexCastOp::create(b, b.getI32Type(), index);
  }
  /// Mods compute in f32.
  Value narrow(Value number) {
    return arith::TruncFOp::create(b, b.getF32Type(), number);
  }
  SmallVector<Value> captures() {
    SmallVector<Value> arguments;
    for (BlockArgument argument : function.getArguments())
      if (::attn::isCaptured(mlir::attn::roleOf(argument).getRole()))
        arguments.push_back(argument);
    SmallVector<Type> types(mod.getCaptureTypes().getAsValueRange<TypeAttr>());
    return mlir::attn::unpackCaptures(b, b.getLoc(), types, arguments);
  }

  ImplicitLocOpBuilder b;
  func::FuncOp function;
  mlir::attn::ModOp mod;
};
} // namespace

/// The module of the function; the caller holds the mod's mutex.
static api::Result<OwningOpRef<ModuleOp>>
buildModule(const api::Mod &mod, const std::vector<int64_t> &wrt) {
  MLIRContext *context = &mod.impl().context;
  context->loadDialect<arith::ArithDialect, math::MathDialect,
                       memref::MemRefDialect, scf::SCFDialect>();
  OpBuilder builder(context);
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToEnd(module->getBody());
  auto entry = cast<mlir::attn::ModOp>(
      builder.clone(*mod.impl().standalone().getOperation()));
  entry.removeCaptureAttrsAttr();
  ATTN_TRY(mod.impl().collect(
      "has no derivative", [&] { return mlir::attn::addAdjoint(entry, wrt); }));
  Type rows = MemRefType::get({ShapedType::kDynamic, ShapedType::kDynamic},
                              builder.getF64Type());
  mlir::attn::ParameterList parameters;
  parameters.add(Role::Scores, rows);
  parameters.add(Role::GradScores, rows);
  for (Role number : {Role::FirstHead, Role::HeadCount, Role::QueryCount})
    parameters.add(number, builder.getIndexType());
  parameters.add(Role::Scale, builder.getF64Type());
  for (auto [i, type] :
       llvm::enumerate(entry.getCaptureTypes().getAsValueRange<TypeAttr>())) {
    api::RoleName role = api::roleOf(mod.captures()[i], i);
    parameters.add(mlir::attn::RoleAttr::get(context, role.role, role.number),
                   mlir::attn::captureArgumentType(type, /*anyStride=*/true));
  }
  for (int64_t number : wrt) {
    SmallVector<int64_t> shape(1 + mod.captures()[number].rank,
                               ShapedType::kDynamic);
    parameters.add(mlir::attn::RoleAttr::get(context, Role::Workspace, number),
                   MemRefType::get(shape, builder.getF64Type()));
  }
  parameters.add(Role::Task, builder.getIndexType());
  auto function =
      func::FuncOp::create(builder, loc, functionName,
                           builder.getFunctionType(parameters.getTypes(), {}));
  parameters.setRoles(function);
  function->setAttr("llvm.emit_c_interface", builder.getUnitAttr());
  function.addEntryBlock();
  RowBuilder(function, entry).build();
  mlir::attn::eraseMods(*module);
  return module;
}

api::Result<api::ScoreGradient>
api::ScoreGradient::compile(const api::Mod &mod,
                            const std::vector<std::string> &names) {
  auto impl = std::make_shared<Impl>();
  impl->captures = mod.captures();
  ATTN_TRY_ASSIGN(impl->wrt, api::findCaptures(mod, names));
  ScoreGradient result;
  result.pimpl = impl;
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  if (!mod.impl().standalone().hasScore())
    return result;
  ATTN_TRY_ASSIGN(OwningOpRef<ModuleOp> module, buildModule(mod, impl->wrt));
  impl->signature = api::signatureIn(*module, functionName);
  ATTN_TRY(mod.impl().collect("cannot be compiled", [&] {
    PassManager pm(&mod.impl().context);
    mlir::attn::buildLowerToLLVMPipeline(pm);
    return pm.run(*module);
  }));
  ATTN_TRY_ASSIGN(impl->code, api::HostCode::compile(*module, {functionName}));
  return result;
}

namespace {
/// The memory that threads add to: sums, magnitudes and counts of each capture.
class Additions {
public:
  Additions(const std::vector<int64_t> &wrt,
            const std::vector<api::CaptureView> &views, unsigned threads) {
    int64_t total = 0;
    for (int64_t number : wrt) {
      shapes.push_back(views[number].sizes);
      shapes.back().insert(shapes.back().begin(), 3);
      elements.push_back(api::elementsOf(views[number]));
      total += 3 * elements.back();
    }
    // A table as large as the scores is not for each thread.
    bool isLarge = total > (int64_t(1) << 22);
    copies = isLarge ? 1 : threads;
    for (int64_t count : elements)
      memories.push_back(std::vector<double>(3 * count * copies));
  }

  /// Whether only one thread may run.
  bool isShared() const { return copies == 1; }

  void bind(api::Bindings &bindings, const std::vector<int64_t> &wrt,
            unsigned thread) {
    for (size_t i = 0; i < wrt.size(); ++i)
      bindings.memory({Role::Workspace, wrt[i]},
                      memories[i].data() + 3 * elements[i] * thread, shapes[i]);
  }

  void addTo(std::vector<api::CaptureAdditions> &results) const {
    results.resize(memories.size());
    for (size_t i = 0; i < memories.size(); ++i) {
      std::vector<double> *parts[] = {&results[i].sums, &results[i].magnitudes,
                                      &results[i].counts};
      const double *from = memories[i].data();
      for (std::vector<double> *part : parts)
        part->resize(static_cast<size_t>(elements[i]));
      for (unsigned copy = 0; copy < copies; ++copy)
        for (std::vector<double> *part : parts)
          for (double &x : *part)
            x += *from++;
    }
  }

private:
  std::vector<std::vector<int64_t>> shapes;
  std::vector<int64_t> elements;
  std::vector<std::vector<double>> memories;
  unsigned copies = 1;
};
} // namespace

api::Result<void>
api::ScoreGradient::run(const double *scores, double *gradients, int64_t first,
                        int64_t count, int64_t heads, int64_t queries,
                        int64_t keys, double scale,
                        const std::vector<api::CaptureView> &views,
                        std::vector<api::CaptureAdditions> *results) const {
  ATTN_TRY(api::checkCaptures(pimpl->captures, views));
  unsigned threads = api::hostThreads().size();
  Additions additions(pimpl->wrt, views, threads);
  if (results)
    additions.addTo(*results);
  if (!pimpl->code || keys == 0)
    return {};
  int64_t rows = count * queries;
  api::Bindings bindings;
  bindings.memory({Role::Scores}, scores, {rows, keys});
  bindings.memory({Role::GradScores}, gradients, {rows, keys});
  bindings.word({Role::FirstHead}, static_cast<uint64_t>(first));
  bindings.word({Role::HeadCount}, static_cast<uint64_t>(heads));
  bindings.word({Role::QueryCount}, static_cast<uint64_t>(queries));
  bindings.scalar({Role::Scale}, &scale, sizeof scale);
  api::bindCaptures(bindings, pimpl->captures, views);
  bool isShared = !pimpl->wrt.empty() && additions.isShared();
  std::vector<api::TaskCall> calls;
  for (unsigned thread = 0; thread < (isShared ? 1 : threads); ++thread) {
    additions.bind(bindings, pimpl->wrt, thread);
    ATTN_TRY_ASSIGN(api::TaskCall call,
                    api::TaskCall::bind(pimpl->signature, bindings));
    calls.push_back(call);
  }
  auto runRow = [&](int64_t row, unsigned thread) {
    pimpl->code->function(0)(calls[thread].argumentsOf(row).data());
  };
  if (isShared)
    for (int64_t row = 0; row < rows; ++row)
      runRow(row, 0);
  else
    api::hostThreads().run(rows, runRow);
  if (results)
    additions.addTo(*results);
  return {};
}
