// Elementwise work and row reductions on tiles in registers.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::tile;

/// Clones a body without its terminator and returns what it yields.
static Value cloneBody(ImplicitLocOpBuilder &b, Block &body, IRMapping &mapping,
                       ValueRange coordinates) {
  for (Operation &op : body.without_terminator()) {
    if (auto position = dyn_cast<linalg::IndexOp>(op)) {
      mapping.map(position.getResult(), coordinates[position.getDim()]);
      continue;
    }
    b.clone(op, mapping);
  }
  return mapping.lookupOrDefault(body.getTerminator()->getOperand(0));
}

LogicalResult tile::emitElementwise(Distribution &d, linalg::GenericOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getResultTypes().front());
  if (!type || op.getNumResults() != 1 || op.getNumReductionLoops() != 0)
    return op.emitOpError() << "expects one result and no reduction";
  if (op.getBody()
          ->walk([](linalg::IndexOp position) {
            return position->getBlock() == position->getParentRegion()
                           ->getParentOfType<linalg::GenericOp>()
                           .getBody()
                       ? WalkResult::advance()
                       : WalkResult::interrupt();
          })
          .wasInterrupted())
    return op.emitOpError() << "expects positions outside nested regions";

  bool isRow = type.getRank() == 1;
  int64_t columns = isRow ? 0 : type.getDimSize(1);
  Fragment result;
  for (int64_t i = 0, e = d.fragmentSize(type); i < e; ++i) {
    int64_t rowIndex = isRow ? i : d.rowIndexOf(i, columns);
    IRMapping mapping;
    for (auto [input, argument] :
         llvm::zip(op.getInputs(), op.getRegionInputArgs())) {
      auto inputType = dyn_cast<RankedTensorType>(input.getType());
      if (!inputType) {
        mapping.map(argument, input);
        continue;
      }
      const Fragment &fragment = d.fragments.find(input)->second;
      bool broadcast = !isRow && inputType.getRank() == 1;
      mapping.map(argument, fragment[broadcast ? rowIndex : i]);
    }
    SmallVector<Value> coordinates{d.row(rowIndex)};
    if (!isRow)
      coordinates.push_back(d.column(i / 4 % (columns / 8), i % 2));
    result.push_back(cloneBody(d.b, *op.getBody(), mapping, coordinates));
  }
  d.fragments[op.getResult(0)] = result;
  return success();
}

void tile::emitReduce(Distribution &d, linalg::ReduceOp op) {
  Value input = op.getInputs().front();
  int64_t columns = cast<RankedTensorType>(input.getType()).getDimSize(1);
  Fragment elements = d.fragments.lookup(input);
  Fragment init = d.fragments.lookup(op.getInits().front());
  Block &body = op.getCombiner().front();
  auto combine = [&](Value x, Value y) {
    IRMapping mapping;
    mapping.map(body.getArgument(0), x);
    mapping.map(body.getArgument(1), y);
    return cloneBody(d.b, body, mapping, {});
  };
  Fragment result;
  for (int64_t row = 0; row < 2 * d.blocks; ++row) {
    SmallVector<Value> own;
    for (auto [i, element] : llvm::enumerate(elements))
      if (d.rowIndexOf(i, columns) == row)
        own.push_back(element);
    // Pairwise, for a short chain of dependences.
    while (own.size() > 1) {
      SmallVector<Value> half;
      for (size_t i = 0; i + 1 < own.size(); i += 2)
        half.push_back(combine(own[i], own[i + 1]));
      if (own.size() % 2)
        half.push_back(own.back());
      own = half;
    }
    Value total = own.front();
    for (int64_t mask : {1, 2})
      total = combine(total, d.shuffleXor(total, mask));
    result.push_back(combine(total, init[row]));
  }
  d.fragments[op->getResult(0)] = result;
}
