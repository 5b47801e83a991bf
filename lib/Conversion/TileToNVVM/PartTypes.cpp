// See the header.
#include "PartTypes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::attn::tile;

static MemRefType bufferOf(RankedTensorType tile, PaddedAttr padded) {
  return MemRefType::get({tile.getDimSize(0), padded.getWidth()},
                         tile.getElementType(), MemRefLayoutAttrInterface(),
                         gpu::AddressSpaceAttr::get(
                             tile.getContext(), gpu::AddressSpace::Workgroup));
}

static SmallVector<Value> elementsOf(OpBuilder &builder, TypeRange elements,
                                     ValueRange words, Location loc) {
  ImplicitLocOpBuilder b(loc, builder);
  auto pair = VectorType::get({2}, elements.front());
  SmallVector<Value> result;
  for (Value word : words) {
    Value both = LLVM::BitcastOp::create(b, pair, word);
    for (int64_t i : {0, 1})
      result.push_back(vector::ExtractOp::create(b, both, i));
  }
  return result;
}

PartTypes::PartTypes(const Distribution &d, bool carried) {
  addConversion([](Type type) { return type; });
  addConversion([](RingType ring, SmallVectorImpl<Type> &parts) {
    parts.append(2, IntegerType::get(ring.getContext(), 32));
    return success();
  });
  addConversion([&d](StartedType started, SmallVectorImpl<Type> &parts) {
    RankedTensorType tile = started.getTile();
    parts.append(d.fragmentSize(tile), tile.getElementType());
    return success();
  });
  addConversion(
      [&d, carried](RankedTensorType tile, SmallVectorImpl<Type> &parts) {
        Type word = IntegerType::get(tile.getContext(), 32);
        if (auto padded = dyn_cast_if_present<PaddedAttr>(tile.getEncoding()))
          parts.push_back(bufferOf(tile, padded));
        else if (isInSlot(tile) || (isOfDiagonals(tile) && !isInLanes(tile)))
          parts.push_back(word);
        else if (isInLanes(tile))
          parts.append(d.diagonalsOfLane(tile), tile.getElementType());
        else if (isLeftOperand(tile))
          parts.append(d.leftOperandSize(tile), word);
        else if (carried && isCarriedInWords(tile))
          parts.append(d.fragmentSize(tile) / 2, word);
        else
          parts.append(d.fragmentSize(tile), tile.getElementType());
        return success();
      });
  addTargetMaterialization(elementsOf);
}
