// Gradients of a softmax on the CPU: a row is one linalg.generic, which
// linalg-to-vector-loops vectorises; the sums of rows are taken before.
#include "../Launch/CaptureViews.h"
#include "../Launch/HostMemory.h"
#include "HostCode.h"
#include "HostTarget.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "SoftmaxGradientImpl.h"

#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Pipelines/CPU.h"
#include "attn/Runtime/TaskCall.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
// Within namespace mlir, `attn` is the dialect.
namespace api = ::attn;
using api::Role;

static constexpr const char *functionName = "softmax_gradient_row";

namespace {
/// Builds the function that does the row of a task.
class GradientRow {
public:
  GradientRow(func::FuncOp function, const api::DifferentiatedMod &derivative)
      : b(ImplicitLocOpBuilder::atBlockBegin(function.getLoc(),
                                             &function.getBody().front())),
        function(function), derivative(derivative) {}

  void build() {
    Value task = parameter(Role::Task), heads = parameter(Role::HeadCount);
    Value queries = parameter(Role::QueryCount);
    Value pair =
        arith::AddIOp::create(b, parameter(Role::FirstHead),
                              arith::DivUIOp::create(b, task, queries));
    Value batch = toI32(arith::DivUIOp::create(b, pair, heads));
    Value head = toI32(arith::RemUIOp::create(b, pair, heads));
    Value query = toI32(arith::RemUIOp::create(b, task, queries));
    Value scale = parameter(Role::Scale);
    Value delta = memref::LoadOp::create(b, parameter(Role::Delta), task);
    SmallVector<Value> captures = this->captures();
    SmallVector<Value> inputs{rowOf(Role::Probabilities),
                              rowOf(Role::GradProbabilities)};
    if (derivative.readsScore())
      inputs.push_back(rowOf(Role::Scores));
    SmallVector<AffineMap> maps(inputs.size() + 1, b.getMultiDimIdentityMap(1));
    linalg::GenericOp::create(
        b, inputs, rowOf(Role::GradScores), maps, utils::IteratorType::parallel,
        [&](OpBuilder &nested, Location loc, ValueRange in) {
          ImplicitLocOpBuilder body(loc, nested);
          Value key = arith::IndexCastOp::create(
              body, body.getI32Type(), linalg::IndexOp::create(body, 0));
          Value score = derivative.readsScore() ? in[2] : Value();
          linalg::YieldOp::create(
              body, derivative.emit(body, captures, score, in[0], in[1], delta,
                                    scale, {batch, head, query, key}));
        });
    func::ReturnOp::create(b);
  }

private:
  Value parameter(Role role) { return mlir::attn::parameterOf(function, role); }
  Value toI32(Value index) {
    return arith::IndexCastOp::create(b, b.getI32Type(), index);
  }
  /// The task's row of a matrix.
  Value rowOf(Role role) {
    Value matrix = parameter(role);
    Value keys = memref::DimOp::create(b, matrix, 1);
    Value first = arith::MulIOp::create(b, parameter(Role::Task), keys);
    auto type = MemRefType::get(
        {ShapedType::kDynamic}, b.getF32Type(),
        StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, {1}));
    return memref::ReinterpretCastOp::create(
        b, type, matrix, OpFoldResult(first), ArrayRef<OpFoldResult>{keys},
        ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
  }
  SmallVector<Value> captures() {
    SmallVector<Value> arguments;
    for (BlockArgument argument : function.getArguments())
      if (::attn::isCaptured(mlir::attn::roleOf(argument).getRole()))
        arguments.push_back(argument);
    SmallVector<Type> types(
        derivative.get().getCaptureTypes().getAsValueRange<TypeAttr>());
    return mlir::attn::unpackCaptures(b, b.getLoc(), types, arguments);
  }

  ImplicitLocOpBuilder b;
  func::FuncOp function;
  const api::DifferentiatedMod &derivative;
};

struct CPUSoftmaxGradient : public api::SoftmaxGradientKernel::Impl {
  api::Result<void> run(const api::SoftmaxGradientArguments &a,
                        void *stream) const override;

  std::shared_ptr<const api::HostCode> code;
  api::Signature signature;
};
} // namespace

/// The sum of x * y, in partial sums so that it vectorises.
static float dot(const float *x, const float *y, int64_t count) {
  constexpr int64_t lanes = 16;
  float sums[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int64_t lane = 0; lane < lanes; ++lane)
      sums[lane] += x[i + lane] * y[i + lane];
  float sum = 0;
  for (; i < count; ++i)
    sum += x[i] * y[i];
  for (float part : sums)
    sum += part;
  return sum;
}

api::Result<void>
CPUSoftmaxGradient::run(const api::SoftmaxGradientArguments &a, void *) const {
  int64_t rows = a.count * a.queries;
  std::vector<float> delta(static_cast<size_t>(rows));
  api::Bindings bindings;
  const void *scores = readsScores ? a.scores : a.probabilities; // not read
  bindings.memory({Role::Scores}, scores, {rows, a.keys});
  bindings.memory({Role::Probabilities}, a.probabilities, {rows, a.keys});
  bindings.memory({Role::GradProbabilities}, a.gradProbabilities,
                  {rows, a.keys});
  bindings.memory({Role::GradScores}, a.gradScores, {rows, a.keys});
  bindings.memory({Role::Delta}, delta.data(), {rows});
  bindings.word({Role::FirstHead}, static_cast<uint64_t>(a.first));
  bindings.word({Role::HeadCount}, static_cast<uint64_t>(a.heads));
  bindings.word({Role::QueryCount}, static_cast<uint64_t>(a.queries));
  auto scale = static_cast<float>(a.scale);
  bindings.scalar({Role::Scale}, &scale, sizeof scale);
  bindCaptures(bindings, captures, a.captures);
  ATTN_TRY_ASSIGN(api::TaskCall call, api::TaskCall::bind(signature, bindings));
  auto *p = static_cast<const float *>(a.probabilities);
  auto *gradients = static_cast<const float *>(a.gradProbabilities);
  constexpr int64_t rowsPerTask = 16;
  api::hostThreads().run(
      (rows + rowsPerTask - 1) / rowsPerTask, [&](int64_t task, unsigned) {
        int64_t end = std::min(rows, (task + 1) * rowsPerTask);
        for (int64_t row = task * rowsPerTask; row < end; ++row) {
          delta[row] = dot(p + row * a.keys, gradients + row * a.keys, a.keys);
          code->function(0)(call.argumentsOf(row).data());
        }
      });
  return {};
}

static OwningOpRef<ModuleOp>
buildModule(const api::Mod &mod, const api::DifferentiatedMod &derivative) {
  MLIRContext *context = &mod.impl().context;
  context->loadDialect<arith::ArithDialect, linalg::LinalgDialect,
                       math::MathDialect, memref::MemRefDialect,
                       scf::SCFDialect>();
  OpBuilder builder(context);
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToEnd(module->getBody());
  constexpr int64_t dynamic = ShapedType::kDynamic;
  Type matrix = MemRefType::get({dynamic, dynamic}, builder.getF32Type());
  mlir::attn::ParameterList parameters;
  for (Role role : {Role::Scores, Role::Probabilities, Role::GradProbabilities,
                    Role::GradScores})
    parameters.add(role, matrix);
  parameters.add(Role::Delta, MemRefType::get({dynamic}, builder.getF32Type()));
  for (Role size : {Role::FirstHead, Role::HeadCount, Role::QueryCount})
    parameters.add(size, builder.getIndexType());
  parameters.add(Role::Scale, builder.getF32Type());
  for (auto [i, capture] :
       llvm::enumerate(derivative.get().getCaptureTypes())) {
    api::RoleName role = api::roleOf(mod.captures()[i], i);
    parameters.add(mlir::attn::RoleAttr::get(context, role.role, role.number),
                   mlir::attn::captureArgumentType(
                       cast<TypeAttr>(capture).getValue(), /*anyStride=*/true));
  }
  parameters.add(Role::Task, builder.getIndexType());
  auto function =
      func::FuncOp::create(builder, loc, functionName,
                           builder.getFunctionType(parameters.getTypes(), {}));
  parameters.setRoles(function);
  function->setAttr("llvm.emit_c_interface", builder.getUnitAttr());
  function.addEntryBlock();
  GradientRow(function, derivative).build();
  return module;
}

api::SoftmaxGradientImpl api::createCPUSoftmaxGradient(const Mod &mod) {
  ATTN_TRY_ASSIGN(int64_t lanes, hostLanes());
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(DifferentiatedMod derivative, DifferentiatedMod::make(mod));
  OwningOpRef<ModuleOp> module = buildModule(mod, derivative);
  auto impl = std::make_shared<CPUSoftmaxGradient>();
  impl->signature = signatureIn(*module, functionName);
  ATTN_TRY(mod.impl().collect("cannot be compiled", [&] {
    PassManager pm(&mod.impl().context);
    mlir::attn::LinalgToVectorLoopsPassOptions loops;
    loops.width = 2 * lanes;
    pm.addNestedPass<func::FuncOp>(
        mlir::attn::createLinalgToVectorLoopsPass(loops));
    mlir::attn::buildLowerToLLVMPipeline(pm);
    return pm.run(*module);
  }));
  ATTN_TRY_ASSIGN(impl->code, HostCode::compile(*module, {functionName}));
  impl->captures = mod.captures();
  impl->readsScores = derivative.readsScore();
  return std::shared_ptr<SoftmaxGradientKernel::Impl>(impl);
}
