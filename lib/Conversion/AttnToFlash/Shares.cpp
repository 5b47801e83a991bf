// See Shares.h.
#include "Shares.h"

#include "attn/Conversion/Shares.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <limits>

using namespace mlir;
using namespace mlir::attn;

Value mlir::attn::countShares(ImplicitLocOpBuilder &builder,
                              Value partialSums) {
  Value slots = memref::DimOp::create(builder, partialSums, 0);
  Value two = arith::ConstantIndexOp::create(builder, 2);
  return arith::DivUIOp::create(builder, slots, two);
}

Value mlir::attn::slotOfShare(TileBuilder &builder, Value share,
                              Value isFirst) {
  ImplicitLocOpBuilder &b = builder.b;
  Value first = arith::IndexCastUIOp::create(b, b.getIndexType(), isFirst);
  return arith::AddIOp::create(
      b, arith::MulIOp::create(b, share, builder.index(2)), first);
}

Value mlir::attn::countsAreOfShares(TileBuilder &builder, ForwardTasks &tasks,
                                    const FlashOperands &operands) {
  Value count = countShares(builder.b, operands.partialSums);
  return arith::CmpIOp::create(builder.b, arith::CmpIPredicate::ult, count,
                               tasks.count());
}

Shares::Shares(ImplicitLocOpBuilder &builder, ForwardTasks &tasks, Value count)
    : TileBuilder(builder), tasks(tasks) {
  total = find(index(std::numeric_limits<int64_t>::max())).start;
  Value most = arith::DivUIOp::create(b, total, index(leastShare));
  number = arith::MinUIOp::create(b, count,
                                  arith::MaxUIOp::create(b, most, index(1)));
}

Shares::Task Shares::find(Value position) {
  // Dimensions from the outermost one on, of which the mask reads the last one.
  Value runs = tasks.tiles, repeat = index(1);
  for (auto [size, isRead] :
       {std::pair(tasks.batches, tasks.readsBatch() || tasks.readsHead()),
        std::pair(tasks.heads, tasks.readsHead())}) {
    Value &dimensions = isRead ? runs : repeat;
    dimensions = arith::MulIOp::create(b, dimensions, size);
  }
  auto find = tile::FindTaskOp::create(
      b, position, runs, repeat, [&](OpBuilder &, Value run) {
        TaskPlace at{index(0), index(0), run};
        if (tasks.readsHead()) {
          at.head = arith::RemUIOp::create(b, at.tile, tasks.heads);
          at.tile = arith::DivUIOp::create(b, at.tile, tasks.heads);
        }
        if (tasks.readsHead() || tasks.readsBatch()) {
          at.batch = arith::RemUIOp::create(b, at.tile, tasks.batches);
          at.tile = arith::DivUIOp::create(b, at.tile, tasks.batches);
        }
        return lengthOf(*tasks.visits(at.batch, at.head, at.tile));
      });
  return {find.getTask(), find.getStart()};
}

Value Shares::begin(Value share) {
  Value first =
      arith::MulIOp::create(b, arith::MinUIOp::create(b, share, number), total);
  return arith::DivUIOp::create(b, first, number);
}

/// The last one that begins before the next position: i * total / number is
/// at most a position where i * total is less than (position + 1) * number.
Value Shares::shareOf(Value position) {
  Value next = arith::AddIOp::create(b, position, index(1));
  Value end = arith::MulIOp::create(b, next, number);
  return arith::DivUIOp::create(b, arith::SubIOp::create(b, end, index(1)),
                                total);
}

Value Shares::lengthOf(const Visits &visits) {
  Value count = arith::SubIOp::create(b, visits.end, visits.first);
  return arith::AddIOp::create(b, count, index(1));
}
