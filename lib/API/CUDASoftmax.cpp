// Softmax of materialised scores on a GPU: a warp for each row, two passes over
// it. The first keeps a running maximum and sum, the second writes the weights.
#include "CUDAImage.h"
#include "CaptureViews.h"
#include "KernelImpl.h"
#include "ModImpl.h"

#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Support/Try.h"

#include "attn/Runtime/LoadedKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <limits>

using namespace mlir;
// Within namespace mlir, `attn` is the dialect.
namespace api = ::attn;
using api::Role;
using mlir::attn::parameterOf;

namespace {

constexpr int64_t rowsPerBlock = 4;
constexpr const char *kernelName = "softmax_rows";

class SoftmaxRows {
public:
  SoftmaxRows(gpu::GPUFuncOp func, mlir::attn::ModOp mod)
      : b(ImplicitLocOpBuilder::atBlockBegin(func.getLoc(),
                                             &func.getBody().front())),
        mod(mod) {
    auto parameter = [&](Role role) { return parameterOf(func, role); };
    scores = parameter(Role::Scores);
    probabilities = parameter(Role::Probabilities);
    lse = parameter(Role::Lse), first = parameter(Role::FirstHead);
    heads = parameter(Role::HeadCount), queries = parameter(Role::QueryCount);
    keys = parameter(Role::KeyCount), rows = parameter(Role::RowCount);
    scale = parameter(Role::Scale);
    SmallVector<Type> types(mod.getCaptureTypes().getAsValueRange<TypeAttr>());
    for (mlir::BlockArgument argument : func.getArguments())
      if (llvm::is_contained({Role::Capture, Role::QueryOffset},
                             mlir::attn::roleOf(argument).getRole()))
        captures.push_back(argument);
    captures = mlir::attn::unpackCaptures(b, b.getLoc(), types, captures);
  }

  void build() {
    Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
    lane = arith::RemUIOp::create(b, thread, index(32));
    Value block = gpu::BlockIdOp::create(b, gpu::Dimension::x);
    row = arith::AddIOp::create(
        b, arith::MulIOp::create(b, block, index(rowsPerBlock)),
        arith::DivUIOp::create(b, thread, index(32)));
    Value exists =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, rows);
    auto guard = scf::IfOp::create(b, exists, /*withElseRegion=*/false);
    gpu::ReturnOp::create(b);
    b.setInsertionPoint(guard.thenYield());
    buildRow();
  }

private:
  void buildRow() {
    Value batchHead = arith::AddIOp::create(
        b, first, arith::DivUIOp::create(b, row, queries));
    batch = i32(arith::DivUIOp::create(b, batchHead, heads));
    head = i32(arith::RemUIOp::create(b, batchHead, heads));
    query = i32(arith::RemUIOp::create(b, row, queries));
    rowStart = arith::MulIOp::create(b, row, keys);

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

  Value shuffle(Value value, int64_t mask) {
    auto constant = [&](int64_t x) -> Value {
      return arith::ConstantIntOp::create(b, x, 32);
    };
    return NVVM::ShflOp::create(b, value.getType(), constant(-1), value,
                                constant(mask), constant(31),
                                NVVM::ShflKind::bfly, UnitAttr());
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

  Value position(Value key) { return arith::AddIOp::create(b, rowStart, key); }
  Value i32(Value value) {
    return arith::IndexCastOp::create(b, b.getI32Type(), value);
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value number(float value) {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  }
  Value minusInfinity() {
    return number(-std::numeric_limits<float>::infinity());
  }

  ImplicitLocOpBuilder b;
  mlir::attn::ModOp mod;
  Value scores, probabilities, lse, first, heads, queries, keys, rows, scale;
  SmallVector<Value> captures;
  Value lane, row, rowStart, batch, head, query;
};

/// A module with a gpu.module that holds the kernel for `mod`.
OwningOpRef<ModuleOp> buildModule(const api::Mod &mod,
                                  api::ElementType probabilityType) {
  MLIRContext *context = &mod.impl().context;
  context->loadDialect<arith::ArithDialect, gpu::GPUDialect, math::MathDialect,
                       memref::MemRefDialect, NVVM::NVVMDialect,
                       scf::SCFDialect>();
  OpBuilder builder(context);
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToEnd(module->getBody());
  auto kernels = gpu::GPUModuleOp::create(builder, loc, "softmax");
  builder.setInsertionPointToStart(&kernels.getBodyRegion().front());

  int64_t dynamic = ShapedType::kDynamic;
  Type f32 = builder.getF32Type(), index = builder.getIndexType();
  auto vector = [&](Type element) -> Type {
    return MemRefType::get({dynamic}, element);
  };
  mlir::attn::ParameterList parameters;
  parameters.add(Role::Scores, vector(f32));
  parameters.add(Role::Probabilities,
                 vector(elementTypeOf(context, probabilityType)));
  parameters.add(Role::Lse, vector(f32));
  for (Role number : {Role::FirstHead, Role::HeadCount, Role::QueryCount,
                      Role::KeyCount, Role::RowCount})
    parameters.add(number, index);
  parameters.add(Role::Scale, f32);
  mlir::attn::ModOp entry = mod.impl().standalone();
  for (auto [i, capture] : llvm::enumerate(entry.getCaptureTypes())) {
    api::RoleName role = api::roleOf(mod.captures()[i], i);
    parameters.add(
        mlir::attn::RoleAttr::get(context, role.role, role.number),
        mlir::attn::captureArgumentType(cast<TypeAttr>(capture).getValue(),
                                        /*anyStride=*/true));
  }
  auto func = gpu::GPUFuncOp::create(
      builder, loc, kernelName,
      builder.getFunctionType(parameters.getTypes(), {}));
  parameters.setRoles(func);
  func->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                builder.getUnitAttr());
  func.setKnownBlockSizeAttr(builder.getDenseI32ArrayAttr(
      {static_cast<int32_t>(32 * rowsPerBlock), 1, 1}));
  SoftmaxRows(func, entry).build();
  return module;
}

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
    for (auto [role, number] :
         {std::pair(Role::FirstHead, first), std::pair(Role::HeadCount, heads),
          std::pair(Role::QueryCount, queries), std::pair(Role::KeyCount, keys),
          std::pair(Role::RowCount, rows)})
      bindings.word({role}, static_cast<uint64_t>(number));
    auto factor = static_cast<float>(scale);
    bindings.scalar({Role::Scale}, &factor, sizeof factor);
    bindCaptures(bindings, captures, views);
    return code.launch((rows + rowsPerBlock - 1) / rowsPerBlock, bindings,
                       stream);
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
  OwningOpRef<ModuleOp> module = buildModule(mod, probabilityType);
  ATTN_TRY_ASSIGN(KernelImage image,
                  compileCUDAImage(mod, *module, /*exact=*/true));
  ATTN_TRY_ASSIGN(std::vector<cuda::LoadedKernel> loaded,
                  cuda::LoadedKernel::load(image));
  auto impl = std::make_shared<CUDASoftmax>();
  impl->code = std::move(loaded.front());
  impl->captures = mod.captures();
  return std::shared_ptr<SoftmaxKernel::Impl>(impl);
}
