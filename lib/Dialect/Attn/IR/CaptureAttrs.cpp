// See CaptureAttrs.h.
#include "CaptureAttrs.h"

#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/SizeExpression.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mlir::attn;

static StringRef captureName(ModOp mod, unsigned i) {
  return cast<StringAttr>(mod.getCaptureNames()[i]).getValue();
}
static Type captureType(ModOp mod, unsigned i) {
  return cast<TypeAttr>(mod.getCaptureTypes()[i]).getValue();
}

/// One entry for each dimension, a size or an expression of sizes.
static LogicalResult verifyShape(ModOp op, unsigned i, Attribute shape) {
  StringRef name = captureName(op, i);
  Type type = captureType(op, i);
  auto tensor = dyn_cast<RankedTensorType>(type);
  auto entries = dyn_cast<ArrayAttr>(shape);
  if (!tensor || !entries ||
      static_cast<int64_t>(entries.size()) != tensor.getRank())
    return op.emitOpError() << "expects 'attn.shape' of capture '" << name
                            << "' to have one entry for each dimension of "
                            << type << ", got " << shape;
  for (auto [entry, dim] : llvm::zip_equal(entries, tensor.getShape())) {
    auto size = dyn_cast<IntegerAttr>(entry);
    if (size && size.getValue().isStrictlyPositive()) {
      if (ShapedType::isDynamic(dim) || size.getInt() == dim)
        continue;
      return op.emitOpError() << "expects 'attn.shape' of capture '" << name
                              << "' to agree with " << type << ", got " << size;
    }
    auto text = dyn_cast<StringAttr>(entry);
    std::string error;
    if (text && SizeExpression::parse(text.getValue(), error))
      continue;
    InFlightDiagnostic diagnostic =
        op.emitOpError() << "expects 'attn.shape' of capture '" << name
                         << "' to hold positive sizes, or expressions of "
                         << llvm::join(ArrayRef(sizeNames), ", ") << ", got "
                         << entry;
    if (text)
      diagnostic << ": " << error;
    return diagnostic;
  }
  return success();
}

/// A scalar's data is its value or an expression of sizes, a tensor's what
/// fills it; a scalar may have that, too.
static LogicalResult verifyData(ModOp op, unsigned i, Attribute data) {
  StringRef name = captureName(op, i);
  Type type = captureType(op, i);
  if (isa<FlatSymbolRefAttr>(data))
    return success();
  bool isTensor = isa<RankedTensorType>(type);
  auto text = dyn_cast<StringAttr>(data);
  std::string error;
  if (!isTensor && text) {
    if (SizeExpression::parse(text.getValue(), error))
      return success();
  } else if (!isTensor && isa<TypedAttr>(data) &&
             cast<TypedAttr>(data).getType() == type) {
    return success();
  }
  InFlightDiagnostic diagnostic = op.emitOpError()
                                  << "expects 'attn.data' of capture '" << name
                                  << "' to be ";
  if (isTensor)
    diagnostic << "the symbol of an attn.fill or a function";
  else
    diagnostic << "a value of type " << type
               << ", an expression of sizes or the symbol of an attn.fill";
  diagnostic << ", got " << data;
  if (!error.empty())
    diagnostic << ": " << error;
  return diagnostic;
}

LogicalResult mlir::attn::verifyCaptureAttrs(ModOp mod, unsigned i) {
  DictionaryAttr attrs = mod.getCaptureAttrs(i);
  if (!attrs)
    return success();
  Attribute shape = attrs.get("attn.shape"), data = attrs.get("attn.data");
  if (shape && failed(verifyShape(mod, i, shape)))
    return failure();
  if (data && failed(verifyData(mod, i, data)))
    return failure();
  if (data && !shape && isa<RankedTensorType>(captureType(mod, i)))
    return mod.emitOpError() << "expects 'attn.shape' of capture '"
                             << captureName(mod, i) << "', whose data is made";
  return success();
}

/// A fill has an index for each dimension, and makes elements of the tensor.
static LogicalResult verifyFill(ModOp op, unsigned i, FillOp fill) {
  Type type = captureType(op, i), element = type;
  int64_t rank = 0;
  if (auto tensor = dyn_cast<RankedTensorType>(type)) {
    rank = tensor.getRank();
    element = tensor.getElementType();
  }
  if (fill.getBody().getNumArguments() != rank)
    return op.emitOpError()
           << "expects 'attn.data' of capture '" << captureName(op, i)
           << "' to name an attn.fill with " << rank << " indices, got "
           << fill.getBody().getNumArguments();
  if (fill.getElementType() != element)
    return op.emitOpError()
           << "expects 'attn.data' of capture '" << captureName(op, i)
           << "' to name an attn.fill of " << element << ", got "
           << fill.getElementType();
  return success();
}

LogicalResult mlir::attn::verifyCaptureSymbols(ModOp op, unsigned i,
                                               SymbolTableCollection &symbols) {
  DictionaryAttr attrs = op.getCaptureAttrs(i);
  auto symbol =
      attrs ? attrs.getAs<FlatSymbolRefAttr>("attn.data") : FlatSymbolRefAttr();
  if (!symbol)
    return success();
  if (auto fill = symbols.lookupNearestSymbolFrom<FillOp>(op, symbol))
    return verifyFill(op, i, fill);
  // The table as memory, then the sizes.
  SmallVector<Type> inputs{contiguousMemoryType(captureType(op, i))};
  inputs.append(std::size(sizeNames), IndexType::get(op.getContext()));
  auto wanted = FunctionType::get(op.getContext(), inputs, {});
  auto function =
      symbols.lookupNearestSymbolFrom<FunctionOpInterface>(op, symbol);
  if (function && function.getFunctionType() == wanted &&
      !function.isExternal())
    return success();
  InFlightDiagnostic error = op.emitOpError()
                             << "expects 'attn.data' of capture '"
                             << captureName(op, i)
                             << "' to name an attn.fill or a function of type "
                             << wanted << ", got ";
  if (!function)
    return error << "'@" << symbol.getValue() << "', which is neither";
  if (function.isExternal())
    return error << "'@" << symbol.getValue() << "', which has no body";
  return error << function.getFunctionType();
}
