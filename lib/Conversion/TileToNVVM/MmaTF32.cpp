// Products on f32 tiles with f32 accuracy from tf32 matrix units: each operand
// is split into two tf32 values, x = high + low, and high*high, high*low and
// low*high are summed in f32 (the 3xTF32 scheme; low*low is below f32's
// rounding).
//
// mma.sync m16n8k8 takes columns t and t + 4 of the left operand where the
// accumulator holds columns 2t and 2t + 1. Which of the eight summed indices is
// which does not matter as long as both operands agree, so accumulator columns
// 2t, 2t + 1 are used as they are and the right operand is read in that order.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// A 32-bit operand register as its two tf32 parts (bits in i32).
struct Split {
  Value high, low;
};

/// The registers of one operand of one mma.sync, split.
struct SplitOperand {
  SmallVector<Value> high, low;
};

class ProductF32 {
public:
  ProductF32(Distribution &d, const Product &p)
      : d(d), b(d.b), p(p), columns(p.columns) {
    // This thread's pair of summed indices, and its column of the result.
    Value pair = arith::ShLIOp::create(b, d.quadColumn, d.i32(1));
    Value rhs = d.parts.lookup(p.rhs).front();
    rhsStride = cast<MemRefType>(rhs.getType()).getDimSize(1);
    rhsBase = p.transposed ? d.sharedPointer(rhs, d.quadRow, pair)
                           : d.sharedPointer(rhs, pair, d.quadRow);
    if (!isPadded(cast<RankedTensorType>(p.lhs.getType())))
      return;
    Value lhs = d.parts.lookup(p.lhs).front();
    lhsStride = cast<MemRefType>(lhs.getType()).getDimSize(1);
    lhsBase = d.sharedPointer(
        lhs, arith::AddIOp::create(b, d.warpRow, d.quadRow), pair);
  }

  /// The matrix unit truncates when it accumulates, which adds up over long
  /// sums. So runs of products start at zero, and are added by rounding
  /// additions.
  Fragment emit(Fragment accumulator) {
    constexpr int64_t run = 32;
    for (int64_t k = 0; k < p.depth; k += run) {
      int64_t steps = std::min(run, p.depth - k) / 8;
      SmallVector<SmallVector<SplitOperand>> lhs(steps);
      for (int64_t step = 0; step < steps; ++step)
        for (int64_t block = 0; block < d.blocks; ++block)
          lhs[step].push_back(split(loadLhs(block, k + 8 * step)));
      for (int64_t n = 0; n < columns; n += 8)
        addRun(accumulator, lhs, k, n);
    }
    return accumulator;
  }

private:
  SmallVector<Value> loadRhs(int64_t k, int64_t n) {
    SmallVector<Value> values;
    for (int64_t i : {0, 1}) {
      int64_t row = p.transposed ? n : k + i, column = p.transposed ? k + i : n;
      values.push_back(load(rhsBase, row * rhsStride + column));
    }
    return values;
  }

  /// Rows g, g + 8 at the first summed index, then at the second.
  SmallVector<Value> loadLhs(int64_t block, int64_t k) {
    SmallVector<Value> values;
    for (int64_t i : {0, 1})
      for (int64_t half : {0, 1})
        values.push_back(
            lhsBase ? load(lhsBase, (16 * block + 8 * half) * lhsStride + k + i)
                    : d.parts.find(p.lhs)->second[d.elementIndex(
                          p.depth, block, k / 8, 2 * half + i)]);
    return values;
  }

  Value load(Value base, int64_t offset) {
    return LLVM::LoadOp::create(b, b.getF32Type(),
                                d.advance(base, b.getF32Type(), offset));
  }

  /// High is x rounded to tf32's ten mantissa bits, low is the rest (of which
  /// the matrix unit drops the last bits). NaN and infinity stay whole in high:
  /// a rest would turn infinity into NaN.
  Split split(Value x) {
    Value bits = arith::BitcastOp::create(b, b.getI32Type(), x);
    Value exponent = arith::AndIOp::create(b, bits, d.i32(0x7f800000));
    Value finite = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, exponent,
                                         d.i32(0x7f800000));
    Value rounded = arith::AndIOp::create(
        b, arith::AddIOp::create(b, bits, d.i32(0x1000)), d.i32(~0x1fff));
    Value high = arith::SelectOp::create(b, finite, rounded, bits);
    Value rest = arith::BitcastOp::create(
        b, b.getI32Type(),
        arith::SubFOp::create(
            b, x, arith::BitcastOp::create(b, b.getF32Type(), high)));
    return {high, arith::SelectOp::create(b, finite, rest, d.i32(0))};
  }

  SplitOperand split(ArrayRef<Value> values) {
    SplitOperand operand;
    for (Value x : values) {
      Split parts = split(x);
      operand.high.push_back(parts.high), operand.low.push_back(parts.low);
    }
    return operand;
  }

  /// Adds the products of the steps in `lhs` for 8 columns.
  void addRun(Fragment &accumulator, ArrayRef<SmallVector<SplitOperand>> lhs,
              int64_t k, int64_t n) {
    SmallVector<SmallVector<Value>> sums(d.blocks,
                                         SmallVector<Value>(4, d.f32(0)));
    for (auto [step, blocks] : llvm::enumerate(lhs)) {
      SplitOperand rhs = split(loadRhs(k + 8 * step, n));
      for (auto [block, operand] : llvm::enumerate(blocks)) {
        SmallVector<Value> &sum = sums[block];
        sum = mma(operand.low, rhs.high, sum);
        sum = mma(operand.high, rhs.low, sum);
        sum = mma(operand.high, rhs.high, sum);
      }
    }
    for (int64_t block = 0; block < d.blocks; ++block)
      for (int64_t e = 0; e < 4; ++e) {
        Value &element = accumulator[d.elementIndex(columns, block, n / 8, e)];
        element = arith::AddFOp::create(b, element, sums[block][e]);
      }
  }

  SmallVector<Value> mma(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                         ArrayRef<Value> accumulator) {
    Type f32 = b.getF32Type();
    Value result = NVVM::MmaOp::create(
        b,
        LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32}),
        lhs, rhs, accumulator, ArrayRef<int64_t>{16, 8, 8}, std::nullopt,
        std::nullopt,
        std::array<NVVM::MMATypes, 2>{NVVM::MMATypes::tf32,
                                      NVVM::MMATypes::tf32},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                       NVVM::MMALayout::col});
    SmallVector<Value> registers;
    for (int64_t i = 0; i < 4; ++i)
      registers.push_back(LLVM::ExtractValueOp::create(b, result, i));
    return registers;
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  const Product &p;
  int64_t columns;
  Value lhsBase, rhsBase;
  int64_t lhsStride = 0, rhsStride = 0;
};

} // namespace

Fragment tile::emitProductF32(Distribution &d, const Product &product,
                              Fragment init) {
  return ProductF32(d, product).emit(std::move(init));
}
