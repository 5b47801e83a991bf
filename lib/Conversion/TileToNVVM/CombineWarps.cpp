// tile.combine_warps: through shared memory, each thread with those of the same
// place in other warps.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// A warp's elements lie behind each other, those of one number of all its
/// lanes together: so no two lanes meet in a bank.
class WarpCombiner {
public:
  WarpCombiner(Distribution &d, CombineWarpsOp op)
      : d(d), b(d.b), op(op), own(d.parts.lookup(op.getPartial())) {
    Value thread = arith::IndexCastOp::create(
        b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
    warp = arith::ShRUIOp::create(b, thread, d.i32(5));
    start = arith::AddIOp::create(
        b,
        arith::AddIOp::create(b, d.startOfShared(),
                              d.i32(static_cast<int64_t>(*op.getOffset()))),
        arith::MulIOp::create(b, d.lane, d.i32(wordBytes)));
  }

  /// Each reads what all have.
  Fragment forAll() {
    gpu::BarrierOp::create(b); // who still reads what was here before
    store(own, warp);
    gpu::BarrierOp::create(b);
    Fragment result = load(d.i32(0));
    for (int64_t other = 1; other < d.keyWarps; ++other)
      result = combine(result, load(d.i32(other)));
    return result;
  }

  /// The second half gives what it has to the first, until one has all. A loop,
  /// as so much code is read from memory when it runs for the first time.
  Fragment forFirst() {
    int64_t rounds = llvm::Log2_64(d.keyWarps);
    auto loop = scf::ForOp::create(b, d.i32(0), d.i32(rounds), d.i32(1), own);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Fragment mine(loop.getRegionIterArgs());
    Value half = arith::ShRUIOp::create(b, d.i32(d.keyWarps / 2),
                                        loop.getInductionVar());
    auto is = [&](arith::CmpIPredicate predicate, Value x, Value y) -> Value {
      return arith::CmpIOp::create(b, predicate, x, y);
    };
    Value twice = arith::AddIOp::create(b, half, half);
    Value gives =
        arith::AndIOp::create(b, is(arith::CmpIPredicate::uge, warp, half),
                              is(arith::CmpIPredicate::ult, warp, twice));
    gpu::BarrierOp::create(b); // who still reads what was here before
    auto giving = scf::IfOp::create(b, gives, /*withElseRegion=*/false);
    {
      OpBuilder::InsertionGuard inside(b);
      b.setInsertionPoint(giving.thenYield());
      store(mine, arith::SubIOp::create(b, warp, half));
    }
    gpu::BarrierOp::create(b);
    auto taking = scf::IfOp::create(
        b, is(arith::CmpIPredicate::ult, warp, half),
        [&](OpBuilder &, Location) {
          scf::YieldOp::create(b, combine(mine, load(warp)));
        },
        [&](OpBuilder &, Location) { scf::YieldOp::create(b, mine); });
    scf::YieldOp::create(b, taking.getResults());
    return Fragment(loop.getResults());
  }

private:
  static constexpr int64_t lanes = 32, wordBytes = 4;

  /// Of the elements of place number `place` (i32), those of this lane.
  Value pointer(Value place) {
    int64_t bytes = static_cast<int64_t>(own.size()) * lanes * wordBytes;
    return d.pointerTo(arith::AddIOp::create(
        b, start, arith::MulIOp::create(b, place, d.i32(bytes))));
  }

  void store(const Fragment &elements, Value place) {
    Value to = pointer(place);
    for (auto [i, element] : llvm::enumerate(elements))
      LLVM::StoreOp::create(b, element, at(to, i));
  }

  Fragment load(Value place) {
    Value from = pointer(place);
    Fragment elements;
    for (size_t i = 0; i < own.size(); ++i)
      elements.push_back(LLVM::LoadOp::create(b, b.getF32Type(), at(from, i)));
    return elements;
  }

  Value at(Value base, size_t i) {
    return d.advance(base, b.getF32Type(), static_cast<int64_t>(i) * lanes);
  }

  Fragment combine(const Fragment &x, const Fragment &y) {
    Fragment result;
    for (auto [left, right] : llvm::zip_equal(x, y))
      result.push_back(op.getGreatest()
                           ? Value(arith::MaxNumFOp::create(b, left, right))
                           : Value(arith::AddFOp::create(b, left, right)));
    return result;
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  CombineWarpsOp op;
  const Fragment own;
  Value warp, start; ///< i32
};

} // namespace

void tile::emitCombineWarps(Distribution &d, CombineWarpsOp op) {
  WarpCombiner combiner(d, op);
  d.parts[op.getResult()] = op.getPartial().getType().getRank() == 2
                                ? combiner.forFirst()
                                : combiner.forAll();
}
