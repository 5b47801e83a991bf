// Softmax of materialised scores on a GPU: a warp for each row, two passes over
// it. The first keeps a running maximum and sum, the second writes the weights.
#include "../Launch/CaptureViews.h"
#include "CUDARows.h"
#include "KernelImages.h"
#include "ModImpl.h"
#include "SoftmaxImpl.h"

#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
// Within namespace mlir, `attn` is the dialect.
namespace api = ::attn;
using api::Role;

namespace {

class SoftmaxRows final : public api::RowKernel {
public:
  SoftmaxRows(gpu::GPUFuncOp func, mlir::attn::ModOp mod)
      : RowKernel(func, mod) {
    scores = parameter(Role::Scores);
    probabilities = parameter(Role::Probabilities);
    lse = parameter(Role::Lse);
  }

private:
  void buildRow() override {
    auto pass = scf::ForOp::create(
        b, lane, keys, index(32), ValueRange{minusInfinity(), number(0)},
        [&](OpBuilder &nested, Location, Value key, ValueRange state) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          Value t = weightExponent(key);
          Value maximum = arith::MaxNumFOp::create(b, state[0], t);
          Value sum = rescaled(state[1], state[0], maximum);
          sum = arith::AddFOp::create(b, sum, exponential(t, maximum));
          scf::YieldOp::create(b, ValueRange{maximum, sum});
        });
    auto [maximum, sum] = combineLanes(pass.getResult(0), pass.getResult(1));
    Value empty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum,
                                        minusInfinity());
    Value inverse = arith::SelectOp::create(
        b, empty, number(0), arith::DivFOp::create(b, number(1), sum));
    writeWeights(maximum, inverse);
    writeLse(maximum, sum);
  }

  void writeWeights(Value maximum, Value inverse) {
    auto loop = scf::ForOp::create(b, lane, keys, index(32));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    Value key = loop.getInductionVar();
    Value weight = arith::MulFOp::create(
        b, exponential(weightExponent(key), maximum), inverse);
    Type type = cast<MemRefType>(probabilities.getType()).getElementType();
    if (!type.isF32())
      weight = arith::TruncFOp::create(b, type, weight);
    memref::StoreOp::create(b, weight, probabilities, position(key));
  }

  void writeLse(Value maximum, Value sum) {
    Value wanted = arith::AndIOp::create(
        b, arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, index(0)),
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row,
                              memref::DimOp::create(b, lse, 0)));
    auto guard = scf::IfOp::create(b, wanted, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard insertion(b);
    b.setInsertionPoint(guard.thenYield());
    Value log = math::LogOp::create(b, sum);
    memref::StoreOp::create(b, arith::AddFOp::create(b, maximum, log), lse,
                            ValueRange{row});
  }

  /// The row's exponent at `key`: -inf where the mask drops it.
  Value weightExponent(Value key) {
    Value score = memref::LoadOp::create(b, scores, position(key));
    score = arith::MulFOp::create(b, score, scale);
    Value keyI32 = i32(key);
    if (mod.hasScore())
      score = mlir::attn::inlineProgram(b, mod.getScore(), captures,
                                        {score, batch, head, query, keyI32},
                                        mlir::attn::loadFromMemory);
    if (!mod.hasMask())
      return score;
    Value keep = mlir::attn::inlineProgram(b, mod.getMask(), captures,
                                           {batch, head, query, keyI32},
                                           mlir::attn::loadFromMemory);
    return arith::SelectOp::create(b, keep, score, minusInfinity());
  }

  std::pair<Value, Value> combineLanes(Value maximum, Value sum) {
    for (int64_t mask : {1, 2, 4, 8, 16}) {
      Value other = shuffle(maximum, mask);
      Value larger = arith::MaxNumFOp::create(b, maximum, other);
      sum = arith::AddFOp::create(b, rescaled(sum, maximum, larger),
                                  rescaled(shuffle(sum, mask), other, larger));
      maximum = larger;
    }
    return {maximum, sum};
  }

  /// sum * exp(old - maximum), 0 while nothing was kept.
  Value rescaled(Value sum, Value old, Value maximum) {
    return arith::MulFOp::create(b, sum, exponential(old, maximum));
  }

  /// exp(x - maximum), 0 if x is -inf.
  Value exponential(Value x, Value maximum) {
    Value empty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum,
                                        minusInfinity());
    Value shift = arith::SelectOp::create(b, empty, number(0), maximum);
    return math::ExpOp::create(b, arith::SubFOp::create(b, x, shift));
  }

  Value minusInfinity() {
    return number(-std::numeric_limits<float>::infinity());
  }

  Value scores, probabilities, lse;
};

struct CUDASoftmax : public api::SoftmaxKernel::Impl {
  api::Result<void> run(const void *scores, void *probabilities, void *lse,
                        int64_t first, int64_t count, int64_t heads,
                        int64_t queries, int64_t keys, double scale,
                        const std::vector<api::CaptureView> &views,
                        void *stream) const override {
    ATTN_TRY(checkCaptures(captures, views));
    int64_t rows = count * queries;
    api::Bindings bindings;
    bindings.memory({Role::Scores}, scores, {rows * keys});
    bindings.memory({Role::Probabilities}, probabilities, {rows * keys});
    bindings.memory({Role::Lse}, lse, {lse ? rows : 0});
    bindRows(bindings, first, count, heads, queries, keys,
             static_cast<float>(scale), captures, views);
    return launchRows(code, rows, bindings, stream);
  }

  api::cuda::LoadedKernel code;
  std::vector<api::CaptureInfo> captures;
};

} // namespace

api::SoftmaxImpl api::createCUDASoftmax(const Mod &mod, ElementType scoreType,
                                        ElementType probabilityType) {
  if (scoreType != ElementType::F32)
    return Error{"expects scores of type f32 on target cuda, got " +
                 std::string(toString(scoreType))};
  ATTN_TRY(cuda::currentDevice());
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  mlir::attn::ModOp entry = mod.impl().standalone();
  MLIRContext *context = &mod.impl().context;
  Type f32 = Float32Type::get(context);
  OwningOpRef<ModuleOp> module = buildRowModule(
      mod, entry, "softmax_rows",
      {{Role::Scores, f32},
       {Role::Probabilities, elementTypeOf(context, probabilityType)},
       {Role::Lse, f32}});
  SoftmaxRows(rowKernelIn(*module), entry).build();
  ATTN_TRY_ASSIGN(KernelImage image, makeRowImage(mod, *module));
  ATTN_TRY_ASSIGN(std::vector<cuda::LoadedKernel> loaded,
                  cuda::LoadedKernel::load(image));
  auto impl = std::make_shared<CUDASoftmax>();
  impl->code = std::move(loaded.front());
  impl->captures = mod.captures();
  return std::shared_ptr<SoftmaxKernel::Impl>(impl);
}
