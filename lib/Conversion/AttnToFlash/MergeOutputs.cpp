// See MergeOutputs.h.
#include "MergeOutputs.h"

#include "KernelMemory.h"
#include "MergedRow.h"
#include "RowPieces.h"
#include "ThreadKernel.h"

#include "attn/Conversion/ThreadKernels.h"
#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

static constexpr double log2e = 1.4426950408889634;
static constexpr int64_t width = mergedPiece;

namespace {
class MergeOutputs : TileBuilder {
public:
  MergeOutputs(ImplicitLocOpBuilder &builder, MergeOp op, func::FuncOp kernel)
      : TileBuilder(builder), op(op), kernel(kernel),
        out(parameterOf(kernel, Role::Out)) {
    for (size_t i = 0; i < op.getOuts().size(); ++i) {
      outs.push_back(parameterOf(kernel, Role::PartOut, i));
      lses.push_back(parameterOf(kernel, Role::PartLse, i));
    }
  }

  void build() {
    RowPieces pieces(b, outs, width);
    SmallVector<Value> sizes;
    for (int64_t i = 0; i < 3; ++i)
      sizes.push_back(memref::DimOp::create(b, out, i));
    sizes.push_back(index(countPieces(op.getValueDim(), width)));
    forEachThread(b, sizes, [&](ValueRange at) {
      buildPiece(pieces, at.take_front(3), at[3]);
    });
  }

private:
  void buildPiece(RowPieces &pieces, ValueRange row, Value piece) {
    SmallVector<Value> exponents;
    for (size_t i = 0; i < lses.size(); ++i)
      exponents.push_back(ifThere(i, f32(-INFINITY), [&]() -> Value {
        return memref::LoadOp::create(b, lses[i], row);
      }));
    // A part without an out.
    Value sink;
    if (Value sinks = parameterOf(kernel, Role::Sink))
      sink = memref::LoadOp::create(b, sinks, row[1]);
    Value greatest = sink ? sink : f32(-INFINITY);
    for (Value exponent : exponents)
      greatest = arith::MaxNumFOp::create(b, greatest, exponent);
    MergedRow merged(b, piece, width, log2e);
    merged.begin(greatest);
    MergedRow::Sums sums = merged.none();
    if (sink)
      sums = merged.add(sums, merged.decay(sink), sums.values);
    for (size_t i = 0; i < outs.size(); ++i) {
      Value values = ifThere(i, merged.none().values, [&] {
        return wide(pieces.load(outs[i], row, piece));
      });
      sums = merged.add(sums, merged.decay(exponents[i]), values);
    }
    merged.storeOut(sums, op.getValueDim(), out, SmallVector<Value>(row));
    if (Value lse = parameterOf(kernel, Role::Lse))
      merged.storeLse(sums, lse, SmallVector<Value>(row));
  }

  /// `value`, or `none` of parts that do not count.
  Value ifThere(int64_t part, Value none, llvm::function_ref<Value()> value) {
    Value count = parameterOf(kernel, Role::PartCount);
    if (!count)
      return value();
    Value number = arith::ConstantIntOp::create(b, part, 32);
    Value isThere =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number, count);
    return either(isThere, value, [&] { return none; });
  }

  /// f32.
  Value wide(Value piece) {
    auto type = cast<VectorType>(piece.getType());
    if (type.getElementType().isF32())
      return piece;
    return arith::ExtFOp::create(b, type.clone(b.getF32Type()), piece);
  }

  MergeOp op;
  func::FuncOp kernel;
  Value out;
  SmallVector<Value> outs, lses;
};
} // namespace

static ParameterList parametersOf(MergeOp op) {
  MLIRContext *context = op.getContext();
  ParameterList parameters;
  for (auto [i, out] : llvm::enumerate(op.getOuts()))
    parameters.add(RoleAttr::get(context, Role::PartOut, i),
                   stridedMemoryType(out.getType()));
  for (auto [i, lse] : llvm::enumerate(op.getLses()))
    parameters.add(RoleAttr::get(context, Role::PartLse, i),
                   contiguousMemoryType(lse.getType()));
  if (op.getCount())
    parameters.add(Role::PartCount, op.getCount().getType());
  if (op.getSink())
    parameters.add(Role::Sink, contiguousMemoryType(op.getSink().getType()));
  parameters.add(Role::Out, stridedMemoryType(op.getOut().getType()));
  if (op.getLse())
    parameters.add(Role::Lse, contiguousMemoryType(op.getLse().getType()));
  return parameters;
}

void mlir::attn::buildMergeOutputs(MergeOp op) {
  func::FuncOp kernel = createThreadKernel(op, parametersOf(op));
  auto b =
      ImplicitLocOpBuilder::atBlockEnd(op.getLoc(), &kernel.getBody().front());
  MergeOutputs(b, op, kernel).build();
  func::ReturnOp::create(b);
}
