// Builds the softmax of one row out of linalg.generic on buffers, which
// linalg-to-vector-loops vectorises. See SoftmaxModule.h.
#include "SoftmaxModule.h"

#include "ModImpl.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <limits>

using namespace ::attn;
using namespace mlir;

namespace {
class RowSoftmax {
public:
  RowSoftmax(func::FuncOp function, mlir::attn::ModOp mod, Type scoreType)
      : b(ImplicitLocOpBuilder::atBlockBegin(function.getLoc(),
                                             &function.getBody().front())),
        mod(mod), type(scoreType) {
    auto arguments = function.getArguments();
    scores = arguments[0], probabilities = arguments[1], row = arguments[2];
    blocks = arguments[3], partial = arguments[4], lse = arguments[5];
    batch = arguments[6], head = arguments[7], query = arguments[8];
    scale = arguments[9];
    captures = llvm::to_vector_of<Value>(arguments.drop_front(10));
  }

  void build() {
    b.setInsertionPointToStart(row.getParentBlock());
    SmallVector<Type> types(mod.getCaptureTypes().getAsValueRange<TypeAttr>());
    captures = mlir::attn::unpackCaptures(b, b.getLoc(), types, captures);
    padWithMinusInfinity();
    applyMod();
    Value maximum = reduce<arith::MaxNumFOp>(minusInfinity());
    Value empty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum,
                                        minusInfinity());
    Value shift = arith::SelectOp::create(b, empty, number(0), maximum);
    generic({}, blocks, [&](ValueRange in) -> Value {
      return math::ExpOp::create(b, arith::SubFOp::create(b, in[0], shift));
    });
    Value sum = reduce<arith::AddFOp>(number(0));
    // A row with no weight has no NaN either: then the maximum is -inf.
    Value divisor = arith::SelectOp::create(b, empty, number(1), sum);
    normalize(divisor);
    Value log =
        arith::AddFOp::create(b, shift, math::LogOp::create(b, divisor));
    memref::StoreOp::create(
        b, arith::SelectOp::create(b, empty, minusInfinity(), log), lse,
        index(0));
    func::ReturnOp::create(b);
  }

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value number(double value) {
    return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
  }
  Value minusInfinity() {
    return number(-std::numeric_limits<double>::infinity());
  }

  /// out = body(inputs, old out), element by element.
  void generic(ValueRange inputs, Value out,
               function_ref<Value(ValueRange)> body) {
    int64_t rank = cast<MemRefType>(out.getType()).getRank();
    SmallVector<AffineMap> maps(inputs.size() + 1,
                                b.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    linalg::GenericOp::create(b, inputs, out, maps, iterators,
                              [&](OpBuilder &nested, Location, ValueRange in) {
                                inBody(nested, [&] { return body(in); });
                              });
  }

  /// Emits `body` at the insertion point of `nested`, and its result's yield.
  void inBody(OpBuilder &nested, function_ref<Value()> body) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(nested.getInsertionBlock());
    linalg::YieldOp::create(b, body());
  }

  /// The last block sticks out.
  void padWithMinusInfinity() {
    Value count = memref::DimOp::create(b, blocks, 0);
    Value last = arith::MaxSIOp::create(
        b, arith::SubIOp::create(b, count, index(1)), index(0));
    scf::ForOp::create(
        b, last, count, index(1), ValueRange{},
        [&](OpBuilder &nested, Location, Value block, ValueRange) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          for (int64_t i = 0; i < softmaxLanes; ++i)
            memref::StoreOp::create(b, minusInfinity(), blocks,
                                    ValueRange{block, index(i)});
          scf::YieldOp::create(b);
        });
  }

  /// From the type of the scores to that of mods, and back.
  Value round(Value score) {
    if (type.isF32())
      return score;
    return arith::TruncFOp::create(b, b.getF32Type(), score);
  }
  Value extend(Value score) {
    if (type.isF32())
      return score;
    return arith::ExtFOp::create(b, type, score);
  }

  /// row = the score program of scale * scores; -inf where the mask drops it.
  void applyMod() {
    generic({scores}, row, [&](ValueRange in) -> Value {
      Value key = arith::IndexCastOp::create(b, b.getI32Type(),
                                             linalg::IndexOp::create(b, 0));
      Value score = arith::MulFOp::create(b, in[0], scale);
      if (mod.hasScore())
        score = extend(
            mlir::attn::inlineProgram(b, mod.getScore(), captures,
                                      {round(score), batch, head, query, key},
                                      mlir::attn::loadFromMemory));
      if (!mod.hasMask())
        return score;
      Value keep = mlir::attn::inlineProgram(b, mod.getMask(), captures,
                                             {batch, head, query, key},
                                             mlir::attn::loadFromMemory);
      return arith::SelectOp::create(b, keep, score, minusInfinity());
    });
  }

  /// All elements of the blocks combined: lane by lane, then across lanes.
  template <typename CombineOp> Value reduce(Value init) {
    generic({}, partial, [&](ValueRange) { return init; });
    AffineMap all = b.getMultiDimIdentityMap(2);
    AffineMap lane = AffineMap::get(2, 0, b.getAffineDimExpr(1));
    utils::IteratorType iterators[] = {utils::IteratorType::reduction,
                                       utils::IteratorType::parallel};
    linalg::GenericOp::create(b, ValueRange{blocks}, ValueRange{partial},
                              ArrayRef<AffineMap>{all, lane}, iterators,
                              [&](OpBuilder &nested, Location, ValueRange in) {
                                inBody(nested, [&]() -> Value {
                                  return CombineOp::create(b, in[0], in[1]);
                                });
                              });
    Value result = init;
    for (int64_t i = 0; i < softmaxLanes; ++i)
      result = CombineOp::create(b, result,
                                 memref::LoadOp::create(b, partial, index(i)));
    return result;
  }

  void normalize(Value divisor) {
    Type to = cast<MemRefType>(probabilities.getType()).getElementType();
    generic({row}, probabilities, [&](ValueRange in) -> Value {
      Value p = arith::DivFOp::create(b, in[0], divisor);
      if (to.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
        return arith::TruncFOp::create(b, to, p);
      if (to != type)
        return arith::ExtFOp::create(b, to, p);
      return p;
    });
  }

  ImplicitLocOpBuilder b;
  mlir::attn::ModOp mod;
  Type type;
  Value scores, probabilities, row, blocks, partial, lse;
  Value batch, head, query, scale;
  SmallVector<Value> captures;
};
} // namespace

namespace attn {
OwningOpRef<ModuleOp> buildSoftmaxModule(const Mod &mod, ElementType scoreType,
                                         ElementType probabilityType) {
  MLIRContext *context = &mod.impl().context;
  context->loadDialect<arith::ArithDialect, linalg::LinalgDialect,
                       math::MathDialect, memref::MemRefDialect,
                       scf::SCFDialect>();
  OpBuilder builder(context);
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  Type score = elementTypeOf(context, scoreType);
  Type i32 = builder.getI32Type();
  int64_t dynamic = ShapedType::kDynamic;
  SmallVector<Type> types{
      MemRefType::get({dynamic}, score),
      MemRefType::get({dynamic}, elementTypeOf(context, probabilityType)),
      MemRefType::get({dynamic}, score),
      MemRefType::get({dynamic, softmaxLanes}, score),
      MemRefType::get({softmaxLanes}, score),
      MemRefType::get({1}, score),
      i32,
      i32,
      i32,
      score};
  mlir::attn::ModOp entry = mod.impl().standalone();
  for (Attribute capture : entry.getCaptureTypes())
    types.push_back(mlir::attn::captureArgumentType(
        cast<TypeAttr>(capture).getValue(), /*anyStride=*/true));
  builder.setInsertionPointToEnd(module->getBody());
  auto function = func::FuncOp::create(builder, loc, "softmax_row",
                                       builder.getFunctionType(types, {}));
  function->setAttr("llvm.emit_c_interface", builder.getUnitAttr());
  function.addEntryBlock();
  RowSoftmax(function, entry, score).build();
  return module;
}
} // namespace attn
