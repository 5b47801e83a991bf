// Gradients of a softmax with mods applied, for any target:
//   dT = P (dP - rowsum(P dP)),  dS = scale dT t'(scale S).
#include "SoftmaxGradientImpl.h"

#include "../Launch/CaptureViews.h"
#include "ModImpl.h"

#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Attn/Transforms/Differentiate.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
// Within namespace mlir, `attn` is the dialect.
namespace api = ::attn;
using api::DifferentiatedMod;

api::Result<api::SoftmaxGradientKernel>
api::SoftmaxGradientKernel::compile(const Mod &mod, Target target,
                                    ElementType probabilityType) {
  if (target == Target::CPU && probabilityType != ElementType::F32)
    return Error{std::string("expects probabilities of f32 on target cpu, "
                             "got ") +
                 toString(probabilityType)};
  SoftmaxGradientImpl impl =
      target == Target::CPU ? createCPUSoftmaxGradient(mod)
                            : createCUDASoftmaxGradient(mod, probabilityType);
  ATTN_TRY(impl);
  SoftmaxGradientKernel kernel;
  kernel.pimpl = *impl;
  return kernel;
}

api::Result<void>
api::SoftmaxGradientKernel::run(const SoftmaxGradientArguments &arguments,
                                void *stream) const {
  if (arguments.heads < 1)
    return Error{"expects at least one head, got " +
                 std::to_string(arguments.heads)};
  if (!arguments.scores && readsScores())
    return Error{"expects the scores, which the derivative reads"};
  ATTN_TRY(checkCaptures(pimpl->captures, arguments.captures));
  if (arguments.count * arguments.queries == 0 || arguments.keys == 0)
    return {};
  return pimpl->run(arguments, stream);
}

bool api::SoftmaxGradientKernel::readsScores() const {
  return pimpl->readsScores;
}

api::Result<DifferentiatedMod> DifferentiatedMod::make(const Mod &mod) {
  OpBuilder builder(&mod.impl().context);
  DifferentiatedMod result;
  result.module = ModuleOp::create(builder, builder.getUnknownLoc());
  builder.setInsertionPointToEnd(result.module->getBody());
  builder.clone(*mod.impl().standalone().getOperation());
  mlir::attn::ModOp entry = result.get();
  entry.removeCaptureAttrsAttr();
  if (!entry.hasScore())
    return result;
  ATTN_TRY(mod.impl().collect(
      "has no derivative", [&] { return mlir::attn::addAdjoint(entry, {}); }));
  return result;
}

mlir::attn::ModOp DifferentiatedMod::get() const {
  return *module.get().getOps<mlir::attn::ModOp>().begin();
}

bool DifferentiatedMod::readsScore() const {
  mlir::attn::ModOp mod = get();
  return mod.hasAdjoint() &&
         !mod.getAdjoint().getArgument(mod.getNumCaptures()).use_empty();
}

Value DifferentiatedMod::emit(ImplicitLocOpBuilder &b, ValueRange captures,
                              Value score, Value p, Value gradient, Value delta,
                              Value scale, ValueRange positions) const {
  mlir::attn::ModOp mod = get();
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value g =
      arith::MulFOp::create(b, p, arith::SubFOp::create(b, gradient, delta));
  if (mod.hasAdjoint()) {
    Value s = score ? arith::MulFOp::create(b, score, scale).getResult() : zero;
    SmallVector<Value> arguments{s, g};
    llvm::append_range(arguments, positions);
    g = mlir::attn::inlineProgram(b, mod.getAdjoint(), captures, arguments,
                                  mlir::attn::loadFromMemory);
  }
  // What the mask drops has any derivative, and any gradient.
  Value dropped = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, p, zero);
  Value scaled = arith::MulFOp::create(b, g, scale);
  return arith::SelectOp::create(b, dropped, zero, scaled);
}
