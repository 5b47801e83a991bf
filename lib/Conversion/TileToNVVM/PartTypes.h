// What stands for tiles and rings in one thread, by their types.
#ifndef ATTN_CONVERSION_TILETONVVM_PARTTYPES_H
#define ATTN_CONVERSION_TILETONVVM_PARTTYPES_H

#include "Distribution.h"

#include "mlir/Transforms/DialectConversion.h"

namespace mlir::attn::tile {

/// Of what loops and branches carry, matrices of 16-bit elements are words of
/// two: LLVM would move elements one by one.
inline bool isCarriedInWords(Type type) {
  auto tile = dyn_cast<RankedTensorType>(type);
  return tile && tile.getRank() == 2 && tile.getElementTypeBitWidth() == 16;
}

/// As Distribution::parts has them: the elements that a thread holds, the
/// registers of a left operand, a memref, addresses; or, of those that are
/// `carried`, words.
class PartTypes : public TypeConverter {
public:
  PartTypes(const Distribution &d, bool carried);
};

} // namespace mlir::attn::tile

#endif // ATTN_CONVERSION_TILETONVVM_PARTTYPES_H
