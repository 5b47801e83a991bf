// The operations of the attn dialect other than the text and the rules of
// attn.mod (ModOp.cpp) and the canonicalisations (AttnFolds.cpp).
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

#define GET_OP_CLASSES
#include "attn/Dialect/Attn/IR/AttnOps.cpp.inc"

//===----------------------------------------------------------------------===//
// LoadOp
//===----------------------------------------------------------------------===//

LogicalResult LoadOp::verify() {
  auto table = cast<RankedTensorType>(getTable().getType());
  // C1
  if (static_cast<int64_t>(getIndices().size()) != table.getRank())
    return emitOpError() << "expects " << table.getRank()
                         << " indices for a table of rank " << table.getRank()
                         << ", got " << getIndices().size();
  // C2
  for (auto [index, size] : llvm::zip_equal(getIndices(), table.getShape())) {
    APInt value;
    if (!matchPattern(index, m_ConstantInt(&value)))
      continue;
    if (value.isNegative())
      return emitOpError() << "expects an index of at least 0, got "
                           << value.getSExtValue();
    if (!ShapedType::isDynamic(size) && value.getSExtValue() >= size)
      return emitOpError() << "expects an index below " << size << ", got "
                           << value.getSExtValue();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The users of a mod
//===----------------------------------------------------------------------===//

/// The mod that `name` means at `op`; an error of `op` if there is none, or if
/// it does not capture values of the types of `captures`.
static FailureOr<ModOp> verifyModUse(Operation *op, FlatSymbolRefAttr name,
                                     ValueRange captures,
                                     SymbolTableCollection &symbols) {
  auto mod = symbols.lookupNearestSymbolFrom<ModOp>(op, name);
  if (!mod)
    return op->emitOpError() << "expects '@" << name.getValue()
                             << "' to be an attn.mod of this module";
  if (mod.getNumCaptures() != captures.size())
    return op->emitOpError()
           << "expects " << mod.getNumCaptures() << " captures for '@"
           << name.getValue() << "', got " << captures.size();
  for (auto [i, wanted, given] : llvm::enumerate(
           mod.getCaptureTypes().getAsValueRange<TypeAttr>(), captures)) {
    // A tensor of known sizes may stand where a mod expects any size.
    auto wantedTensor = dyn_cast<RankedTensorType>(wanted);
    auto givenTensor = dyn_cast<RankedTensorType>(given.getType());
    bool matches =
        wantedTensor && givenTensor
            ? wantedTensor.getElementType() == givenTensor.getElementType() &&
                  succeeded(verifyCompatibleShape(wantedTensor, givenTensor))
            : wanted == given.getType();
    if (!matches)
      return op->emitOpError()
             << "expects capture '"
             << cast<StringAttr>(mod.getCaptureNames()[i]).getValue()
             << "' of '@" << name.getValue() << "' to be " << wanted << ", got "
             << given.getType();
  }
  return mod;
}

LogicalResult ApplyScoreOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyModUse(*this, getModAttr(), getCaptures(), symbols);
}

LogicalResult ApplyMaskOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyModUse(*this, getModAttr(), getCaptures(), symbols);
}

//===----------------------------------------------------------------------===//
// AttentionOp
//===----------------------------------------------------------------------===//

float AttentionOp::getScaleValue() {
  if (std::optional<APFloat> scale = getScale())
    return scale->convertToFloat();
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(getHeadDim())));
}

ModOp AttentionOp::lookupMod() {
  if (!getModAttr())
    return nullptr;
  return SymbolTable::lookupNearestSymbolFrom<ModOp>(*this, getModAttr());
}

// C6
LogicalResult AttentionOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getModAttr())
    return success();
  return verifyModUse(*this, getModAttr(), getCaptures(), symbols);
}

namespace {
/// One dimension of one operand or result, as diagnostics call it.
struct Dimension {
  StringRef operand;
  StringRef name;
  int64_t size;
};
} // namespace

/// Sizes differ if both are known and are not the same.
static LogicalResult verifySame(AttentionOp op, const Dimension &wanted,
                                const Dimension &given) {
  if (ShapedType::isDynamic(wanted.size) || ShapedType::isDynamic(given.size) ||
      wanted.size == given.size)
    return success();
  return op.emitOpError() << "expects '" << given.operand << "' " << given.name
                          << " " << wanted.size << " like '" << wanted.operand
                          << "', got " << given.size;
}

/// C2: a static channel dimension from 1 to 256.
static LogicalResult verifyChannels(AttentionOp op, const Dimension &dim) {
  if (ShapedType::isDynamic(dim.size))
    return op.emitOpError()
           << "expects '" << dim.operand << "' to have a static " << dim.name;
  if (dim.size < 1 || dim.size > 256)
    return op.emitOpError() << "expects '" << dim.operand << "' " << dim.name
                            << " from 1 to 256, got " << dim.size;
  return success();
}

/// C2 to C4: the sizes of query, key, value and out.
static LogicalResult verifySizes(AttentionOp op, ArrayRef<int64_t> query,
                                 ArrayRef<int64_t> key, ArrayRef<int64_t> value,
                                 ArrayRef<int64_t> out) {
  const Dimension pairs[][2] = {
      {{"query", "head dimension", query[3]},
       {"key", "head dimension", key[3]}},
      {{"value", "value dimension", value[3]},
       {"out", "value dimension", out[3]}},
      {{"query", "batch size", query[0]}, {"key", "batch size", key[0]}},
      {{"query", "batch size", query[0]}, {"value", "batch size", value[0]}},
      {{"query", "batch size", query[0]}, {"out", "batch size", out[0]}},
      {{"key", "head count", key[1]}, {"value", "head count", value[1]}},
      {{"key", "length", key[2]}, {"value", "length", value[2]}},
      {{"query", "head count", query[1]}, {"out", "head count", out[1]}},
      {{"query", "length", query[2]}, {"out", "length", out[2]}},
  };
  for (const auto &[wanted, given] : ArrayRef(pairs).take_front(2))
    if (failed(verifyChannels(op, wanted)) || failed(verifyChannels(op, given)))
      return failure();
  for (const auto &[wanted, given] : pairs)
    if (failed(verifySame(op, wanted, given)))
      return failure();

  // C4
  int64_t heads = query[1], keyHeads = key[1];
  if (keyHeads == 0 && heads != 0)
    return op.emitOpError() << "expects 'key' to have at least one head";
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(keyHeads) &&
      keyHeads != 0 && heads % keyHeads != 0)
    return op.emitOpError()
           << "expects 'query' head count to be a multiple of 'key' head count "
           << keyHeads << ", got " << heads;
  return success();
}

LogicalResult AttentionOp::verify() {
  // C1
  const std::pair<StringRef, Type> tensors[] = {{"query", getQuery().getType()},
                                                {"key", getKey().getType()},
                                                {"value", getValue().getType()},
                                                {"out", getOut().getType()}};
  SmallVector<ArrayRef<int64_t>> shapes;
  for (auto [name, type] : tensors) {
    auto tensor = cast<RankedTensorType>(type);
    if (tensor.getRank() != 4)
      return emitOpError() << "expects '" << name << "' of rank 4, got rank "
                           << tensor.getRank();
    if (tensor.getElementType() != getElementType())
      return emitOpError() << "expects '" << name << "' elements "
                           << getElementType() << " like 'query', got "
                           << tensor.getElementType();
    shapes.push_back(tensor.getShape());
  }
  if (failed(verifySizes(*this, shapes[0], shapes[1], shapes[2], shapes[3])))
    return failure();

  // C5
  if (getLse()) {
    auto lse = cast<RankedTensorType>(getLse().getType());
    if (lse.getRank() != 3)
      return emitOpError() << "expects 'lse' of rank 3, got rank "
                           << lse.getRank();
    const StringRef names[] = {"batch size", "head count", "length"};
    for (int i = 0; i < 3; ++i)
      if (failed(verifySame(*this, {"query", names[i], shapes[0][i]},
                            {"lse", names[i], lse.getDimSize(i)})))
        return failure();
  }

  // C7
  if (getQueryOffset())
    if (auto offsets = dyn_cast<RankedTensorType>(getQueryOffset().getType()))
      if (failed(verifySame(*this, {"query", "batch size", shapes[0][0]},
                            {"query_offset", "size", offsets.getDimSize(0)})))
        return failure();

  if (!getModAttr() && !getCaptures().empty())
    return emitOpError() << "expects no captures without a mod, got "
                         << getCaptures().size();
  return success();
}
