// Gradients of a softmax on a GPU: two passes over a row. The first sums
// p * gradient, the second writes the gradients of scores.
#include "CUDARows.h"
#include "KernelImages.h"
#include "ModImpl.h"
#include "SoftmaxGradientImpl.h"

#include "attn/Support/Try.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
// Within namespace mlir, `attn` is the dialect.
namespace api = ::attn;
using api::Role;

namespace {

class GradientRows final : public api::RowKernel {
public:
  GradientRows(gpu::GPUFuncOp func, const api::DifferentiatedMod &derivative)
      : RowKernel(func, derivative.get()), derivative(derivative) {}

private:
  void buildRow() override {
    auto pass = scf::ForOp::create(
        b, lane, keys, index(32), ValueRange{number(0)},
        [&](OpBuilder &nested, Location, Value key, ValueRange state) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          Value part = arith::MulFOp::create(
              b, probability(key), load(Role::GradProbabilities, key));
          Value sum = arith::AddFOp::create(b, state[0], part);
          scf::YieldOp::create(b, sum);
        });
    Value delta = pass.getResult(0);
    for (int64_t mask : {1, 2, 4, 8, 16})
      delta = arith::AddFOp::create(b, delta, shuffle(delta, mask));
    auto loop = scf::ForOp::create(b, lane, keys, index(32));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    writeGradient(loop.getInductionVar(), delta);
  }

  void writeGradient(Value key, Value delta) {
    Value score = derivative.readsScore() ? load(Role::Scores, key) : Value();
    Value result = derivative.emit(b, captures, score, probability(key),
                                   load(Role::GradProbabilities, key), delta,
                                   scale, {batch, head, query, i32(key)});
    Value memory = parameter(Role::GradScores);
    Type type = cast<MemRefType>(memory.getType()).getElementType();
    if (!type.isF32())
      result = arith::TruncFOp::create(b, type, result);
    memref::StoreOp::create(b, result, memory, position(key));
  }

  Value load(Role role, Value key) {
    return memref::LoadOp::create(b, parameter(role), position(key));
  }
  Value probability(Value key) {
    Value p = load(Role::Probabilities, key);
    if (!p.getType().isF32())
      p = arith::ExtFOp::create(b, b.getF32Type(), p);
    return p;
  }

  const api::DifferentiatedMod &derivative;
};

struct CUDASoftmaxGradient : public api::SoftmaxGradientKernel::Impl {
  api::Result<void> run(const api::SoftmaxGradientArguments &a,
                        void *stream) const override {
    int64_t rows = a.count * a.queries, pairs = rows * a.keys;
    api::Bindings bindings;
    bindings.memory({Role::Scores}, a.scores, {a.scores ? pairs : 0});
    bindings.memory({Role::Probabilities}, a.probabilities, {pairs});
    bindings.memory({Role::GradProbabilities}, a.gradProbabilities, {pairs});
    bindings.memory({Role::GradScores}, a.gradScores, {pairs});
    bindRows(bindings, a.first, a.count, a.heads, a.queries, a.keys,
             static_cast<float>(a.scale), captures, a.captures);
    return launchRows(code, rows, bindings, stream);
  }

  api::cuda::LoadedKernel code;
};

} // namespace

api::SoftmaxGradientImpl
api::createCUDASoftmaxGradient(const Mod &mod, ElementType probabilityType) {
  ATTN_TRY(cuda::currentDevice());
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(DifferentiatedMod derivative, DifferentiatedMod::make(mod));
  MLIRContext *context = &mod.impl().context;
  Type f32 = Float32Type::get(context);
  Type narrow = elementTypeOf(context, probabilityType);
  OwningOpRef<ModuleOp> module =
      buildRowModule(mod, derivative.get(), "softmax_gradient_rows",
                     {{Role::Scores, f32},
                      {Role::Probabilities, narrow},
                      {Role::GradProbabilities, f32},
                      {Role::GradScores, narrow}});
  GradientRows(rowKernelIn(*module), derivative).build();
  ATTN_TRY_ASSIGN(KernelImage image, makeRowImage(mod, *module));
  ATTN_TRY_ASSIGN(std::vector<cuda::LoadedKernel> loaded,
                  cuda::LoadedKernel::load(image));
  auto impl = std::make_shared<CUDASoftmaxGradient>();
  impl->code = std::move(loaded.front());
  impl->captures = mod.captures();
  impl->readsScores = derivative.readsScore();
  return std::shared_ptr<SoftmaxGradientKernel::Impl>(impl);
}
