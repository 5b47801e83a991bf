// See AttentionRules.h.
#include "AttentionRules.h"

using namespace mlir;
using namespace mlir::attn;

FailureOr<ModOp> mlir::attn::verifyModUse(Operation *op, FlatSymbolRefAttr name,
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

LogicalResult mlir::attn::verifySame(Operation *op, const Dimension &wanted,
                                     const Dimension &given) {
  if (ShapedType::isDynamic(wanted.size) || ShapedType::isDynamic(given.size) ||
      wanted.size == given.size)
    return success();
  return op->emitOpError() << "expects '" << given.operand << "' " << given.name
                           << " " << wanted.size << " like '" << wanted.operand
                           << "', got " << given.size;
}

LogicalResult mlir::attn::verifyChannels(Operation *op, const Dimension &dim) {
  if (ShapedType::isDynamic(dim.size))
    return op->emitOpError()
           << "expects '" << dim.operand << "' to have a static " << dim.name;
  if (dim.size < 1 || dim.size > 256)
    return op->emitOpError() << "expects '" << dim.operand << "' " << dim.name
                             << " from 1 to 256, got " << dim.size;
  return success();
}

/// C2 to C4, C10: the sizes of query, key, value and out.
static LogicalResult verifySizes(Operation *op, ArrayRef<int64_t> query,
                                 ArrayRef<int64_t> key, ArrayRef<int64_t> value,
                                 ArrayRef<int64_t> out, bool hasPages) {
  SmallVector<std::pair<Dimension, Dimension>> pairs = {
      {{"query", "head dimension", query[3]},
       {"key", "head dimension", key[3]}},
      {{"value", "value dimension", value[3]},
       {"out", "value dimension", out[3]}},
      {{"query", "batch size", query[0]}, {"out", "batch size", out[0]}},
      {{"key", "head count", key[1]}, {"value", "head count", value[1]}},
      {{"query", "head count", query[1]}, {"out", "head count", out[1]}},
      {{"query", "length", query[2]}, {"out", "length", out[2]}},
  };
  auto add = [&](Dimension wanted, Dimension given) {
    pairs.emplace_back(wanted, given);
  };
  if (hasPages) {
    add({"key", "page count", key[0]}, {"value", "page count", value[0]});
    add({"key", "page rows", key[2]}, {"value", "page rows", value[2]});
  } else {
    add({"key", "batch size", key[0]}, {"value", "batch size", value[0]});
    add({"key", "length", key[2]}, {"value", "length", value[2]});
  }
  for (const auto &[wanted, given] : ArrayRef(pairs).take_front(2))
    if (failed(verifyChannels(op, wanted)) || failed(verifyChannels(op, given)))
      return failure();
  for (const auto &[wanted, given] : pairs)
    if (failed(verifySame(op, wanted, given)))
      return failure();

  // C4
  int64_t heads = query[1], keyHeads = key[1];
  if (keyHeads == 0 && heads != 0)
    return op->emitOpError() << "expects 'key' to have at least one head";
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(keyHeads) &&
      keyHeads != 0 && heads % keyHeads != 0)
    return op->emitOpError()
           << "expects 'query' head count to be a multiple of 'key' head count "
           << keyHeads << ", got " << heads;
  return success();
}

LogicalResult mlir::attn::verifyTensors(Operation *op, Value query, Value key,
                                        Value value, Value out, Value pages) {
  // C1
  auto elementType = cast<RankedTensorType>(query.getType()).getElementType();
  const std::pair<StringRef, Value> tensors[] = {
      {"query", query}, {"key", key}, {"value", value}, {"out", out}};
  SmallVector<ArrayRef<int64_t>> shapes;
  for (auto [name, operand] : tensors) {
    auto tensor = cast<RankedTensorType>(operand.getType());
    if (tensor.getRank() != 4)
      return op->emitOpError() << "expects '" << name
                               << "' of rank 4, got rank " << tensor.getRank();
    if (tensor.getElementType() != elementType)
      return op->emitOpError()
             << "expects '" << name << "' elements " << elementType
             << " like 'query', got " << tensor.getElementType();
    shapes.push_back(tensor.getShape());
  }
  return verifySizes(op, shapes[0], shapes[1], shapes[2], shapes[3],
                     /*hasPages=*/!!pages);
}

LogicalResult mlir::attn::verifyRows(Operation *op, StringRef likeName,
                                     Value like, StringRef name, Value rows) {
  auto type = cast<RankedTensorType>(rows.getType());
  if (type.getRank() != 3)
    return op->emitOpError()
           << "expects '" << name << "' of rank 3, got rank " << type.getRank();
  ArrayRef<int64_t> shape = cast<RankedTensorType>(like.getType()).getShape();
  const StringRef names[] = {"batch size", "head count", "length"};
  for (int i = 0; i < 3; ++i)
    if (failed(verifySame(op, {likeName, names[i], shape[i]},
                          {name, names[i], type.getDimSize(i)})))
      return failure();
  return success();
}

Dimension mlir::attn::sequencesOf(StringRef name, Value tensor,
                                  StringRef startsName, Value starts) {
  if (!starts)
    return {name, "batch size",
            cast<RankedTensorType>(tensor.getType()).getDimSize(0)};
  int64_t size = cast<RankedTensorType>(starts.getType()).getDimSize(0);
  return {startsName, "number of sequences",
          ShapedType::isDynamic(size) ? size : size - 1};
}

LogicalResult mlir::attn::verifyStarts(Operation *op, StringRef name,
                                       Value tensor, StringRef startsName,
                                       Value starts) {
  if (!starts)
    return success();
  if (cast<RankedTensorType>(starts.getType()).getDimSize(0) == 0)
    return op->emitOpError()
           << "expects '" << startsName << "' of at least one start";
  int64_t batch = cast<RankedTensorType>(tensor.getType()).getDimSize(0);
  if (!ShapedType::isDynamic(batch) && batch != 1)
    return op->emitOpError() << "expects '" << name << "' batch size 1 with '"
                             << startsName << "', got " << batch;
  return success();
}

LogicalResult mlir::attn::verifySequences(Operation *op,
                                          const SequenceOperands &operands) {
  if (failed(verifyStarts(op, "query", operands.query, "cu_q",
                          operands.queryStarts)) ||
      failed(verifyStarts(op, "key", operands.key, "cu_k", operands.keyStarts)))
    return failure();
  Dimension sequences =
      sequencesOf("query", operands.query, "cu_q", operands.queryStarts);
  // With pages keys have a batch of those.
  if (!operands.pages &&
      failed(verifySame(
          op, sequences,
          sequencesOf("key", operands.key, "cu_k", operands.keyStarts))))
    return failure();
  if (operands.pages && operands.keyStarts)
    return op->emitOpError() << "expects 'pages' or 'cu_k', got both";
  auto hasOneEach = [&](StringRef name, Value operand, StringRef dimension) {
    auto tensor = operand ? dyn_cast<RankedTensorType>(operand.getType())
                          : RankedTensorType();
    return tensor ? verifySame(op, sequences,
                               {name, dimension, tensor.getDimSize(0)})
                  : success();
  };
  return failure(
      failed(hasOneEach("query_offset", operands.queryOffset, "size")) ||
      failed(hasOneEach("lengths", operands.lengths, "size")) ||
      failed(hasOneEach("pages", operands.pages, "batch size")));
}
