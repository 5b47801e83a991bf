// See Chunks.h.
#include "Chunks.h"

#include "attn/Conversion/Shares.h"

using namespace mlir;
using namespace mlir::attn;

Chunks::Chunks(ImplicitLocOpBuilder &builder, ForwardTasks &tasks, Value slots,
               int64_t chunk)
    : TileBuilder(builder), chunk(chunk) {
  owners = tasks.count();
  // Without query tiles there are no slots either.
  slotsOfEach = arith::DivUIOp::create(
      b, slots, arith::MaxUIOp::create(b, owners, index(1)));
}

Value Chunks::lengthOf(const Visits &visits) {
  return arith::SubIOp::create(b, visits.end, visits.first);
}

Value Chunks::sizeOf(const Visits &visits) {
  Value even =
      arith::CeilDivUIOp::create(b, lengthOf(visits), index(mostChunks));
  return arith::MaxUIOp::create(b, even, index(chunk));
}

Value Chunks::countOf(const Visits &visits) {
  Value count = arith::CeilDivUIOp::create(b, lengthOf(visits), sizeOf(visits));
  return arith::MaxUIOp::create(b, count, index(1));
}
