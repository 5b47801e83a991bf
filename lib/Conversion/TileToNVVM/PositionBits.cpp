// See PositionBits.h.
#include "PositionBits.h"

#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn::tile;

PositionBits::PositionBits(Distribution &d, Block &body, int64_t columns)
    : d(d), b(d.b), body(body), columns(columns) {}

//===--- what is covered --------------------------------------------------===//

/// Whether `value` is the position of the tile's row (dim 0) or column (1).
bool PositionBits::isPosition(Value value, unsigned dim) {
  // Rows are clamped to the tensor for programs that read memory.
  if (auto clamped = value.getDefiningOp<arith::MinSIOp>(); clamped && dim == 0)
    return isPosition(clamped.getLhs(), dim) && isOfRow(clamped.getRhs());
  auto sum = value.getDefiningOp<arith::AddIOp>();
  if (!sum || !value.getType().isInteger(32))
    return false;
  auto isIndex = [&](Value x) {
    auto cast = x.getDefiningOp<arith::IndexCastOp>();
    auto index = cast ? cast.getIn().getDefiningOp<linalg::IndexOp>() : nullptr;
    return index && index.getDim() == dim;
  };
  auto isOutside = [&](Value x) {
    if (auto cast = x.getDefiningOp<arith::IndexCastOp>())
      x = cast.getIn();
    return x.getParentBlock() != &body || matchPattern(x, m_Constant());
  };
  if (attn::isPosition(sum))
    return isPosition(sum.getLhs(), dim) && isOutside(sum.getRhs());
  return (isIndex(sum.getLhs()) && isOutside(sum.getRhs())) ||
         (isIndex(sum.getRhs()) && isOutside(sum.getLhs()));
}

/// By how much `value` grows from column to column: 1 for a column's position,
/// 1 or -1 for its difference to the row's, which do not wrap; 0 for everything
/// else.
int PositionBits::columnSlope(Value value) {
  if (isPosition(value, 1))
    return 1;
  auto difference = value.getDefiningOp<arith::SubIOp>();
  if (!difference)
    return 0;
  if (isPosition(difference.getLhs(), 1) && isPosition(difference.getRhs(), 0))
    return 1;
  if (isPosition(difference.getLhs(), 0) && isPosition(difference.getRhs(), 1))
    return -1;
  return 0;
}

/// Whether all elements of a row agree on `value`.
bool PositionBits::isOfRow(Value value) {
  auto found = ofRow.find(value);
  if (found != ofRow.end())
    return found->second;
  auto decide = [&] {
    Operation *definition = value.getDefiningOp();
    if (value.getParentBlock() != &body)
      return true;
    if (!definition || definition->getNumRegions() != 0)
      return false;
    if (auto index = dyn_cast<linalg::IndexOp>(definition))
      return index.getDim() == 0;
    return llvm::all_of(definition->getOperands(),
                        [&](Value operand) { return isOfRow(operand); });
  };
  bool result = decide();
  return ofRow[value] = result;
}

/// Whether `value`, on which a row agrees, may differ from row to row.
bool PositionBits::readsRow(Value value) {
  Operation *definition = value.getDefiningOp();
  if (!definition || definition->getBlock() != &body)
    return false;
  return isa<linalg::IndexOp>(definition) ||
         llvm::any_of(definition->getOperands(),
                      [&](Value operand) { return readsRow(operand); });
}

bool PositionBits::isComparison(arith::CmpIOp op) {
  using P = arith::CmpIPredicate;
  if (!llvm::is_contained({P::slt, P::sle, P::sgt, P::sge}, op.getPredicate()))
    return false;
  return (columnSlope(op.getLhs()) && isOfRow(op.getRhs())) ||
         (columnSlope(op.getRhs()) && isOfRow(op.getLhs()));
}

bool PositionBits::covers(Value condition) {
  auto found = covered.find(condition);
  if (found != covered.end())
    return found->second;
  auto decide = [&] {
    Operation *op = condition.getDefiningOp();
    if (!op || op->getBlock() != &body || !condition.getType().isInteger(1))
      return false;
    if (auto compare = dyn_cast<arith::CmpIOp>(op))
      return isComparison(compare);
    if (!isa<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op))
      return false;
    Value lhs = op->getOperand(0), rhs = op->getOperand(1);
    bool left = covers(lhs), right = covers(rhs);
    return (left && (right || isOfRow(rhs))) || (right && isOfRow(lhs));
  };
  bool result = decide();
  return covered[condition] = result;
}

//===--- words ------------------------------------------------------------===//

Value PositionBits::test(Value condition, int64_t row, int64_t columnBlock,
                         int64_t c) {
  // What is alike for all rows needs no words: each column compares once, with
  // a constant.
  if (auto op = condition.getDefiningOp<arith::CmpIOp>()) {
    bool left = columnSlope(op.getLhs()) != 0;
    if (isPosition(left ? op.getLhs() : op.getRhs(), 1) &&
        !readsRow(left ? op.getRhs() : op.getLhs())) {
      Run &run = runs[condition];
      if (!run.count)
        run = compare(op, row);
      return arith::CmpIOp::create(
          b, run.others ? arith::CmpIPredicate::sle : arith::CmpIPredicate::sgt,
          run.count, d.i32(8 * columnBlock + c));
    }
  }
  int64_t element = 2 * columnBlock + c;
  Value word = wordsOf(condition, row)[element / 32];
  int64_t bit = static_cast<int32_t>(uint32_t(1) << element % 32);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                               arith::AndIOp::create(b, word, d.i32(bit)),
                               d.i32(0));
}

const PositionBits::Words &PositionBits::wordsOf(Value condition, int64_t row) {
  auto found = words.find({condition, row});
  if (found != words.end())
    return found->second;
  Words made = makeWords(condition, row);
  return words[{condition, row}] = std::move(made);
}

PositionBits::Words PositionBits::makeWords(Value condition, int64_t row) {
  if (!covers(condition)) { // The same for the whole row.
    Value all =
        arith::ExtSIOp::create(b, b.getI32Type(), atRow(condition, row));
    return Words(llvm::divideCeil(columns / 4, 32), all);
  }
  Operation *op = condition.getDefiningOp();
  if (auto comparison = dyn_cast<arith::CmpIOp>(op))
    return makeWords(compare(comparison, row));
  // The map may move what it holds.
  Words lhs = wordsOf(op->getOperand(0), row);
  Words rhs = wordsOf(op->getOperand(1), row), result;
  for (auto [x, y] : llvm::zip(lhs, rhs))
    if (isa<arith::AndIOp>(op))
      result.push_back(arith::AndIOp::create(b, x, y));
    else if (isa<arith::OrIOp>(op))
      result.push_back(arith::OrIOp::create(b, x, y));
    else
      result.push_back(arith::XOrIOp::create(b, x, y));
  return result;
}

/// With x the side that changes, by 1 or -1 from column to column, and r the
/// other one: x <= r holds before (from, with -1) a column whose distance from
/// the tile's first one is |x - r| or one more. Differences of i32 that are
/// known not to be negative are exact as unsigned numbers.
PositionBits::Run PositionBits::compare(arith::CmpIOp op, int64_t row) {
  using P = arith::CmpIPredicate;
  P predicate = op.getPredicate();
  Value changing = op.getLhs(), fixed = op.getRhs();
  if (!columnSlope(changing) || !isOfRow(fixed)) {
    std::swap(changing, fixed);
    predicate = predicate == P::slt   ? P::sgt
                : predicate == P::sle ? P::sge
                : predicate == P::sgt ? P::slt
                                      : P::sle;
  }
  Value x = atRow(changing, row), r = atRow(fixed, row);
  bool grows = columnSlope(changing) > 0;
  bool below = predicate == P::slt || predicate == P::sle;
  // Among the growing, the first columns are those with x < r or x <= r; among
  // the shrinking, those with x > r or x >= r. `equal`: they include x = r.
  bool first = grows == below;
  bool equal = (predicate == P::sle || predicate == P::sge) == first;
  Value count;
  if (grows) {
    if (equal)
      x = arith::SubIOp::create(b, x, d.i32(1));
    count = arith::SubIOp::create(b, arith::MaxSIOp::create(b, x, r), x);
  } else {
    if (equal)
      x = arith::AddIOp::create(b, x, d.i32(1));
    count = arith::SubIOp::create(b, arith::MaxSIOp::create(b, x, r), r);
  }
  // Up to here it may be the same for all threads, which has registers of its
  // own.
  count = arith::MinUIOp::create(b, count, d.i32(columns));
  Value own = arith::SubIOp::create(
      b, count, arith::ShLIOp::create(b, d.quadColumn, d.i32(1)));
  return {own, /*others=*/!first};
}

/// In each 8 columns the first two are the thread's.
PositionBits::Words PositionBits::makeWords(Run run) {
  Value count = arith::MaxSIOp::create(b, run.count, d.i32(0));
  Value inBlock = arith::MinUIOp::create(
      b, arith::AndIOp::create(b, count, d.i32(7)), d.i32(2));
  Value before = arith::ShLIOp::create(
      b, arith::ShRUIOp::create(b, count, d.i32(3)), d.i32(1));
  Value elements = arith::AddIOp::create(b, before, inBlock);
  Words result;
  for (int64_t first = 0; first < columns / 4; first += 32) {
    Value amount = elements;
    if (first)
      amount = arith::SubIOp::create(
          b, arith::MaxUIOp::create(b, amount, d.i32(first)), d.i32(first));
    // Unlike LLVM's, PTX's shift is defined for 32 and more: it gives zero.
    Value rest =
        LLVM::InlineAsmOp::create(
            b, b.getI32Type(), ValueRange{d.i32(-1), amount},
            "shl.b32 $0, $1, $2;", "=r,r,r", /*has_side_effects=*/false,
            /*is_align_stack=*/false, LLVM::TailCallKind::None,
            LLVM::AsmDialectAttr(), ArrayAttr())
            .getResult(0);
    result.push_back(run.others ? rest
                                : arith::XOrIOp::create(b, rest, d.i32(-1)));
  }
  return result;
}

/// `value` for a row, and the tile's first column.
Value PositionBits::atRow(Value value, int64_t row) {
  IRMapping &mapping = rows[row];
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *definition = value.getDefiningOp();
  if (!definition || definition->getBlock() != &body)
    return value;
  if (auto index = dyn_cast<linalg::IndexOp>(definition)) {
    Value at = index.getDim() == 0 ? d.row(row) : d.index(0);
    mapping.map(value, at);
    return at;
  }
  for (Value operand : definition->getOperands())
    mapping.map(operand, atRow(operand, row));
  b.clone(*definition, mapping);
  return mapping.lookup(value);
}
