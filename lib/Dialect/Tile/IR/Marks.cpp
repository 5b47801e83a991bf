// What marks must satisfy. See Marks.h.
#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace mlir::attn::tile;

namespace {
struct Mark {
  StringRef name;
  SmallVector<StringRef> ops; ///< that may have it
  bool isNumber = false;      ///< else it has no value
};
} // namespace

static const Mark *findMark(StringRef name) {
  static const Mark marks[] = {
      {zeroSafeMark, {"linalg.contract", "linalg.generic"}},
      {withinThreadMark, {"linalg.reduce"}},
      {runningMaximumMark, {"linalg.reduce"}, /*isNumber=*/true},
      {slackMark, {"linalg.generic"}, /*isNumber=*/true},
      {oneIfKeptMark, {"linalg.generic"}},
      {skipOnesMark, {"linalg.generic"}},
      {neighboursMark, {"memref.load"}},
  };
  for (const Mark &mark : marks)
    if (mark.name == name)
      return &mark;
  return nullptr;
}

LogicalResult TileDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attribute) {
  StringRef name = attribute.getName();
  const Mark *mark = findMark(name);
  if (!mark)
    return op->emitOpError() << "has an unknown attribute '" << name << "'";
  if (!llvm::is_contained(mark->ops, op->getName().getStringRef())) {
    InFlightDiagnostic error = op->emitOpError()
                               << "cannot have '" << name << "', only ";
    llvm::interleave(
        mark->ops, error, [&](StringRef allowed) { error << allowed; }, " or ");
    return error;
  }
  if (!mark->isNumber)
    return isa<UnitAttr>(attribute.getValue()) ? success()
                                               : op->emitOpError()
                                                     << "expects '" << name
                                                     << "' without a value";
  auto number = dyn_cast<FloatAttr>(attribute.getValue());
  if (!number || !number.getType().isF32() || !number.getValue().isFinite() ||
      number.getValue().isNegative())
    return op->emitOpError()
           << "expects '" << name << "' to be an f32 of at least 0";
  return success();
}
