// attn-fill-to-loops: makes a data function of each attn.fill.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/SizeExpression.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNFILLTOLOOPSPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

/// The memory that `fill` writes.
static MemRefType tableType(FillOp fill) {
  unsigned rank = fill.getBody().getNumArguments();
  if (rank == 0)
    return contiguousMemoryType(fill.getElementType());
  SmallVector<int64_t> shape(rank, ShapedType::kDynamic);
  return contiguousMemoryType(
      RankedTensorType::get(shape, fill.getElementType()));
}

/// What `expression` is for the sizes, as a value of `type`.
static Value emitSize(ImplicitLocOpBuilder &b, StringRef expression, Type type,
                      ValueRange sizes) {
  std::string error;
  auto parsed = SizeExpression::parse(expression, error);
  assert(parsed && "expects an expression that the verifier has seen");
  Value value = parsed->emit(b, sizes);
  return type.isIndex() ? value
                        : Value(arith::IndexCastOp::create(b, type, value));
}

/// Evaluates the fill at `indices` and stores the element.
static void emitElement(ImplicitLocOpBuilder &b, FillOp fill, Value table,
                        ValueRange indices) {
  IRMapping mapping;
  for (auto [argument, index] :
       llvm::zip_equal(fill.getBody().getArguments(), indices))
    mapping.map(argument, arith::IndexCastOp::create(b, b.getI32Type(), index));
  Block &body = fill.getBody().front();
  for (Operation &op : body.without_terminator())
    b.clone(op, mapping);
  Value element =
      mapping.lookup(cast<YieldOp>(body.getTerminator()).getResult());
  memref::StoreOp::create(b, element, table, indices);
}

static void convert(FillOp fill) {
  ImplicitLocOpBuilder b(fill.getLoc(), fill);
  MemRefType type = tableType(fill);
  SmallVector<Type> inputs{type};
  inputs.append(std::size(sizeNames), b.getIndexType());
  auto function =
      func::FuncOp::create(b, fill.getSymName(), b.getFunctionType(inputs, {}));
  Block *entry = function.addEntryBlock();
  Value table = entry->getArgument(0);
  ValueRange sizes = entry->getArguments().drop_front();
  b.setInsertionPointToEnd(entry);
  func::ReturnOp::create(b);
  b.setInsertionPointToStart(entry);
  SmallVector<Value> ends, indices;
  for (int64_t i = 0; i < type.getRank(); ++i)
    ends.push_back(memref::DimOp::create(b, table, i));
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  for (Value end : ends) {
    auto loop = scf::ForOp::create(b, zero, end, one);
    indices.push_back(loop.getInductionVar());
    b.setInsertionPoint(loop.getBody()->getTerminator());
  }
  emitElement(b, fill, table, indices);
  // Sizes are the same for all elements.
  SmallVector<SizeOp> ops;
  function.walk([&](SizeOp op) { ops.push_back(op); });
  b.setInsertionPointToStart(entry);
  for (SizeOp op : ops) {
    op.getResult().replaceAllUsesWith(
        emitSize(b, op.getExpression(), op.getType(), sizes));
    op.erase();
  }
  fill.erase();
}

namespace {
struct AttnFillToLoops
    : mlir::attn::impl::AttnFillToLoopsPassBase<AttnFillToLoops> {
  void runOnOperation() override {
    for (FillOp fill :
         llvm::make_early_inc_range(getOperation().getOps<FillOp>()))
      convert(fill);
  }
};
} // namespace
