// Finds loads of a mod that are out of bounds for some index of a problem: its
// programs are evaluated at the corners of the index space, where an index that
// grows or falls with each position has its extremes. What is found is a
// witness, never a guess; an index that itself comes from a table is not known
// here.
#include "../Launch/CaptureViews.h"
#include "ModImpl.h"

#include "attn/Support/Try.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

#include <cstring>

using namespace attn;

namespace {
/// Evaluates a program with the values that are known.
class Evaluation {
public:
  Evaluation(const std::vector<CaptureView> &captures, mlir::Region &program)
      : captures(captures), program(program) {}

  void set(mlir::Value value, int64_t number) {
    known[value] = mlir::IntegerAttr::get(value.getType(), number);
  }
  void set(mlir::Value value, mlir::Attribute attribute) {
    known[value] = attribute;
  }
  /// Success unless a load is out of bounds; the diagnostic is at the load.
  mlir::LogicalResult run(mlir::Block &block);

private:
  mlir::LogicalResult checkLoad(mlir::attn::LoadOp load);
  mlir::LogicalResult runIf(mlir::scf::IfOp branch);
  void fold(mlir::Operation &op);

  const std::vector<CaptureView> &captures;
  mlir::Region &program;
  llvm::DenseMap<mlir::Value, mlir::Attribute> known;
};
} // namespace

mlir::LogicalResult Evaluation::checkLoad(mlir::attn::LoadOp load) {
  auto table = mlir::dyn_cast<mlir::BlockArgument>(load.getTable());
  if (!table || table.getOwner() != &program.front())
    return mlir::success();
  const CaptureView &view = captures[table.getArgNumber()];
  for (auto [i, index] : llvm::enumerate(load.getIndices())) {
    auto number =
        mlir::dyn_cast_or_null<mlir::IntegerAttr>(known.lookup(index));
    if (!number)
      continue;
    int64_t position = number.getInt(), size = view.sizes[i];
    if (position < 0 || position >= size)
      return load.emitOpError()
             << "reads index " << position << " of dimension " << i
             << ", which has " << size << " elements";
  }
  return mlir::success();
}

mlir::LogicalResult Evaluation::runIf(mlir::scf::IfOp branch) {
  auto condition = mlir::dyn_cast_or_null<mlir::IntegerAttr>(
      known.lookup(branch.getCondition()));
  if (!condition)
    return mlir::success();
  mlir::Region &taken = condition.getValue().isZero() ? branch.getElseRegion()
                                                      : branch.getThenRegion();
  if (taken.empty())
    return mlir::success();
  if (mlir::failed(run(taken.front())))
    return mlir::failure();
  for (auto [result, value] : llvm::zip(
           branch.getResults(), taken.front().getTerminator()->getOperands()))
    known[result] = known.lookup(value);
  return mlir::success();
}

void Evaluation::fold(mlir::Operation &op) {
  llvm::SmallVector<mlir::Attribute> operands;
  for (mlir::Value operand : op.getOperands())
    operands.push_back(known.lookup(operand));
  llvm::SmallVector<mlir::OpFoldResult> results;
  // The clone: folding may change an operation in place.
  mlir::Operation *copy = op.clone();
  if (mlir::succeeded(copy->fold(operands, results)))
    for (auto [value, result] : llvm::zip(op.getResults(), results))
      known[value] = mlir::isa<mlir::Attribute>(result)
                         ? mlir::cast<mlir::Attribute>(result)
                         : known.lookup(mlir::cast<mlir::Value>(result));
  copy->destroy();
}

mlir::LogicalResult Evaluation::run(mlir::Block &block) {
  for (mlir::Operation &op : block.without_terminator()) {
    if (auto load = mlir::dyn_cast<mlir::attn::LoadOp>(op)) {
      if (mlir::failed(checkLoad(load)))
        return mlir::failure();
    } else if (auto branch = mlir::dyn_cast<mlir::scf::IfOp>(op)) {
      if (mlir::failed(runIf(branch)))
        return mlir::failure();
    } else {
      fold(op);
    }
  }
  return mlir::success();
}

/// A captured scalar as a constant of its type; null for a tensor.
static mlir::Attribute scalarOf(mlir::Type type, const CaptureView &view) {
  if (!type.isIntOrFloat() || !view.data)
    return {};
  if (type.isInteger(1)) // a byte in memory
    return mlir::BoolAttr::get(type.getContext(),
                               *static_cast<const uint8_t *>(view.data) != 0);
  unsigned width = type.getIntOrFloatBitWidth();
  uint64_t bits = 0;
  std::memcpy(&bits, view.data, width / 8);
  llvm::APInt number(width, bits);
  if (auto real = mlir::dyn_cast<mlir::FloatType>(type))
    return mlir::FloatAttr::get(
        type, llvm::APFloat(real.getFloatSemantics(), number));
  return mlir::IntegerAttr::get(type, number);
}

/// Evaluates `program` at every combination of least and greatest positions.
static mlir::LogicalResult
checkProgram(mlir::Region &program, const ProblemSizes &sizes,
             const std::vector<CaptureView> &captures) {
  if (program.empty())
    return mlir::success();
  mlir::Block &body = program.front();
  size_t first = body.getNumArguments() - 4;
  const int64_t ends[] = {sizes.batch, sizes.heads, sizes.queries, sizes.keys};
  for (unsigned corner = 0; corner < 16; ++corner) {
    Evaluation evaluation(captures, program);
    for (size_t i = 0; i < captures.size(); ++i)
      if (mlir::Attribute number =
              scalarOf(body.getArgument(i).getType(), captures[i]))
        evaluation.set(body.getArgument(i), number);
    for (unsigned i = 0; i < 4; ++i)
      evaluation.set(body.getArgument(first + i),
                     corner >> i & 1 ? ends[i] - 1 : 0);
    if (mlir::failed(evaluation.run(body)))
      return mlir::failure();
  }
  return mlir::success();
}

Result<void> Mod::check(const ProblemSizes &sizes,
                        const std::vector<CaptureView> &views) const {
  ATTN_TRY(checkCaptures(pimpl->captures, views));
  // Without a pair of positions no program is evaluated.
  if (sizes.batch < 1 || sizes.heads < 1 || sizes.queries < 1 || sizes.keys < 1)
    return {};
  std::lock_guard<std::mutex> lock(pimpl->mutex);
  return pimpl->collect("reads out of bounds", [&] {
    mlir::attn::ModOp entry = pimpl->standalone();
    return mlir::failure(
        mlir::failed(checkProgram(entry.getScore(), sizes, views)) ||
        mlir::failed(checkProgram(entry.getMask(), sizes, views)));
  });
}
