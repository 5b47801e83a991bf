// tile-inspect-apart: whether a tile is finite is a question that a warp
// without other work can answer, for all who compute. The program stays one
// program: it sends the answer where the tile is there, and receives it where
// it asked.
#include "Rings.h"

#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEINSPECTAPARTPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// The operation of the block of `read` that asks: the question itself, or a
/// branch which does under its condition; null where it is anything else.
static Operation *askerOf(HasNonfiniteOp question, ReadOp read) {
  if (question->getBlock() == read->getBlock())
    return question;
  auto branch = dyn_cast<scf::IfOp>(question->getParentOp());
  return branch && branch->getBlock() == read->getBlock() &&
                 question->getBlock() == branch.thenBlock()
             ? branch
             : nullptr;
}

/// What the inspecting warp finds: where nobody asks it does not look.
static Value find(ImplicitLocOpBuilder &b, ReadOp read, Operation *asker) {
  auto branch = dyn_cast<scf::IfOp>(asker);
  Value asked = branch ? branch.getCondition()
                       : Value(arith::ConstantIntOp::create(b, 1, 1));
  auto look = scf::IfOp::create(
      b, asked,
      [&](OpBuilder &nested, Location loc) {
        Value found = HasNonfiniteOp::create(nested, loc, nested.getI1Type(),
                                             read.getResult());
        scf::YieldOp::create(nested, loc, found);
      },
      [&](OpBuilder &nested, Location loc) {
        Value no = arith::ConstantIntOp::create(nested, loc, 0, 1);
        scf::YieldOp::create(nested, loc, no);
      });
  return look.getResult(0);
}

static void inspectApart(gpu::GPUFuncOp func, HasNonfiniteOp question,
                         ReadOp read, Operation *asker) {
  int64_t stages = cast<RingType>(read.getRing().getType()).getStages();
  Value answers = addRingOfNumbers(func, stages, /*numbers=*/1);
  ImplicitLocOpBuilder b(question.getLoc(), asker);
  SendOp::create(b, find(b, read, asker), read.getResult(), answers,
                 read.getPosition());
  b.setInsertionPoint(question);
  auto answer = ReceiveOp::create(b, b.getI1Type(), ArrayRef<int64_t>{0},
                                  answers, read.getPosition(),
                                  /*again=*/false, /*about=*/read.getResult());
  question.replaceAllUsesWith(answer.getResult(0));
  question.erase();
}

namespace {
struct TileInspectApart
    : tile::impl::TileInspectApartPassBase<TileInspectApart> {
  using TileInspectApartPassBase::TileInspectApartPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    SmallVector<HasNonfiniteOp> questions;
    func.walk([&](HasNonfiniteOp question) {
      auto read = question.getTile().getDefiningOp<ReadOp>();
      if (read && isa<scf::ForOp>(read->getParentOp()))
        questions.push_back(question);
    });
    for (HasNonfiniteOp question : questions) {
      auto read = question.getTile().getDefiningOp<ReadOp>();
      Operation *asker = askerOf(question, read);
      if (!asker) {
        question.emitOpError()
            << "expects to be asked beside the tile's read, or in a branch";
        return signalPassFailure();
      }
      inspectApart(func, question, read, asker);
    }
  }
};
} // namespace
