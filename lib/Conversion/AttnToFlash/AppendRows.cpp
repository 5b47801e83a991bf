// See AppendRows.h. Positions are index: a length is any i32.
#include "AppendRows.h"

#include "KernelMemory.h"
#include "RowPieces.h"
#include "ThreadKernel.h"

#include "attn/Conversion/ThreadKernels.h"
#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

using Predicate = arith::CmpIPredicate;

namespace {
class AppendRows : TileBuilder {
public:
  AppendRows(ImplicitLocOpBuilder &builder, func::FuncOp kernel)
      : TileBuilder(builder), newKey(parameterOf(kernel, Role::NewKey)),
        newValue(parameterOf(kernel, Role::NewValue)),
        key(parameterOf(kernel, Role::Key)),
        value(parameterOf(kernel, Role::Value)),
        lengths(parameterOf(kernel, Role::Lengths)),
        starts(parameterOf(kernel, Role::KeyStarts)),
        pages(parameterOf(kernel, Role::Pages)) {}

  void build() {
    auto type = cast<MemRefType>(key.getType());
    int64_t width = 8 * appendedBytes / type.getElementTypeBitWidth();
    auto piecesOf = [&](Value memory) {
      auto shape = cast<MemRefType>(memory.getType()).getShape();
      return countPieces(shape.back(), width);
    };
    RowPieces keys(b, {newKey, key}, width),
        values(b, {newValue, value}, width);
    Value batch = dim(newKey, 0);
    if (starts) // none without sequences
      batch = min(batch, sub(dim(starts, 0), index(1)));
    int64_t pieces = std::max(piecesOf(key), piecesOf(value));
    forEachThread(
        b, {batch, dim(newKey, 2), dim(newKey, 1), index(pieces)},
        [&](ValueRange at) {
          Value from[] = {at[0], at[2], at[1]};
          withPlace(from, [&](ValueRange to) {
            auto copy = [&](RowPieces &rows, Value source, Value target) {
              onlyIf(is(Predicate::ult, at[3], index(piecesOf(target))),
                     [&] { rows.copy(source, from, target, to, at[3]); });
            };
            copy(keys, newKey, key);
            copy(values, newValue, value);
          });
        });
  }

private:
  using WithPlace = llvm::function_ref<void(ValueRange)>;

  /// Emits `body` for where the new row `from` goes, if it goes anywhere.
  void withPlace(ArrayRef<Value> from, WithPlace body) {
    Value sequence = from[0], number = from[2];
    if (!starts)
      return withPosition(sequence, from[1], number, body);
    sequence = sequenceOf(number);
    Value first = startOf(sequence), end = startOf(add(sequence, index(1)));
    Value isOwn = both(is(Predicate::sle, first, number),
                       is(Predicate::slt, number, end));
    onlyIf(isOwn, [&] {
      // One in front of the tensor counts as its beginning.
      Value own = sub(number, max(first, index(0)));
      withPosition(sequence, from[1], own, body);
    });
  }

  /// Of row `number` of a sequence.
  void withPosition(Value sequence, Value head, Value number, WithPlace body) {
    Value length = toIndex(memref::LoadOp::create(b, lengths, sequence));
    Value position = add(max(length, index(0)), number);
    Value rows = dim(key, 2);
    Value room = pages ? mul(dim(pages, 1), rows) : rows;
    onlyIf(is(Predicate::slt, position, room), [&] {
      if (!pages)
        return body({sequence, head, position});
      Value entry = memref::LoadOp::create(
          b, pages,
          ValueRange{sequence, arith::DivUIOp::create(b, position, rows)});
      // Below zero is far beyond.
      Value page = toIndex(entry);
      onlyIf(is(Predicate::ult, page, dim(key, 0)), [&] {
        body({page, head, arith::RemUIOp::create(b, position, rows)});
      });
    });
  }

  Value startOf(Value sequence) {
    return toIndex(memref::LoadOp::create(b, starts, sequence));
  }

  /// The last sequence that starts at `row` or before, by bisection; the first
  /// if there is none.
  Value sequenceOf(Value row) {
    auto in = [&](llvm::function_ref<void(ValueRange)> body) {
      return [&, body](OpBuilder &nested, Location, ValueRange args) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(nested.getInsertionBlock());
        body(args);
      };
    };
    Type type = b.getIndexType();
    auto search = scf::WhileOp::create(
        b, TypeRange{type, type},
        ValueRange{index(0), sub(dim(starts, 0), index(1))},
        in([&](ValueRange bounds) {
          Value open = is(Predicate::sgt, sub(bounds[1], bounds[0]), index(1));
          scf::ConditionOp::create(b, open, bounds);
        }),
        in([&](ValueRange bounds) {
          Value middle =
              arith::DivUIOp::create(b, add(bounds[0], bounds[1]), index(2));
          Value behind = is(Predicate::sle, startOf(middle), row);
          Value low = arith::SelectOp::create(b, behind, middle, bounds[0]);
          Value high = arith::SelectOp::create(b, behind, bounds[1], middle);
          scf::YieldOp::create(b, ValueRange{low, high});
        }));
    return search.getResult(0);
  }

  Value dim(Value memory, int64_t i) {
    return memref::DimOp::create(b, memory, i);
  }
  Value is(Predicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(b, predicate, x, y);
  }
  Value both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  Value min(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
  Value max(Value x, Value y) { return arith::MaxSIOp::create(b, x, y); }

  Value newKey, newValue, key, value, lengths;
  Value starts, pages; ///< null without
};
} // namespace

static ParameterList parametersOf(AppendOp op) {
  ParameterList parameters;
  for (auto [role, tensor] : {std::pair(Role::NewKey, op.getNewKey()),
                              std::pair(Role::NewValue, op.getNewValue()),
                              std::pair(Role::Key, op.getKey()),
                              std::pair(Role::Value, op.getValue())})
    parameters.add(role, stridedMemoryType(tensor.getType()));
  parameters.add(Role::Lengths,
                 contiguousMemoryType(op.getLengths().getType()));
  if (op.getStarts())
    parameters.add(Role::KeyStarts,
                   contiguousMemoryType(op.getStarts().getType()));
  if (op.getPages())
    parameters.add(Role::Pages, pageTableType(op.getContext()));
  return parameters;
}

void mlir::attn::buildAppendRows(AppendOp op) {
  func::FuncOp kernel = createThreadKernel(op, parametersOf(op));
  auto b =
      ImplicitLocOpBuilder::atBlockEnd(op.getLoc(), &kernel.getBody().front());
  AppendRows(b, kernel).build();
  func::ReturnOp::create(b);
}
