// tile-receive-again: in a loop over tiles registers are scarce, and shared
// memory is near. What was received before the loop and is used behind it is
// received again there.
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILERECEIVEAGAINPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// What is behind one loop in the block that has received numbers.
class BehindLoop {
public:
  /// Up to the operation `last`, or to the end of the block.
  BehindLoop(ReceiveOp received, scf::ForOp loop, Operation *last)
      : received(received), loop(loop), last(last) {}

  void receiveAgain() {
    findCounting();
    Operation *first = loop->getNextNode();
    while (counting.contains(first))
      first = first->getNextNode();
    SmallVector<OpOperand *> uses = findUses(first);
    if (uses.empty())
      return;
    ImplicitLocOpBuilder b(received.getLoc(), first);
    IRMapping again = receive(b, uses);
    for (OpOperand *use : uses)
      use->set(cast(b, use->get(), again));
  }

private:
  /// How many tiles the loop visited follows from what it has at hand: its
  /// bounds. It is what the block's end needs.
  void findCounting() {
    SmallVector<Value> needed(
        received->getBlock()->getTerminator()->getOperands());
    while (!needed.empty()) {
      Operation *definition = needed.pop_back_val().getDefiningOp();
      if (definition && definition->getBlock() == loop->getBlock() &&
          loop->isBeforeInBlock(definition) && counting.insert(definition))
        llvm::append_range(needed, definition->getOperands());
    }
  }

  SmallVector<OpOperand *> findUses(Operation *first) {
    SmallVector<OpOperand *> uses;
    for (Operation *op = first; op;
         op = op == last ? nullptr : op->getNextNode())
      if (!counting.contains(op))
        op->walk([&](Operation *inner) {
          for (OpOperand &operand : inner->getOpOperands())
            if (uncast(operand.get()).getDefiningOp() == received)
              uses.push_back(&operand);
        });
    return uses;
  }

  /// The value that `value` is but for casts before the loop.
  Value uncast(Value value) {
    while (auto cast = castBefore(value))
      value = cast.getIn();
    return value;
  }

  arith::IndexCastOp castBefore(Value value) {
    auto cast = value.getDefiningOp<arith::IndexCastOp>();
    return cast && cast->getBlock() == loop->getBlock() &&
                   cast->isBeforeInBlock(loop)
               ? cast
               : arith::IndexCastOp();
  }

  /// The numbers that are used, in their order.
  IRMapping receive(ImplicitLocOpBuilder &b, ArrayRef<OpOperand *> uses) {
    llvm::SmallPtrSet<Value, 8> used;
    for (OpOperand *use : uses)
      used.insert(uncast(use->get()));
    SmallVector<int64_t> places;
    SmallVector<Value> numbers;
    for (auto [place, number] :
         llvm::zip(received.getPlaces(), received.getNumbers()))
      if (used.contains(number)) {
        places.push_back(place);
        numbers.push_back(number);
      }
    auto op = ReceiveOp::create(b, ValueRange(numbers).getTypes(), places,
                                received.getRing(), received.getPosition(),
                                /*again=*/true, received.getAbout());
    IRMapping again;
    again.map(numbers, op.getNumbers());
    return again;
  }

  Value cast(ImplicitLocOpBuilder &b, Value value, IRMapping &again) {
    if (Value known = again.lookupOrNull(value))
      return known;
    Value from = cast(b, castBefore(value).getIn(), again);
    Value made = arith::IndexCastOp::create(b, value.getType(), from);
    again.map(value, made);
    return made;
  }

  ReceiveOp received;
  scf::ForOp loop;
  Operation *last;
  llvm::SetVector<Operation *> counting;
};

/// Itself, or in a loop inside of it.
bool readsTiles(scf::ForOp loop) {
  return loop.walk([](ReadOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

struct TileReceiveAgain
    : tile::impl::TileReceiveAgainPassBase<TileReceiveAgain> {
  using TileReceiveAgainPassBase::TileReceiveAgainPassBase;

  void runOnOperation() override {
    SmallVector<ReceiveOp> all;
    getOperation().walk([&](ReceiveOp op) {
      if (op.getAgain())
        all.push_back(op);
    });
    for (ReceiveOp received : all) {
      SmallVector<scf::ForOp> loops;
      for (auto loop : received->getBlock()->getOps<scf::ForOp>())
        if (received->isBeforeInBlock(loop) && readsTiles(loop))
          loops.push_back(loop);
      for (auto [i, loop] : llvm::enumerate(loops))
        BehindLoop(received, loop,
                   i + 1 < loops.size() ? loops[i + 1].getOperation() : nullptr)
            .receiveAgain();
    }
  }
};

} // namespace
