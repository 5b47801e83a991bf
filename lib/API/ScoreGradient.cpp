// The adjoint program of a mod on materialised scores, on the CPU.
#include "CaptureViews.h"
#include "HostMemory.h"
#include "Jit.h"
#include "KernelImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"

#include "attn/API/Gradient.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Attn/Transforms/Differentiate.h"
#include "attn/Pipelines/CPU.h"
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
  std::shared_ptr<const api::Jit> jit; ///< null: the score program is absent
  api::Signature signature;
  std::vector<api::CaptureInfo> captures;
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
    Value ds =
        mlir::attn::inlineProgram(b, mod.getAdjoint(), captures,
                                  {narrow(s), narrow(g), positions[0],
                                   positions[1], positions[2], toI32(key)},
                                  mlir::attn::loadFromMemory);
    memref::StoreOp::create(b, arith::ExtFOp::create(b, b.getF64Type(), ds),
                            gradients, at);
    b.setInsertionPointToEnd(&function.getBody().front());
    func::ReturnOp::create(b);
  }

private:
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
      if (llvm::is_contained({Role::Capture, Role::QueryOffset},
                             mlir::attn::roleOf(argument).getRole()))
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
static api::Result<OwningOpRef<ModuleOp>> buildModule(const api::Mod &mod) {
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
      "has no derivative", [&] { return mlir::attn::addAdjoint(entry, {}); }));
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
api::ScoreGradient::compile(const api::Mod &mod) {
  auto impl = std::make_shared<Impl>();
  impl->captures = mod.captures();
  ScoreGradient result;
  result.pimpl = impl;
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  if (!mod.impl().standalone().hasScore())
    return result;
  ATTN_TRY_ASSIGN(OwningOpRef<ModuleOp> module, buildModule(mod));
  impl->signature = api::signatureIn(*module, functionName);
  ATTN_TRY(mod.impl().collect("cannot be compiled", [&] {
    PassManager pm(&mod.impl().context);
    mlir::attn::buildLowerToLLVMPipeline(pm);
    return pm.run(*module);
  }));
  ATTN_TRY_ASSIGN(impl->jit, api::Jit::compile(*module, {functionName}));
  return result;
}

api::Result<void>
api::ScoreGradient::run(const double *scores, double *gradients, int64_t first,
                        int64_t count, int64_t heads, int64_t queries,
                        int64_t keys, double scale,
                        const std::vector<api::CaptureView> &views) const {
  ATTN_TRY(api::checkCaptures(pimpl->captures, views));
  if (!pimpl->jit || keys == 0)
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
  ATTN_TRY_ASSIGN(api::TaskCall call,
                  api::TaskCall::bind(pimpl->signature, bindings));
  api::hostThreads().run(rows, [&](int64_t row, unsigned) {
    pimpl->jit->function(0)(call.argumentsOf(row).data());
  });
  return {};
}
