// tile.sum_diagonals: what each thread has of a diagonal it adds up itself, and
// leaves in shared memory; then each lane adds up what others have of its own
// diagonals, in an order that is always the same.
//
// An element in row g + 8 h and column 8 j + 2 t + c (Distribution.h) lies on
// the diagonal g - 2 t + 8 m - c, m = h - j: a thread has one sum for each m
// and c. The other way, diagonal D gets from the threads with t and c, eight
// pairs, one each: x = D + 2 t + c is g + 8 m.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

constexpr int64_t lanes = Distribution::lanes;

class DiagonalSums {
public:
  DiagonalSums(Distribution &d, SumDiagonalsOp op)
      : d(d), b(d.b), op(op), columns(op.getTile().getType().getDimSize(1)),
        least(1 - columns / 8), count(2 * d.blocks - least) {
    part = d.partOfWarp(static_cast<int64_t>(op.getOffset()),
                        shared::diagonalSumsOfWarp(d.rowsOfWarp(), columns));
  }

  Fragment emit() {
    sync(); // who still reads what was here before
    putOwn();
    sync();
    Fragment sums;
    auto type = op.getResult().getType();
    for (int64_t i = 0; i < d.diagonalsOfLane(type); ++i)
      sums.push_back(sumOf(lanes * i));
    return sums;
  }

private:
  /// A word for each lane, m and c: those of one m begin a bank behind those of
  /// the one before, so that lanes that read other m find other banks.
  static constexpr int64_t wordsOfM = 2 * lanes + 1;

  void putOwn() {
    Fragment elements = d.fragmentOf(op.getTile());
    SmallVector<Value> sums(2 * count);
    for (int64_t i = 0, e = elements.size(); i < e; ++i) {
      int64_t row = d.rowIndexOf(i, columns), block = i / 4 % (columns / 8);
      int64_t m = Distribution::firstRowDistance(row) / 8 - block;
      Value &sum = sums[2 * (m - least) + i % 2];
      sum = sum ? arith::AddFOp::create(b, sum, elements[i]).getResult()
                : elements[i];
    }
    Value own = d.pointerTo(d.wordsBehind(part, d.lane));
    for (int64_t m = 0; m < count; ++m)
      for (int64_t c : {0, 1})
        LLVM::StoreOp::create(
            b, sums[2 * m + c],
            d.advance(own, b.getF32Type(), m * wordsOfM + c * lanes));
  }

  /// Of the lane's diagonal number `first` + lane.
  Value sumOf(int64_t first) {
    Value distance =
        arith::AddIOp::create(b, d.lane, d.i32(first + 1 - columns));
    Value sum;
    for (int64_t t = 0; t < 4; ++t)
      for (int64_t c : {0, 1}) {
        Value own = ofThreads(distance, t, c);
        sum = sum ? arith::AddFOp::create(b, sum, own).getResult() : own;
      }
    return sum;
  }

  /// What the thread with `t` that has an element of the diagonal with `c` has
  /// of it; 0 if none has.
  Value ofThreads(Value distance, int64_t t, int64_t c) {
    Value x = arith::AddIOp::create(b, distance, d.i32(2 * t + c));
    Value g = arith::AndIOp::create(b, x, d.i32(7));
    Value m = arith::AddIOp::create(b, arith::ShRSIOp::create(b, x, d.i32(3)),
                                    d.i32(-least));
    Value exists =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, m, d.i32(count));
    Value word = arith::AddIOp::create(
        b, arith::MulIOp::create(b, m, d.i32(wordsOfM)),
        arith::AddIOp::create(b, arith::MulIOp::create(b, g, d.i32(4)),
                              d.i32(t + c * lanes)));
    word = arith::SelectOp::create(b, exists, word, d.i32(0));
    Value sum = LLVM::LoadOp::create(b, b.getF32Type(),
                                     d.pointerTo(d.wordsBehind(part, word)));
    return arith::SelectOp::create(b, exists, sum, d.f32(0));
  }

  void sync() { NVVM::SyncWarpOp::create(b, d.i32(-1)); }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  SumDiagonalsOp op;
  int64_t columns;
  int64_t least, count; ///< of m: the least, and how many there are
  Value part;           ///< i32: the address of the warp's part
};

} // namespace

void tile::emitSumDiagonals(Distribution &d, SumDiagonalsOp op) {
  d.parts[op.getResult()] = DiagonalSums(d, op).emit();
}
