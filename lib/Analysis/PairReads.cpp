// See PairReads.h.
#include "attn/Analysis/PairReads.h"

#include "attn/Analysis/ProgramDependence.h"

using namespace mlir;
using namespace mlir::attn;

SmallVector<LoadOp> mlir::attn::findPairReads(Region &program) {
  SmallVector<LoadOp> reads;
  if (program.empty())
    return reads;
  ProgramDependence positions(program);
  auto mod = cast<ModOp>(program.getParentOp());
  for (Value leading : program.front().getArguments().drop_back(4).drop_front(
           mod.getNumCaptures()))
    positions.assume(leading, QueryPosition | KeyPosition);
  for (auto load : program.front().getOps<LoadOp>()) {
    auto any = [&](auto is) { return llvm::any_of(load.getIndices(), is); };
    bool row = any([&](Value index) { return positions.isRow(index); });
    bool column = any([&](Value index) { return positions.isColumn(index); });
    bool both = any([&](Value index) {
      return !positions.isUniform(index) && !positions.isRow(index) &&
             !positions.isColumn(index);
    });
    if (row && column && !both)
      reads.push_back(load);
  }
  return reads;
}
