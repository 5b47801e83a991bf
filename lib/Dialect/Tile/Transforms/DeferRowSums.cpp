// tile-defer-row-sums: see its description in Passes.td.
#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEDEFERROWSUMSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// Whether `generic` multiplies `vector`, which nothing else in it uses,
/// element by element with something that does not depend on it.
static bool isMultipleOf(linalg::GenericOp generic, Value vector) {
  if (generic.getNumDpsInputs() != 2 || generic.getNumReductionLoops() != 0 ||
      llvm::count(generic.getInputs(), vector) != 1)
    return false;
  Block &body = *generic.getBody();
  auto product =
      body.getTerminator()->getOperand(0).getDefiningOp<arith::MulFOp>();
  if (!product || !llvm::hasSingleElement(body.without_terminator()))
    return false;
  return isa<BlockArgument>(product.getLhs()) &&
         isa<BlockArgument>(product.getRhs()) &&
         product.getLhs() != product.getRhs();
}

/// The reduction behind loop result `i` if it is a row sum of the form
/// l * factor + sum(tile) or l + sum(tile), started at zero.
static linalg::ReduceOp carriedRowSum(scf::ForOp loop, unsigned i) {
  auto sum = loop.getYieldedValues()[i].getDefiningOp<linalg::ReduceOp>();
  if (!sum || sum->getBlock() != loop.getBody() || !sum->hasOneUse() ||
      !matchPattern(loop.getInitArgs()[i], m_AnyZeroFloat()))
    return nullptr;
  Block &combiner = sum.getCombiner().front();
  if (!isa_and_nonnull<arith::AddFOp>(
          combiner.getTerminator()->getOperand(0).getDefiningOp()))
    return nullptr;
  Value carried = loop.getRegionIterArgs()[i], before = sum.getInits()[0];
  if (!carried.hasOneUse())
    return nullptr;
  if (before == carried)
    return sum;
  auto decayed = before.getDefiningOp<linalg::GenericOp>();
  return decayed && decayed->hasOneUse() && isMultipleOf(decayed, carried)
             ? sum
             : nullptr;
}

namespace {
struct TileDeferRowSums
    : tile::impl::TileDeferRowSumsPassBase<TileDeferRowSums> {
  using TileDeferRowSumsPassBase::TileDeferRowSumsPassBase;

  void runOnOperation() override {
    getOperation().walk([](scf::ForOp loop) {
      for (unsigned i = 0; i < loop.getNumResults(); ++i) {
        linalg::ReduceOp sum = carriedRowSum(loop, i);
        if (!sum)
          continue;
        OpBuilder builder(loop->getContext());
        builder.setInsertionPointAfter(loop);
        sum->setAttr(withinThreadMark, builder.getUnitAttr());
        Value partial = loop.getResult(i);
        Value total = CombineThreadsOp::create(builder, sum.getLoc(),
                                               partial.getType(), partial);
        partial.replaceAllUsesExcept(total, total.getDefiningOp());
      }
    });
  }
};
} // namespace
