// tile.scatter_add: numbers in registers to elements of global memory, without
// atomics, so that the same sums are made in the same order on every run.
//
// A warp adds its own rows, and no other adds to the same elements. A thread
// first adds up neighbours of one place, as long as no lane of the warp has to
// begin with another: buckets and rows have many such. What it then has, the
// lowest of the lanes with one place adds to memory for all of them: sums of
// halves where all lanes have one place, else one after the other.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// Elements that a thread reads before it writes any.
constexpr size_t elementsInFlight = 8;

class ScatterAdd {
public:
  ScatterAdd(Distribution &d, ScatterAddOp op)
      : d(d), b(d.b), op(op), offsets(op.getOffsets()) {
    if (op.getPerWarp())
      offsets.back() = arith::AddIOp::create(b, offsets.back(), warp());
  }

  void emit() {
    Fragment values = d.fragmentOf(op.getTile());
    Fragment places = d.fragmentOf(op.getPlaces());
    // The four threads of a quad hold a row alike.
    auto type = cast<RankedTensorType>(op.getTile().getType());
    if (type.getRank() == 1 && isOfRows(type))
      for (Value &value : values)
        value = arith::SelectOp::create(b, isFirstOfQuad(), value, d.f32(0));
    if (op.getDistinct())
      addEach(values, places);
    else
      addTogether(values, places);
    // Others of the warp read what was written here next.
    NVVM::SyncWarpOp::create(b, allLanes());
  }

private:
  //===--- elements of one thread -----------------------------------------===//
  void addEach(ArrayRef<Value> values, ArrayRef<Value> places) {
    for (; !values.empty();
         values = values.drop_front(std::min(values.size(), elementsInFlight)),
         places = places.drop_front(std::min(places.size(), elementsInFlight)))
      addSome(values.take_front(elementsInFlight),
              places.take_front(elementsInFlight));
  }

  /// What is not added has a place that may be anything: the first is read.
  void addSome(ArrayRef<Value> values, ArrayRef<Value> places) {
    SmallVector<Value> added, indices, sums;
    for (auto [value, place] : llvm::zip_equal(values, places)) {
      added.push_back(isNotZero(value));
      indices.push_back(
          arith::SelectOp::create(b, added.back(), toIndex(place), d.index(0)));
      sums.push_back(load(indices.back()));
    }
    for (auto [value, index, sum, isAdded] :
         llvm::zip_equal(values, indices, sums, added))
      ifTrue(isAdded, [&, value = value, index = index, sum = sum] {
        store(arith::AddFOp::create(b, sum, value), index);
      });
  }

  //===--- elements of a warp ---------------------------------------------===//
  void addTogether(ArrayRef<Value> values, ArrayRef<Value> places) {
    Value sum = values.front(), place = places.front();
    for (auto [value, next] : llvm::drop_begin(llvm::zip_equal(values, places)))
      std::tie(sum, place) = addNeighbour(sum, place, value, next);
    flush(sum, place);
  }

  /// The thread's sum and place with an element more.
  std::pair<Value, Value> addNeighbour(Value sum, Value place, Value value,
                                       Value next) {
    Value isNew = isZero(sum);
    Value same =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, place, next);
    Value fits = arith::OrIOp::create(
        b, same, arith::OrIOp::create(b, isNew, isZero(value)));
    Value all = NVVM::VoteSyncOp::create(b, b.getI1Type(), allLanes(), fits,
                                         NVVM::VoteSyncKind::all);
    auto branch = scf::IfOp::create(
        b, all,
        [&](OpBuilder &, Location) {
          Value place_ = arith::SelectOp::create(b, isNew, next, place);
          scf::YieldOp::create(
              b, ValueRange{arith::AddFOp::create(b, sum, value), place_});
        },
        [&](OpBuilder &, Location) {
          flush(sum, place);
          NVVM::SyncWarpOp::create(b, allLanes());
          scf::YieldOp::create(b, ValueRange{value, next});
        });
    return {branch.getResult(0), branch.getResult(1)};
  }

  /// Adds each lane's sum, if it is not zero, to its place.
  void flush(Value sum, Value place) {
    Value isAdded = isNotZero(sum);
    Value nowhere = arith::ConstantIntOp::create(b, -1, 64);
    Value peers = NVVM::MatchSyncOp::create(
        b, b.getI32Type(), allLanes(),
        arith::SelectOp::create(b, isAdded, place, nowhere),
        NVVM::MatchSyncKind::any);
    Value own = arith::ShLIOp::create(b, d.i32(1), d.lane);
    Value before = arith::AndIOp::create(
        b, peers, arith::SubIOp::create(b, own, d.i32(1)));
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, before, d.i32(0));
    Value adds = arith::AndIOp::create(b, isAdded, isFirst);
    Value others = arith::SelectOp::create(
        b, adds, arith::XOrIOp::create(b, peers, own), d.i32(0));
    // One place for all of them: sums of halves, not one after the other.
    Value added = NVVM::VoteSyncOp::create(b, b.getI32Type(), allLanes(),
                                           isAdded, NVVM::VoteSyncKind::ballot);
    Value isAlone =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, peers, added);
    Value areTogether = NVVM::VoteSyncOp::create(
        b, b.getI1Type(), allLanes(),
        arith::OrIOp::create(b, isZero(sum), isAlone), NVVM::VoteSyncKind::all);
    Value total =
        scf::IfOp::create(
            b, areTogether,
            [&](OpBuilder &, Location) {
              Value all = arith::SelectOp::create(b, isAdded, sum, d.f32(0));
              for (int64_t mask = 16; mask; mask /= 2)
                all = arith::AddFOp::create(b, all, d.shuffleXor(all, mask));
              scf::YieldOp::create(b, all);
            },
            [&](OpBuilder &, Location) {
              scf::YieldOp::create(b, sumOfLanes(sum, others));
            })
            .getResult(0);
    ifTrue(adds, [&] {
      Value index = toIndex(place);
      store(arith::AddFOp::create(b, load(index), total), index);
    });
  }

  /// `own` plus those of the lanes in the set `others`, the lowest first.
  Value sumOfLanes(Value own, Value others) {
    Type i32 = b.getI32Type(), f32 = b.getF32Type();
    auto some = [&](Value set) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, set, d.i32(0));
    };
    auto loop = scf::WhileOp::create(
        b, TypeRange{i32, f32}, ValueRange{others, own},
        [&](OpBuilder &, Location, ValueRange in) {
          Value any =
              NVVM::VoteSyncOp::create(b, b.getI1Type(), allLanes(),
                                       some(in[0]), NVVM::VoteSyncKind::any);
          scf::ConditionOp::create(b, any, in);
        },
        [&](OpBuilder &, Location, ValueRange in) {
          Value has = some(in[0]);
          Value source = arith::SelectOp::create(
              b, has, math::CountTrailingZerosOp::create(b, in[0]), d.lane);
          Value theirs =
              NVVM::ShflOp::create(b, f32, allLanes(), own, source, d.i32(31),
                                   NVVM::ShflKind::idx, UnitAttr());
          Value sum = arith::SelectOp::create(
              b, has, arith::AddFOp::create(b, in[1], theirs), in[1]);
          Value rest = arith::AndIOp::create(
              b, in[0], arith::SubIOp::create(b, in[0], d.i32(1)));
          scf::YieldOp::create(b, ValueRange{rest, sum});
        });
    return loop.getResult(1);
  }

  //===--- small emitters -------------------------------------------------===//
  Value allLanes() { return d.i32(-1); }

  /// index
  Value warp() {
    return arith::IndexCastOp::create(
        b, b.getIndexType(), arith::ShRUIOp::create(b, d.thread, d.i32(5)));
  }

  Value isFirstOfQuad() {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, d.quadColumn,
                                 d.i32(0));
  }

  /// NaN is not.
  Value isZero(Value x) {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, d.f32(0));
  }
  Value isNotZero(Value x) {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x, d.f32(0));
  }

  Value toIndex(Value place) {
    return arith::IndexCastOp::create(b, b.getIndexType(), place);
  }

  SmallVector<Value> at(Value index) {
    SmallVector<Value> indices(offsets);
    indices.push_back(index);
    return indices;
  }
  Value load(Value index) {
    return memref::LoadOp::create(b, op.getDest(), at(index));
  }
  void store(Value sum, Value index) {
    memref::StoreOp::create(b, sum, op.getDest(), at(index));
  }

  void ifTrue(Value condition, llvm::function_ref<void()> body) {
    auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenYield());
    body();
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  ScatterAddOp op;
  SmallVector<Value> offsets;
};

} // namespace

void tile::emitScatterAdd(Distribution &d, ScatterAddOp op) {
  ScatterAdd(d, op).emit();
}
